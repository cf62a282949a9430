// What a deploy asks of its settings, and which changes of secrets it refuses.
import { createHash } from "node:crypto";
import { parseEnv } from "node:util";
import { changed, conflictsOf, problemsOf, secretsOf, type Settings } from "../../operate/deploy/settings.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";

const REF = "abcdefghijklmnopqrst";
const key = (byte: number) => new Uint8Array(32).fill(byte).toBase64({ alphabet: "base64url" });
const digest = (text: string) => createHash("sha256").update(text).digest("hex");

const GOOD: Settings = {
  SUPABASE_ACCESS_TOKEN: `sbp_${"0".repeat(40)}`,
  SUPABASE_DB_URL: `postgresql://postgres.${REF}:secret@aws-1-eu-west-1.pooler.supabase.com:5432/postgres`,
  SUPABASE_SECRET_KEY: "sb_secret_x",
  PUBLIC_SUPABASE_URL: `https://${REF}.supabase.co`,
  ALLOWED_ORIGINS: "https://a.example, http://127.0.0.1:5173",
  TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
  TWILIO_AUTH_TOKEN: "0".repeat(32),
  TWILIO_WEBHOOK_URL: `https://${REF}.supabase.co/functions/v1/twilio-media`,
  ENCRYPTION_KEY_CURRENT: key(1),
  SENDER_HASH_KEY: "x".repeat(32),
  MEDIA_WORKER_KEY: "y".repeat(32),
  CUSTODY_SIGNING_KEY: btoa("x".repeat(32)),
};

Deno.test("a project's own settings are right; a custom domain's, the direct database's and optional ones too", () => {
  const alsoRight: Record<string, string>[] = [
    {},
    {
      PUBLIC_SUPABASE_URL: "https://api.mbombela.example/",
      TWILIO_WEBHOOK_URL: "https://api.mbombela.example/functions/v1/twilio-media",
    },
    { SUPABASE_DB_URL: `postgresql://postgres:secret@db.${REF}.supabase.co:5432/postgres` },
    { ENCRYPTION_KEY_PREVIOUS: key(2), TWILIO_DELETE_MEDIA: "true", ALLOWED_ORIGINS: "*" },
    { TWILIO_API_KEY_SID: `SK${"0".repeat(32)}`, TWILIO_API_KEY_SECRET: "secret" },
  ];
  for (const changes of alsoRight) assertEquals(problemsOf({ ...GOOD, ...changes }, REF), []);
});

const other = "https://tsrqponmlkjihgfedcba.supabase.co";
const WRONG: [name: string, value: string, says: RegExp][] = [
  ["SUPABASE_ACCESS_TOKEN", "sb_secret_x", /begins with sbp_/],
  ["SUPABASE_DB_URL", "https://example", /begin with postgresql:/],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace("secret", "se/cret"), /not a URL: %-encode the password/],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace("secret", "12/cret"), /not a URL: %-encode the password/],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace("secret", "12#cret"), /not a URL: %-encode the password/],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace("secret", "se%cret"), /not a URL: %-encode the password/],
  [
    "SUPABASE_DB_URL",
    GOOD.SUPABASE_DB_URL!.replace("secret", "[YOUR-PASSWORD]"),
    /replace \[YOUR-PASSWORD\]/,
  ],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace(REF, "tsrqponmlkjihgfedcba"), /another project/],
  ["SUPABASE_DB_URL", GOOD.SUPABASE_DB_URL!.replace("5432", "6543"), /session pooler/],
  ["SUPABASE_SECRET_KEY", "sb_publishable_x", /begins with sb_secret_/],
  ["PUBLIC_SUPABASE_URL", `http://${REF}.supabase.co`, /https/],
  ["PUBLIC_SUPABASE_URL", `${GOOD.PUBLIC_SUPABASE_URL}/rest/v1`, /must be empty/],
  ["PUBLIC_SUPABASE_URL", other, /another project/],
  ["PUBLIC_SUPABASE_URL", REF, /not a URL/],
  ["TWILIO_WEBHOOK_URL", `${other}/functions/v1/twilio-media`, /another project/],
  ["TWILIO_WEBHOOK_URL", `${GOOD.TWILIO_WEBHOOK_URL}/`, /exactly \/functions\/v1\/twilio-media/],
  ["ALLOWED_ORIGINS", "https://a.example,https://b.example/", /no slash at the end/],
  ["ALLOWED_ORIGINS", "a.example", /scheme and host/],
  ["ALLOWED_ORIGINS", "https://*.example.org", /patterns do not work/],
  ["TWILIO_ACCOUNT_SID", `SK${"0".repeat(32)}`, /AC and 32/],
  ["TWILIO_AUTH_TOKEN", "0".repeat(31), /32 hexadecimal/],
  ["ENCRYPTION_KEY_CURRENT", key(1).slice(4), /Fernet/],
  ["ENCRYPTION_KEY_PREVIOUS", "no key at all", /Fernet/],
  ["SENDER_HASH_KEY", "x".repeat(31), /32 characters/],
  ["MEDIA_WORKER_KEY", "x".repeat(31), /32 characters/],
  ["TWILIO_API_KEY_SID", `AC${"0".repeat(32)}`, /SK and 32/],
  ["TWILIO_DELETE_MEDIA", "yes", /true or false/],
];

