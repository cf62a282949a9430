// Checks a project from outside and says what to do about each finding; it changes nothing:
// npm run doctor -- [--json] [--env-file FILE] [--api-url URL]
// Exit status: 0 all is well, 1 something is wrong, 2 something could not be checked.
import { parseEnv } from "node:util";
import postgres from "postgres";
import type { Environment } from "../platform/environment.ts";
import { type Line, linesOf, type Outcome, type Problem } from "./doctor/findings.ts";
import { functions, operatorKey, secretNames } from "./doctor/functions.ts";
import { schedule } from "./doctor/schedule.ts";
import { exposure, migrations, schema } from "./doctor/schema.ts";
import {
  buckets,
  clocks,
  custody,
  dueWork,
  failedFiles,
  municipalities,
  realtime,
  storedFiles,
  users,
} from "./doctor/state.ts";
import { connectProject, operatorEnvironment, runCommand, UsageError } from "./project.ts";

const USAGE =
  `npm run doctor -- [--json] [--env-file FILE] [--api-url URL]    (SUPABASE_URL, SUPABASE_SECRET_KEY, SUPABASE_DB_URL and
the functions' Twilio secrets from the environment or FILE; with SUPABASE_ACCESS_TOKEN also the names of all secrets)`;
/** Milliseconds for one statement. */
const STATEMENT_TIMEOUT = 120_000;

/** The checks of the database, by name, in the report's order. */
function databaseChecks(url: string): [string, (sql: postgres.TransactionSql) => Promise<Outcome>][] {
  return [
    ["clocks", clocks],
    ["migrations", migrations],
    ["schema", schema],
    ["exposed schemas", exposure],
    ["buckets", buckets],
    ["schedule", (sql) => schedule(sql, url)],
    ["due work", dueWork],
    ["failed files", failedFiles],
    ["stored files", storedFiles],
    ["realtime", realtime],
    ["municipalities", municipalities],
    ["users", users],
    ["custody", custody],
  ];
}

/** Runs them all in the given transaction; one that breaks is a line of its own and does not stop the others. */
export async function examineDatabase(sql: postgres.TransactionSql, url: string): Promise<Line[]> {
  await sql`select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT)}, true)`;
  const lines: Line[] = [];
  for (const [name, check] of databaseChecks(url)) {
    lines.push(
      ...await sql.savepoint((inner) => check(inner)).then(
        (outcome) => linesOf(name, outcome),
        (error) => linesOf(name, unknown("check_failed", describe(error))),
      ),
    );
  }
  return lines;
}

async function examine(environment: Environment, apiUrl: string): Promise<Line[]> {
  const { project: { url, key } } = connectProject(environment);
  const probed = {
    url,
    secretKey: key,
    webhookUrl: environment.get("TWILIO_WEBHOOK_URL"),
    twilioAccountSid: environment.get("TWILIO_ACCOUNT_SID"),
    twilioAuthToken: environment.get("TWILIO_AUTH_TOKEN"),
  };
  const [answers, ownKey, secrets, database] = await Promise.all([
    functions(probed),
    operatorKey(probed).catch((error) => unknown("key_refused", describe(error))),
    secretsOf(environment, url, apiUrl),
    databaseOf(environment, url),
  ]);
  return [
    ...linesOf("secret key", ownKey),
    ...answers.flatMap(([name, outcome]) => linesOf(name, outcome)),
    ...secrets,
    ...database,
  ];
}

async function secretsOf(environment: Environment, url: string, apiUrl: string): Promise<Line[]> {
  const token = environment.get("SUPABASE_ACCESS_TOKEN");
  const ref = environment.get("SUPABASE_PROJECT_REF") ??
    /^https:\/\/([a-z]{20})\.supabase\.co$/.exec(url)?.[1];
  // the functions' answers have told already whether one is missing
  if (!token || !ref) return [];
  return linesOf(
    "secrets",
    await secretNames(apiUrl, ref, token).catch((error) => unknown("secrets_unknown", describe(error))),
  );
}

async function databaseOf(environment: Environment, url: string): Promise<Line[]> {
  const address = environment.get("SUPABASE_DB_URL");
  if (!address) return linesOf("database", unknown("database_unreachable", "SUPABASE_DB_URL is not set"));
  let sql: postgres.Sql | undefined;
  try {
    // the pooler keeps no prepared statements; TLS where the server has it
    const ssl = new URL(address).searchParams.has("sslmode") ? undefined : "prefer";
    sql = postgres(address, {
      max: 1,
      prepare: false,
      connect_timeout: 15,
      onnotice: () => {},
      ...ssl && { ssl },
    });
    return await sql.begin("read only", (tx) => examineDatabase(tx, url)) as Line[];
  } catch (error) {
    return linesOf("database", unknown("database_unreachable", describe(error)));
  } finally {
    await sql?.end({ timeout: 1 });
  }
}

function unknown(problem: Problem, found: string): Outcome {
  return { found, findings: [{ problem, found, unknown: true }] };
}

/** An error's class and code: its message may quote an address with its password. */
function describe(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  return `could not be found out: ${[name, code].filter(Boolean).join(" ") || "an error"}`;
}

/** The functions' own file of secrets has the project's URL under the name that they know it by. */
function withUrl(base: Environment): Environment {
  return {
    get: (name) => base.get(name) ?? (name === "SUPABASE_URL" ? base.get("PUBLIC_SUPABASE_URL") : undefined),
  };
}

function readEnvFile(path: string | undefined): Environment {
  if (!path) throw new UsageError(USAGE);
  try {
    const values = parseEnv(Deno.readTextFileSync(path));
    return { get: (name) => values[name] };
  } catch {
    throw new UsageError(`${path} cannot be read.\n${USAGE}`);
  }
}

async function doctor(args: string[]): Promise<number> {
  let json = false;
  let apiUrl = "https://api.supabase.com";
  let environment = operatorEnvironment(withUrl(Deno.env));
  while (args.length) {
    const option = args.shift();
    if (option === "--json") json = true;
    else if (option === "--env-file") {
      const file = withUrl(readEnvFile(args.shift()));
      // all of the file's before any of the shell's: they may be for different projects
      environment = operatorEnvironment({ get: (name) => file.get(name) ?? Deno.env.get(name) });
    } else if (option === "--api-url") apiUrl = args.shift() ?? "";
    else throw new UsageError(USAGE);
  }
  if (!URL.canParse(apiUrl)) throw new UsageError(USAGE);
  if (!json) console.error("Asking the functions and the database; this changes nothing.");
  const lines = await examine(environment, apiUrl);
  const wrong = lines.filter(({ result }) => result === "WRONG").length;
  const open = lines.filter(({ result }) => result === "UNKNOWN").length;
  if (json) console.log(JSON.stringify({ ok: wrong + open === 0, wrong, unknown: open, lines }, null, 2));
  else {
    for (const { check, result, found, todo } of lines) {
      console.log(`${result.padEnd(8)} ${check}: ${found}`);
      if (todo) console.log(`         do: ${todo}`);
    }
    console.log(
      wrong + open === 0 ? "all is well" : `${wrong} wrong, ${open} could not be checked (docs/runbook.md)`,
    );
  }
  return wrong ? 1 : open ? 2 : 0;
}

if (import.meta.main) await runCommand(doctor);
