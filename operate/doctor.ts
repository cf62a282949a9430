// Checks a project from outside and says what to do about each finding; it changes nothing:
// npm run doctor -- [--json] [--env-file FILE] [--api-url URL]
// Exit status: 0 all is well, 1 something is wrong, 2 something could not be checked.
import type postgres from "postgres";
import { connectDatabase, databaseAnswers, databaseUrlProblem, refuseTwoProjects } from "./database.ts";
import { type Line, linesOf, type Outcome, type Problem } from "./doctor/findings.ts";
import { functions, operatorKey, secretNames } from "./doctor/functions.ts";
import { schedule } from "./doctor/schedule.ts";
import { type EncryptionKeys, sealedTexts } from "./doctor/sealed.ts";
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
  ticketCounts,
  users,
} from "./doctor/state.ts";
import {
  connectProject,
  type OperatorEnvironment,
  operatorEnvironment,
  readOptions,
  runCommand,
  UsageError,
} from "./project.ts";

const USAGE =
  `npm run doctor -- [--json] [--env-file FILE] [--api-url URL]    (SUPABASE_URL, SUPABASE_SECRET_KEY, SUPABASE_DB_URL and
the functions' Twilio secrets and encryption keys from FILE or the environment, else from .env.production; with SUPABASE_ACCESS_TOKEN also
the names of all secrets)`;
/** Milliseconds for one statement. */
const STATEMENT_TIMEOUT = 120_000;

/** The checks of the database, by name, in the report's order. */
function databaseChecks(
  url: string,
  keys: EncryptionKeys,
): [string, (sql: postgres.TransactionSql) => Promise<Outcome>][] {
  return [
    ["clocks", clocks],
    ["migrations", migrations],
    ["schema", schema],
    ["buckets", buckets],
    ["schedule", (sql) => schedule(sql, url)],
    ["due work", dueWork],
    ["failed files", failedFiles],
    ["stored files", storedFiles],
    ["ticket counts", ticketCounts],
    ["sealed texts", (sql) => sealedTexts(sql, keys)],
    ["realtime", realtime],
    ["municipalities", municipalities],
    ["users", users],
    ["custody", custody],
  ];
}

/** Runs them all in the given transaction; one that breaks is a line of its own and does not stop the others. */
export async function examineDatabase(
  sql: postgres.TransactionSql,
  url: string,
  keys: EncryptionKeys,
): Promise<Line[]> {
  await sql`select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT)}, true)`;
  const lines: Line[] = [];
  for (const [name, check] of databaseChecks(url, keys)) {
    lines.push(
      ...await sql.savepoint((inner) => check(inner)).then(
        (outcome) => linesOf(name, outcome),
        (error) => linesOf(name, unknown("check_failed", describe(error))),
      ),
    );
  }
  return lines;
}

async function examine(environment: OperatorEnvironment, apiUrl: string): Promise<Line[]> {
  const { project: { url, key } } = connectProject(environment);
  refuseTwoProjects(url, environment.get("SUPABASE_DB_URL") ?? "");
  const probed = {
    url,
    secretKey: key,
    webhookUrl: environment.get("TWILIO_WEBHOOK_URL"),
    twilioAccountSid: environment.get("TWILIO_ACCOUNT_SID"),
    twilioAuthToken: environment.get("TWILIO_AUTH_TOKEN"),
  };
  const [answers, ownKey, exposed, secrets, database] = await Promise.all([
    functions(probed),
    operatorKey(probed).catch((error) => unknown("key_refused", describe(error))),
    exposure(probed).catch((error) => unknown("private_exposed", describe(error))),
    secretsOf(environment, url, apiUrl),
    databaseOf(environment, url),
  ]);
  return [
    ...linesOf("secret key", ownKey),
    ...answers.flatMap(([name, outcome]) => linesOf(name, outcome)),
    ...linesOf("exposed schemas", exposed),
    ...secrets,
    ...database,
  ];
}

async function secretsOf(environment: OperatorEnvironment, url: string, apiUrl: string): Promise<Line[]> {
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

async function databaseOf(environment: OperatorEnvironment, url: string): Promise<Line[]> {
  const address = environment.get("SUPABASE_DB_URL");
  if (!address) return linesOf("database", unknown("database_unreachable", "SUPABASE_DB_URL is not set"));
  const problem = databaseUrlProblem(address);
  if (problem) return linesOf("database", unknown("database_unreachable", `SUPABASE_DB_URL ${problem}`));
  const keys = {
    current: environment.get("ENCRYPTION_KEY_CURRENT"),
    previous: environment.get("ENCRYPTION_KEY_PREVIOUS"),
  };
  const sql = connectDatabase(address, { prepare: false }); // the pooler keeps no prepared statements
  try {
    await databaseAnswers(sql);
    return await sql.begin("read only", (tx) => examineDatabase(tx, url, keys)) as Line[];
  } catch (error) {
    const found = error instanceof UsageError ? error.message : describe(error);
    return linesOf("database", unknown("database_unreachable", found));
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function unknown(problem: Problem, found: string): Outcome {
  return { found, findings: [{ problem, found, unknown: true }] };
}

/** An error's class and code: its message may quote an address with its password. */
function describe(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  return `could not be checked: ${[name, code].filter(Boolean).join(" ") || "an error"}`;
}

async function doctor(args: string[]): Promise<number> {
  const { values } = readOptions(USAGE, args, {
    json: { type: "boolean" },
    "env-file": { type: "string" },
    "api-url": { type: "string", default: "https://api.supabase.com" },
  });
  const { json, "api-url": apiUrl } = values;
  if (!URL.canParse(apiUrl)) throw new UsageError(USAGE);
  const environment = operatorEnvironment(values["env-file"]);
  if (!json) console.error("Checking the functions and the database. This changes nothing.");
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