Deno.test("each malformed setting is named with its reason, and never shown", () => {
  for (const [name, value, says] of WRONG) {
    const settings = { ...GOOD, TWILIO_API_KEY_SECRET: "given", [name]: value };
    const problems = problemsOf(settings, REF);
    assertEquals(problems.length, 1, `${name}: ${problems}`);
    assertMatch(problems[0]!, new RegExp(`^${name}: `));
    assertMatch(problems[0]!, says);
    assertEquals(problems[0]!.includes(value), false, name);
  }
});

Deno.test("every setting but the optional ones is asked for, all at once", () => {
  const problems = problemsOf({}, REF);
  const needed = Object.keys(GOOD).filter((name) => name !== "CUSTODY_SIGNING_KEY");
  assertEquals(problems.map((problem) => problem.split(" ")[0]), needed);
  assertMatch(problems[6 + 1]!, new RegExp(`https://${REF}\\.supabase\\.co/functions/v1/twilio-media`));
  const half = problemsOf({ ...GOOD, TWILIO_API_KEY_SID: `SK${"0".repeat(32)}` }, REF);
  assertMatch(half.join(), /^TWILIO_API_KEY_SECRET is not set/);
});

Deno.test("the file that docs/deploy.md makes has every setting, and keys that are right; it overwrites none", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/deploy.md", import.meta.url));
  const block = /```sh\n([^`]*\.env\.production <<END[^`]*)```/.exec(page)![1]!.replaceAll(
    "YOUR_PROJECT",
    REF,
  );
  const directory = await Deno.makeTempDir();
  try {
    const make = async () =>
      (await new Deno.Command("bash", { args: ["-euc", block], cwd: directory, stderr: "null" }).output())
        .code;
    assertEquals(await make(), 0);
    const text = await Deno.readTextFile(`${directory}/.env.production`);
    const settings = parseEnv(text) as Settings;
    assertEquals(Object.keys(settings).sort(), Object.keys(GOOD).sort());
    const empty = Object.keys(settings).filter((name) => !settings[name]);
    assertEquals(
      (problemsOf(settings, REF)).map((problem) => problem.split(" ")[0]).sort(),
      empty.sort(),
    );
    assertEquals(await make(), 1);
    assertEquals(await Deno.readTextFile(`${directory}/.env.production`), text);
    assertEquals((await Deno.stat(`${directory}/.env.production`)).mode! & 0o077, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the operator's own settings are no secrets of the functions; nor are empty ones", async () => {
  const secrets = secretsOf({ ...GOOD, TWILIO_DELETE_MEDIA: "" });
  assertEquals(Object.keys(secrets).length, 9);
  assertEquals(Object.keys(secrets).filter((name) => name.startsWith("SUPABASE_")), []);
  assertEquals(await changed({ A: "1", B: "2", C: "3" }, { A: digest("1"), B: digest("1") }), ["B", "C"]);
});

Deno.test("a key that sealed or found residents' data is replaced by no other; an encryption key may be rotated", async () => {
  const [k1, k2, k3] = [key(1), key(2), key(3)];
  const project = (secrets: Settings) =>
    Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, digest(value)]));
  const conflicts = async (mine: Settings, theirs: Settings, ...replace: string[]) =>
    (await conflictsOf(mine, project(theirs), replace)).map((problem) => problem.split(":")[0]);

  const hash = { SENDER_HASH_KEY: "x".repeat(32) };
  assertEquals(await conflicts(hash, {}), []);
  assertEquals(await conflicts(hash, hash), []);
  const otherHash = { SENDER_HASH_KEY: "y".repeat(32) };
  assertEquals(await conflicts(hash, otherHash), ["SENDER_HASH_KEY"]);
  assertEquals(await conflicts(hash, otherHash, "SENDER_HASH_KEY"), [], "meant");

  const keys = (current: string, previous?: string): Settings => ({
    ENCRYPTION_KEY_CURRENT: current,
    ...previous ? { ENCRYPTION_KEY_PREVIOUS: previous } : {},
  });
  assertEquals(await conflicts(keys(k1), {}), []);
  assertEquals(await conflicts(keys(k1), keys(k1)), []);
  assertEquals(await conflicts(keys(k2, k1), keys(k1)), []);
  assertEquals(await conflicts(keys(k2, k1), keys(k2, k1)), []);
  assertEquals(await conflicts(keys(k2), keys(k1)), ["ENCRYPTION_KEY_CURRENT"]);
  assertEquals(await conflicts(keys(k2, k3), keys(k1)), ["ENCRYPTION_KEY_CURRENT"]);
  assertEquals(await conflicts(keys(k1, k2), keys(k2, k1)), ["ENCRYPTION_KEY_PREVIOUS"], "swapped back");
  assertEquals(await conflicts(keys(k3, k2), keys(k2, k1)), ["ENCRYPTION_KEY_PREVIOUS"], "a second rotation");
  const meant = "ENCRYPTION_KEY_PREVIOUS";
  assertEquals(await conflicts(keys(k3, k2), keys(k2, k1), meant), [], "a second rotation, meant");
  assertEquals(await conflicts(keys(k3, k1), keys(k2, k1), meant), ["ENCRYPTION_KEY_CURRENT"], "no rotation");
});
