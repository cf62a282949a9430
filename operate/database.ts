/** The project's database, as the operator's commands reach it. */
import postgres from "postgres";
import { needed, type OperatorEnvironment, UsageError } from "./project.ts";

/** Milliseconds for login and a first query. */
const DEADLINE = 30_000;

/**
 * What is wrong with the database's URL, if anything, for a sentence that begins with its name. It never quotes the
 * URL, which has a password in it.
 */
export function databaseUrlProblem(text: string): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(text)) return "must begin with postgresql://";
  const url = URL.parse(text);
  const parts = url && [url.username, url.password, url.pathname];
  // an @ after the host: a / ? or # of the password has ended the host before
  if (!parts?.every(decodes) || `${url!.pathname}${url!.search}${url!.hash}`.includes("@")) {
    return "is not a URL: %-encode the password (/ is %2F, ? is %3F, # is %23, % is %25)";
  }
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Reference of the project whose database it is, where the URL has it. */
export function databaseProject(text: string): string | undefined {
  const url = URL.parse(text);
  return /^postgres\.([a-z]{20})$/.exec(url?.username ?? "")?.[1] ??
    /^db\.([a-z]{20})\./.exec(url?.hostname ?? "")?.[1];
}

/** Throws UsageError where the project's URL and the database's name two projects. */
export function refuseTwoProjects(url: string, databaseUrl: string): void {
  const project = /^https:\/\/([a-z]{20})\.supabase\.co\/*$/.exec(url)?.[1];
  const other = databaseProject(databaseUrl);
  if (project && other && project !== other) {
    throw new UsageError(
      `SUPABASE_URL is of project ${project}, the database of ${other}: give both from one file, --env-file FILE.`,
    );
  }
}

/** The database's URL: the one given by --db-url, else SUPABASE_DB_URL. Throws UsageError where it is missing or malformed. */
export function databaseUrl(environment: OperatorEnvironment, given?: string): string {
  const where = "Dashboard → Connect → Session pooler; or run this by `npm run local -- …`";
  const url = given ?? needed(environment, "SUPABASE_DB_URL", where);
  const problem = databaseUrlProblem(url);
  if (problem) throw new UsageError(`${given ? "--db-url" : "SUPABASE_DB_URL"} ${problem}.`);
  refuseTwoProjects(environment.get("SUPABASE_URL") ?? "", url);
  return url;
}

/** Connects at the first query, with TLS except to this machine. `url` has passed databaseUrlProblem. */
export function connectDatabase(
  url: string,
  options: { max?: number; prepare?: boolean } = {},
): postgres.Sql {
  return postgres(url, {
    max: 1,
    ...options,
    ssl: tls(new URL(url)),
    connect_timeout: 20,
    onnotice: () => {},
  });
}

function tls({ hostname, searchParams }: URL): false | "require" | "verify-full" {
  if (isLoopback(hostname)) return false;
  // verified only where asked for: Supabase's databases have certificates of its own authority
  return searchParams.get("sslmode")?.startsWith("verify-") ? "verify-full" : "require";
}

/** Throws UsageError where the database does not answer within so many milliseconds. */
export async function databaseAnswers(sql: postgres.Sql, deadline = DEADLINE): Promise<void> {
  const timeout = Promise.withResolvers<never>();
  // a server that hangs up during login is tried again without end
  const timer = setTimeout(
    () => timeout.reject(Object.assign(new Error(), { code: `nothing in ${deadline / 1000} s` })),
    deadline,
  );
  try {
    await Promise.race([sql`select 1`, timeout.promise]);
  } catch (error) {
    const { code, name } = error as { code?: string; name: string };
    throw new UsageError(
      code === "28P01"
        ? "The database refused the password in SUPABASE_DB_URL (Dashboard → Project Settings → Database → Reset)."
        : `The database of SUPABASE_DB_URL does not answer (${
          code ?? name
        }). The direct address needs IPv6; take ` +
          "the one of the session pooler: Dashboard → Connect.",
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Whether it is this machine. */
export function isLoopback(hostname: string): boolean {
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
}
