// Takes the bundle off a project's database, evidence and what proves it excepted (docs/adopt.md):
// npm run uninstall -- [--dry-run] [--yes] [--db-url URL]
// Without --db-url, SUPABASE_DB_URL. All of it is one transaction. Exit status: 0 done, 2 it did not work.
import { retry } from "deno-std/async/retry.js";
import postgres from "postgres";
import { authHeaders } from "../platform/environment.ts";
import { SECRET_NAMES } from "./deploy/settings.ts";
import { connectProject, operatorEnvironment, runCommand, UsageError } from "./project.ts";
import { type Plan, planUninstall, type Step } from "./uninstall/plan.ts";

const USAGE = "npm run uninstall -- [--dry-run] [--yes] [--db-url URL]    (URL else from SUPABASE_DB_URL)";
const ROOT = new URL("../../", import.meta.url);
const LOCKED = ["public.tickets", "storage.objects", "realtime.messages"];

/** The command. */
async function uninstall(args: string[]): Promise<number> {
  const { url, dryRun, yes } = parse(args);
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 15 });
  try {
    const project = projectName(url);
    if (dryRun) {
      const plan = await sql.begin("read only", planUninstall) as Plan;
      print(plan);
      console.log(`nothing was changed in ${project}. The same without --dry-run does it`);
      return 0;
    }
    if (!yes) confirmByName(project);
    const plan = await execute(sql);
    print(plan);
    await removeBuckets(plan.emptyBuckets);
    console.log(`done in ${project}. Left to do by hand:`);
    console.log(await byHand());
    return 0;
  } catch (error) {
    throw explained(error);
  } finally {
    await sql.end();
  }
}

interface Arguments {
  url: string;
  dryRun: boolean;
  yes: boolean;
}

function parse(args: string[]): Arguments {
  const parsed: Arguments = { url: Deno.env.get("SUPABASE_DB_URL") ?? "", dryRun: false, yes: false };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--dry-run") parsed.dryRun = true;
    else if (arg === "--yes") parsed.yes = true;
    else if (arg === "--db-url" && rest.length) parsed.url = rest.shift()!;
    else throw new UsageError(USAGE);
  }
  if (!/^postgres(ql)?:\/\//.test(parsed.url)) {
    throw new UsageError(
      `${USAGE}\nThe URL is like postgresql://…: Dashboard → Connect → Session pooler; or run this by \`npm run local -- …\`.`,
    );
  }
  return parsed;
}

/** The project's ref where the URL has one, else its host. */
function projectName(url: string): string {
  const { hostname, username } = new URL(url);
  return /^postgres\.([a-z]{20})$/.exec(username)?.[1] ?? /^db\.([a-z]{20})\./.exec(hostname)?.[1] ??
    hostname;
}

function confirmByName(project: string): void {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(
      "Nobody is here to be asked: say --yes to mean it, or --dry-run to see what it would do.",
    );
  }
  if (prompt(`This removes the bundle from ${project}. Type the project's name to go on:`) !== project) {
    throw new UsageError("That is not its name. Nothing was changed.");
  }
}

/** Plans and does it in one transaction, which holds what it looks at, so that nothing arrives in between. */
async function execute(sql: postgres.Sql): Promise<Plan> {
  return await retry(() =>
    sql.begin(async (tx) => {
      await tx`set local lock_timeout = '500ms'`;
      const present = await tx`
        select to_regclass(name)::text as name from unnest(${LOCKED}::text[]) as name where to_regclass(name) is not null`;
      await tx.unsafe(
        `lock table ${present.map(({ name }) => `only ${name}`).join(", ")} in access exclusive mode`,
      );
      const plan = await planUninstall(tx);
      for (const { what, statements } of plan.steps) {
        for (const statement of statements) {
          try {
            await tx.unsafe(statement);
          } catch (error) {
            throw Object.assign(error as Error, { step: what });
          }
        }
      }
      return plan;
    }) as Promise<Plan>, {
    maxAttempts: 10,
    minTimeout: 500,
    maxTimeout: 1000,
    isRetriable: (error: unknown) => (error as { code?: string }).code === "55P03",
  });
}

/** An error of Postgres with what it was about, and what to do next. */
function explained(error: unknown): unknown {
  const cause = (error as { cause?: unknown }).cause ?? error;
  if (!(cause instanceof postgres.PostgresError)) return error;
  const { code, message, detail, step } = cause as postgres.PostgresError & { step?: string };
  const about = `${step ? `${step}: ` : ""}${message}${detail ? ` (${detail})` : ""}. Nothing was changed.`;
  switch (code) {
    case "55P03":
      return new UsageError(
        `${about} A long transaction holds tickets, files or messages: try again when it has ended.`,
      );
    case "2BP01":
      return new UsageError(`${about} Something of your own uses it: change that first, then try again.`);
    default:
      return new UsageError(about);
  }
}

function print({ steps, emptyBuckets }: Plan): void {
  const verbs: Record<Step["action"], string> = { hide: "hide  ", remove: "remove", keep: "keep  " };
  if (steps.every(({ action }) => action === "keep")) console.log("nothing of the bundle is left to remove");
  for (const { action, what, why } of steps) console.log(`${verbs[action]} ${what}${why ? ` (${why})` : ""}`);
  for (const bucket of emptyBuckets) console.log(`remove bucket ${bucket} (empty)`);
}

/** Through the Storage API, which alone may; one that was filled in the meantime stays. */
async function removeBuckets(buckets: string[]): Promise<void> {
  if (buckets.length === 0) return;
  const environment = operatorEnvironment();
  if (!environment.get("SUPABASE_URL") || !environment.get("SUPABASE_SECRET_KEYS")) {
    console.log(
      `buckets ${buckets.join(", ")} are still there: Dashboard → Storage → delete bucket; ` +
        "or give SUPABASE_URL and SUPABASE_SECRET_KEY and run this again",
    );
    return;
  }
  const { project } = connectProject(environment);
  for (const bucket of buckets) {
    const response = await fetch(`${project.url}/storage/v1/bucket/${bucket}`, {
      method: "DELETE",
      headers: authHeaders(project),
      signal: AbortSignal.timeout(30_000),
    });
    await response.body?.cancel();
    console.log(
      response.ok
        ? `removed bucket ${bucket}`
        : `bucket ${bucket} stays: Storage answered ${response.status}`,
    );
  }
}

/** What no SQL reaches. */
async function byHand(): Promise<string> {
  const config = await Deno.readTextFile(new URL("supabase/config.toml", ROOT));
  const functions = Array.from(config.matchAll(/^\[functions\.([\w-]+)\]/gm), ([, name]) => name!);
  return [
    "  Twilio's console: give the numbers another webhook, or messages are lost",
    ...functions.map((name) => `  npx supabase functions delete ${name}`),
    "  ENCRYPTION_KEY_CURRENT and _PREVIOUS: keep a copy with the evidence, whose messages nobody reads without them; then",
    `  npx supabase secrets unset ${SECRET_NAMES.join(" ")}`,
  ].join("\n");
}

await runCommand(uninstall);
