// The suites on a Supabase that somebody else started: told by what `supabase status -o env` prints, and by nothing else.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { givenStack } from "../../local/given.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** As the CLI prints it: sorted, in quotes, numbers without. */
const STATUS = `ANON_KEY="eyJ.anon"
API_URL="http://127.0.0.1:54321"
DB_URL="postgresql://postgres:postgres@127.0.0.1:54322/postgres"
FUNCTIONS_URL="http://127.0.0.1:54321/functions/v1"
JWT_SECRET="super-secret-jwt-token-with-at-least-32-characters-long"
PUBLISHABLE_KEY="sb_publishable_x"
S3_PROTOCOL_REGION="local"
SECRET_KEY="sb_secret_x"
SERVICE_ROLE_KEY="eyJ.service"
STORAGE_S3_URL="http://127.0.0.1:54321/storage/v1/s3"
`;
const without = (...names: string[]) =>
  STATUS.split("\n").filter((line) => !names.some((name) => line.startsWith(`${name}=`))).join("\n");

Deno.test("the CLI's names become ours; without keys of the new form the older ones do", () => {
  assertEquals(givenStack(STATUS), {
    SUPABASE_URL: "http://127.0.0.1:54321",
    SUPABASE_DB_URL: "postgresql://postgres:postgres@127.0.0.1:54322/postgres",
    SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
    SUPABASE_SECRET_KEY: "sb_secret_x",
    SUPABASE_ANON_KEY: "eyJ.anon",
    SUPABASE_SERVICE_ROLE_KEY: "eyJ.service",
  });
  const older = givenStack(without("PUBLISHABLE_KEY", "SECRET_KEY"));
  assertEquals([older.SUPABASE_PUBLISHABLE_KEY, older.SUPABASE_SECRET_KEY], ["eyJ.anon", "eyJ.service"]);
});

Deno.test("a report without an address or a key is refused, and one of another machine, where evidence would stay", () => {
  assertThrows(() => givenStack(without("API_URL")), Error, "API_URL");
  assertThrows(() => givenStack(without("SECRET_KEY", "SERVICE_ROLE_KEY")), Error, "SECRET_KEY");
  for (const host of ["project.supabase.co", "127.0.0.1.example"]) {
    for (const address of ["http://127.0.0.1", "@127.0.0.1"]) {
      const elsewhere = STATUS.replace(address, address.replace("127.0.0.1", host));
      assertThrows(() => givenStack(elsewhere), Error, `${host} is not this machine`);
    }
  }
});

const variable = (name: string) => Deno.env.get(name)!;

/** Runs it in a process that knows of this stack what the CLI would say of it, and the functions' secrets. */
async function given(...command: string[]): Promise<{ code: number; text: string }> {
  const directory = await Deno.makeTempDir();
  const status = {
    API_URL: variable("SUPABASE_URL"),
    DB_URL: variable("SUPABASE_DB_URL"),
    PUBLISHABLE_KEY: variable("SUPABASE_PUBLISHABLE_KEY"),
    SECRET_KEY: variable("SUPABASE_SECRET_KEY"),
    ANON_KEY: variable("SUPABASE_ANON_KEY"),
    SERVICE_ROLE_KEY: variable("SUPABASE_SERVICE_ROLE_KEY"),
  };
  const secrets = [
    ...[
      "PUBLIC_SUPABASE_URL",
      "ALLOWED_ORIGINS",
      "TWILIO_ACCOUNT_SID",
      "TWILIO_AUTH_TOKEN",
      "TWILIO_WEBHOOK_URL",
    ],
    ...["ENCRYPTION_KEY_CURRENT", "SENDER_HASH_KEY", "MEDIA_WORKER_KEY", "CUSTODY_SIGNING_KEY"],
  ];
  const lines = (values: [string, string][]) =>
    values.map(([name, value]) => `${name}="${value}"\n`).join("");
  try {
    await Deno.writeTextFile(`${directory}/status.env`, lines(Object.entries(status)));
    await Deno.writeTextFile(
      `${directory}/functions.env`,
      lines(secrets.map((name) => [name, variable(name)])),
    );
    const { code, stdout, stderr } = await new Deno.Command("node", {
      args: [
        ...["run.mjs", "local/given.ts", "--status", `${directory}/status.env`],
        ...["--env-file", `${directory}/functions.env`, "--", ...command],
      ],
      cwd: ROOT,
      clearEnv: true,
      env: {
        PATH: variable("PATH"),
        HOME: variable("HOME"),
        NO_COLOR: "1",
        DEMO_PASSWORD: variable("DEMO_PASSWORD"), // so that the tests beside this one still know it
      },
    }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the function suite runs on it; what needs the pretend Twilio is skipped, with the reason", async () => {
  const { code, text } = await given(
    "npm",
    "run",
    "-s",
    "test:functions",
    "--",
    "supabase-js",
    "whatsapp/reply",
  );
  assertEquals(code, 0, text);
  assert(/ok \| [1-9]\d* passed \| 0 failed \| [1-9]\d* ignored/.test(text), text);
  assertStringIncludes(text, "skipped: functions/whatsapp/reply.test.ts needs the pretend Twilio");
});

Deno.test("the demo runs on it, without residents", async () => {
  const { code, text } = await given("npm", "run", "-s", "demo");
  assertEquals(code, 0, text);
  assertStringIncludes(text, "Left out: what residents send.");
  assert(/demo: [1-9]\d* checks passed, 0 failed/.test(text), text);
});
