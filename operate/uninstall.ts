// Takes the bundle off a project's database, evidence and what proves it excepted (docs/adopt.md):
// npm run uninstall -- [--dry-run] [--yes] [--env-file FILE] [--db-url URL]
// Without --db-url, SUPABASE_DB_URL. All of it is one transaction, except what hides our buckets, which goes in a second one
// once they are gone. Exit status: 0 done, 2 it did not work.
import { retry } from "deno-std/async/retry.js";
import postgres from "postgres";
import { authHeaders, type Project } from "../shared/platform/project.ts";
import { connectDatabase, databaseAnswers, databaseProject, databaseUrl } from "./database.ts";
import { SECRET_NAMES } from "../shared/platform/settings.ts";
import {
  confirmByTyping,
  connectProject,
  type OperatorEnvironment,
  operatorEnvironment,
  readOptions,
  runCommand,
  UsageError,
} from "./project.ts";
import { changesBeyond, type Plan, planUninstall, type Step } from "./uninstall/plan.ts";
import { transactionOf } from "./uninstall/transaction.ts";

const USAGE =
  `npm run uninstall -- [--dry-run] [--yes] [--env-file FILE] [--db-url URL]    (URL else from SUPABASE_DB_URL, of FILE
or the environment, else of .env.production)`;
const ROOT = new URL("../", import.meta.url);

/** The command. */
async function uninstall(args: string[]): Promise<number> {
  const { environment, url, dryRun, yes } = parse(args);
  const sql = connectDatabase(url);
  try {
    await databaseAnswers(sql);
    const project = projectName(url);
    if (dryRun) {
      const plan = await sql.begin("read only", planUninstall) as Plan;
      print(plan);
      if (plan.thereafter.length) console.log("and once no empty bucket is left, in a second transaction:");
      printSteps(plan.thereafter);
      console.log(`nothing was changed in ${project}. Run it without --dry-run to do it`);
      return 0;
    }
    if (!yes) {
      confirmByTyping(
        `This removes the bundle from ${project}. Type the project's name to go on:`,
        project,
      );
    }
    const plan = await execute(sql);
    print(plan);
    if (await removeBuckets(environment, plan.emptyBuckets)) await unhide(sql, plan);
    console.log(`done in ${project}. Left to do by hand:`);
    console.log(await byHand(project));
    return 0;
  } catch (error) {
    throw explained(error);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

interface Arguments {
  environment: OperatorEnvironment;
  url: string;
  dryRun: boolean;
  yes: boolean;
}

function parse(args: string[]): Arguments {
  const { values } = readOptions(USAGE, args, {
    "dry-run": { type: "boolean", default: false },
    yes: { type: "boolean", default: false },
    "db-url": { type: "string" },
    "env-file": { type: "string" },
  });
  const { "db-url": given, "dry-run": dryRun, yes } = values;
  const environment = operatorEnvironment(values["env-file"]);
  return { dryRun, yes, environment, url: databaseUrl(environment, given) };
}

/** The project's ref where the URL has one, else its host. */
function projectName(url: string): string {
  return databaseProject(url) ?? new URL(url).hostname;
}

/** Plans, and does it if the plan still holds; begins anew if it does not, or if somebody holds what it needs. */
async function execute(sql: postgres.Sql): Promise<Plan> {
  return await retry(async () => {
    const plan = await sql.begin("read only", planUninstall) as Plan;
    await sql.unsafe(transactionOf(plan));
    return plan;
  }, {
    maxAttempts: 40,
    minTimeout: 600,
    maxTimeout: 1000,
    isRetriable: (error: unknown) => ["55P03", "40001", "40P01"].includes((error as { code: string }).code),
  });
}

/** What hid buckets that are gone now, in a transaction of its own. */
async function unhide(sql: postgres.Sql, first: Plan): Promise<void> {
  try {
    const { steps } = await execute(sql);
    printSteps(changesBeyond(first.steps, steps));
  } catch (error) {
    throw explained(error, "The rest is done, but what hid the buckets is still there: run this again.");
  }
}

/** An error of Postgres with what it was about, and what to do next. */
function explained(error: unknown, outcome = "Nothing was changed."): unknown {
  const cause = (error as { cause?: unknown }).cause ?? error;
  if (!(cause instanceof postgres.PostgresError)) return error;
  const { code, message, detail } = cause;
  const about = `${message}${detail ? ` (${detail})` : ""}. ${outcome}`;
  switch (code) {
    case "55P03":
      return new UsageError(`${about} Try again when that has ended.`);
    case "2BP01":
      return new UsageError(`${about} Something of your own uses it: change that first, then try again.`);
    default:
      return new UsageError(about);
  }
}

function print({ steps, emptyBuckets }: Plan): void {
  if (steps.every(({ action }) => action === "keep")) console.log("nothing of the bundle is left to remove");
  printSteps(steps);
  for (const bucket of emptyBuckets) console.log(`remove bucket ${bucket} (empty)`);
}

function printSteps(steps: Step[]): void {
  const verbs: Record<Step["action"], string> = { hide: "hide  ", remove: "remove", keep: "keep  " };
  for (const { action, what, why } of steps) console.log(`${verbs[action]} ${what}${why ? ` (${why})` : ""}`);
}

/** Through the Storage API, which alone may. Nothing lands in them any more: they are hidden and locked. Whether any went. */
async function removeBuckets(environment: OperatorEnvironment, buckets: string[]): Promise<boolean> {
  if (buckets.length === 0) return false;
  if (!environment.get("SUPABASE_URL") || !environment.get("SUPABASE_SECRET_KEYS")) {
    console.log(
      `still there, hidden and locked: buckets ${
        buckets.join(", ")
      }. Give SUPABASE_URL and SUPABASE_SECRET_KEY, ` +
        "or delete them (Dashboard → Storage); then run this again, which removes what hides them too",
    );
    return false;
  }
  const { project } = connectProject(environment);
  let removed = false;
  for (const bucket of buckets) {
    const problem = await removeBucket(project, bucket);
    removed ||= problem === null;
    console.log(
      problem === null
        ? `removed bucket ${bucket}`
        : `bucket ${bucket} stays, hidden and locked: ${problem}; run this again to remove it`,
    );
  }
  return removed;
}

/** Null, or why it stays. */
async function removeBucket(project: Project, bucket: string): Promise<string | null> {
  try {
    const response = await fetch(`${project.url}/storage/v1/bucket/${bucket}`, {
      method: "DELETE",
      headers: authHeaders(project),
      signal: AbortSignal.timeout(30_000),
    });
    await response.body?.cancel();
    return response.ok ? null : `Storage answered ${response.status}`;
  } catch {
    return "Storage did not answer";
  }
}

/** What no SQL reaches. */
async function byHand(project: string): Promise<string> {
  const remote = `--remote=${/^[a-z]{20}$/.test(project) ? project : "YOUR_PROJECT"}`;
  const config = await Deno.readTextFile(new URL("supabase/config.toml", ROOT));
  const functions = Array.from(config.matchAll(/^\[functions\.([\w-]+)\]/gm), ([, name]) => name!);
  return [
    "  In Twilio's console, give the numbers another webhook, or messages are lost",
    "  with SUPABASE_ACCESS_TOKEN in the environment:",
    ...functions.map((name) => `  npx supabase functions delete ${name} ${remote}`),
    "  Keep ENCRYPTION_KEY_CURRENT and _PREVIOUS with the evidence: nobody can read its messages without them. Then",
    `  npx supabase secrets unset ${SECRET_NAMES.join(" ")} ${remote}`,
  ].join("\n");
}

await runCommand(uninstall);
