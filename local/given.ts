// Runs a command against a Supabase that somebody else started on this machine, like `supabase start`, under the names that
// our tests know:  npm run given -- --env-file FILE [--status FILE] -- COMMAND [ARGS]
//   --env-file   the functions' secrets, as `supabase functions serve` was given them
//   --status     what `supabase status -o env` printed; without it, the CLI is asked
import { parseArgs, parseEnv } from "node:util";
import { createClient } from "@supabase/supabase-js";

/** Our names, and the CLI's for the same: the first that is there. */
const NAMES: Record<string, string[]> = {
  SUPABASE_URL: ["API_URL"],
  SUPABASE_DB_URL: ["DB_URL"],
  SUPABASE_PUBLISHABLE_KEY: ["PUBLISHABLE_KEY", "ANON_KEY"],
  SUPABASE_SECRET_KEY: ["SECRET_KEY", "SERVICE_ROLE_KEY"],
  SUPABASE_ANON_KEY: ["ANON_KEY"],
  SUPABASE_SERVICE_ROLE_KEY: ["SERVICE_ROLE_KEY"],
};
const REQUIRED = ["SUPABASE_URL", "SUPABASE_DB_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"];

/** The CLI's report as our variables. Throws where one is missing, or where it is not of this machine: tests leave evidence. */
export function givenStack(status: string): Record<string, string> {
  const told = parseEnv(status);
  const found = Object.entries(NAMES).map((
    [name, theirs],
  ) => [name, theirs.map((one) => told[one]).find(Boolean)]);
  const env: Record<string, string> = Object.fromEntries(found.filter(([, value]) => value));
  const missing = REQUIRED.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new Error(`supabase status names no ${missing.map((name) => NAMES[name]![0]).join(", ")}`);
  }
  for (const name of ["SUPABASE_URL", "SUPABASE_DB_URL"]) {
    const { hostname } = new URL(env[name]!);
    if (!["127.0.0.1", "localhost", "[::1]"].includes(hostname)) {
      throw new Error(`${hostname} is not this machine`);
    }
  }
  return env;
}

/** Gives the seed's users the password, by Auth's own API. How many there are. */
async function setPasswords(env: Record<string, string>, password: string): Promise<number> {
  const { auth } = createClient(env.SUPABASE_URL!, env.SUPABASE_SECRET_KEY!, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const { data, error } = await auth.admin.listUsers({ perPage: 1000 });
  if (error) throw error;
  const seeded = data.users.filter(({ email }) => /@(mbombela|polokwane)\.test$/.test(email ?? ""));
  for (const { id } of seeded) {
    const { error } = await auth.admin.updateUserById(id, { password });
    if (error) throw error;
  }
  return seeded.length;
}

async function main(args: string[]): Promise<number> {
  const separator = args.indexOf("--");
  const command = separator < 0 ? [] : args.slice(separator + 1);
  const { values } = parseArgs({
    args: args.slice(0, separator < 0 ? undefined : separator),
    options: { status: { type: "string" }, "env-file": { type: "string" } },
  });
  const secrets = values["env-file"];
  if (!secrets || command.length === 0) {
    throw new Error("npm run given -- --env-file FILE [--status FILE] -- COMMAND");
  }
  const env = {
    ...parseEnv(await Deno.readTextFile(secrets)) as Record<string, string>,
    ...givenStack(values.status ? await Deno.readTextFile(values.status) : await askCli()),
  };
  const jwks = await fetch(`${env.SUPABASE_URL}/auth/v1/.well-known/jwks.json`, {
    headers: { apikey: env.SUPABASE_PUBLISHABLE_KEY! },
  });
  if (!jwks.ok) throw new Error(`Auth's key set: ${jwks.status}`);
  env.SUPABASE_JWKS = await jwks.text();
  env.DEMO_PASSWORD = Deno.env.get("DEMO_PASSWORD") ?? crypto.randomUUID();
  const users = await setPasswords(env, env.DEMO_PASSWORD);
  console.error(
    users > 0
      ? `${env.SUPABASE_URL}, ${users} users of the seed`
      : `${env.SUPABASE_URL}, without the seed's users`,
  );
  const { code } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    env: { ...env, GIVEN_STACK: "1" },
  }).spawn().status;
  return code;
}

async function askCli(): Promise<string> {
  const cli = new URL("../node_modules/.bin/supabase", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(cli, { args: ["status", "-o", "env"] }).output();
  if (!success) throw new Error(`supabase status: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args).catch((error) => {
      console.error(error instanceof Error ? error.message : error);
      return 2;
    }),
  );
}
