// Where the operator's commands take their settings from: the file of docs/deploy.md, the environment, --env-file.
import { printable } from "../../operate/project.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const root = new URL("../..", import.meta.url).pathname;
const TWILIO = Deno.env.get("PRETEND_TWILIO_URL")!;
const NAMES = [
  ["PUBLIC_SUPABASE_URL", "ALLOWED_ORIGINS", "TWILIO_WEBHOOK_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"],
  ["ENCRYPTION_KEY_CURRENT", "SENDER_HASH_KEY", "SUPABASE_DB_URL", "SUPABASE_SECRET_KEY"],
].flat();
const DRY = ["uninstall", "--dry-run"];
const DEAD = "postgresql://postgres:s3cr3t@127.0.0.1:9/postgres";
const REF = "abcdefghijklmnopqrst";

type Settings = Record<string, string>;

/** The settings of this stack, as docs/deploy.md has them in a file. */
function settings(changes: Settings = {}): Settings {
  return { ...Object.fromEntries(NAMES.map((name) => [name, Deno.env.get(name)!])), ...changes };
}

/** Runs a command in a directory that has nothing but the given files, with no environment but the given one. */
async function command(
  [name, ...args]: string[],
  { files = {}, env = {} }: { files?: Record<string, Settings>; env?: Settings },
): Promise<{ code: number; text: string }> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [file, content] of Object.entries(files)) {
      const lines = Object.entries(content).map(([name, value]) => `${name}='${value}'\n`);
      await Deno.writeTextFile(`${directory}/${file}`, lines.join(""));
    }
    const { code, stdout, stderr } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
      args: ["run", "-A", "--no-check", `${root}operate/${name}.ts`, ...args],
      cwd: directory,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, HOME: Deno.env.get("HOME")!, NO_COLOR: "1", ...env },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert(!text.includes("s3cr3t"), "it shows the database's password");
    return { code, text };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("each command runs as docs write it, with nothing but .env.production in the directory", async () => {
  const files = { ".env.production": settings() };
  const doctor = await command(["doctor"], { files });
  assertStringIncludes(doctor.text, "ok       secret key");
  assertStringIncludes(doctor.text, "ok       migrations");
  const reconcile = await command(["reconcile", "--twilio-url", TWILIO], { files });
  assertStringIncludes(reconcile.text, "messages came to our numbers");
  const verify = await command(["verify-file", `${root}package.json`], { files });
  assertEquals(verify.code, 1, verify.text);
  assertStringIncludes(verify.text, "was never taken in");
  const uninstall = await command(DRY, { files });
  assertEquals(uninstall.code, 0, uninstall.text);
  const deploy = await command(["deploy", "--project-ref", REF], { files });
  assertStringIncludes(deploy.text, "Fix this in .env.production or the environment");
  assertStringIncludes(deploy.text, "SUPABASE_ACCESS_TOKEN is not set");
  assert(!deploy.text.includes("SUPABASE_DB_URL is not set"), deploy.text);
});

Deno.test("--env-file names another file, for every command", async () => {
  const files = {
    "staging.env": settings(),
    ".env.production": settings({ PUBLIC_SUPABASE_URL: "nonsense" }),
  };
  const named = ["--env-file", "staging.env"];
  assertStringIncludes((await command(["doctor", ...named], { files })).text, "ok       migrations");
  const reconcile = await command(["reconcile", "--twilio-url", TWILIO, ...named], { files });
  assertStringIncludes(reconcile.text, "messages came to our numbers");
  assertEquals((await command(["verify-file", ...named, `${root}package.json`], { files })).code, 1);
  assertEquals((await command([...DRY, ...named], { files })).code, 0);
  for (const name of ["doctor", "reconcile", "verify-file", "uninstall"]) {
    const none = await command([name, "--env-file", "none.env", ...name === "verify-file" ? ["x"] : []], {});
    assertEquals(none.code, 2);
    assertStringIncludes(none.text, "none.env cannot be read. docs/deploy.md");
  }
});

Deno.test("the environment comes before .env.production, and a file that is named before both", async () => {
  const files = { ".env.production": settings() };
  const env = { SUPABASE_DB_URL: DEAD };
  const dead = await command(DRY, { files, env });
  assertEquals(dead.code, 2);
  assertStringIncludes(dead.text, "does not answer (ECONNREFUSED)");
  assertEquals((await command([...DRY, "--env-file", ".env.production"], { files, env })).code, 0);
  const empty = await command(DRY, { files, env: { SUPABASE_DB_URL: "" } });
  assertEquals(empty.code, 0, empty.text);
});

Deno.test("where the environment names a project, .env.production is not read: it may be another's", async () => {
  const { code, text } = await command(DRY, {
    files: { ".env.production": settings() },
    env: { SUPABASE_URL: "http://127.0.0.1:9" },
  });
  assertEquals(code, 2);
  assertStringIncludes(text, "SUPABASE_DB_URL is not set in the environment: ");
});

Deno.test("what is missing is told with the file that lacks it", async () => {
  const nowhere = await command(["doctor"], {});
  assertEquals(nowhere.code, 2);
  assertStringIncludes(
    nowhere.text,
    "SUPABASE_URL is not set in the environment, and .env.production is not in this directory",
  );
  const files = { ".env.production": settings({ SUPABASE_SECRET_KEY: "", SUPABASE_DB_URL: "" }) };
  assertStringIncludes(
    (await command(["verify-file", "x"], { files })).text,
    "SUPABASE_SECRET_KEYS is not set in the environment or .env.production",
  );
  assertStringIncludes(
    (await command(DRY, { files })).text,
    "SUPABASE_DB_URL is not set in the environment or .env.production",
  );
});

Deno.test("a password that is not encoded is told, and never shown", async () => {
  for (const password of ["s3cr3t/pw", "s3cr3t%pw", "12/s3cr3t", "12?s3cr3t"]) {
    const url = DEAD.replace("s3cr3t", password);
    const { code, text } = await command(DRY, { env: { SUPABASE_DB_URL: url } });
    assertEquals(code, 2);
    assertStringIncludes(text, "SUPABASE_DB_URL is not a URL: %-encode the password");
    const given = await command([...DRY, "--db-url", url], {});
    assertStringIncludes(given.text, "--db-url is not a URL: %-encode the password");
  }
});

Deno.test("a URL and a database of two projects are refused", async () => {
  const env = {
    SUPABASE_URL: `https://${REF}.supabase.co`,
    SUPABASE_SECRET_KEY: "sb_secret_x",
    SUPABASE_DB_URL: "postgresql://postgres.tsrqponmlkjihgfedcba:s3cr3t@pooler.supabase.invalid/postgres",
  };
  for (const args of [DRY, ["doctor"]]) {
    const { code, text } = await command(args, { env });
    assertEquals(code, 2);
    assertStringIncludes(text, `SUPABASE_URL is of project ${REF}, the database of tsrqponmlkjihgfedcba`);
  }
});

Deno.test("a file's name cannot move the cursor, forge a line or turn one around", () => {
  assertEquals(printable("a\x1b[2Jb\r\u202egpj.exe\u0085"), "a\\u{1b}[2Jb\\u{d}\\u{202e}gpj.exe\\u{85}");
  assertEquals(printable("Foto – ”straat” nº1 🚰\n\tnext"), "Foto – ”straat” nº1 🚰\n\tnext");
});
