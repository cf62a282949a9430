/** What an operator's commands share: the project they are for, arguments, and errors that say what to do next. */
import { PostgrestClient } from "@supabase/postgrest-js";
import { authHeaders, type Environment, type Project } from "../platform/environment.ts";

/** Ends a command with a message for the operator. */
export class UsageError extends Error {}

/** The environment of a command: as a function's, with SUPABASE_SECRET_KEY for the one key that an operator has. */
export function operatorEnvironment(base: Environment = Deno.env): Environment {
  const key = base.get("SUPABASE_SECRET_KEY");
  return {
    get: (name) =>
      base.get(name) ??
        (name === "SUPABASE_SECRET_KEYS" && key ? JSON.stringify({ default: key }) : undefined),
  };
}

/** The variable's value. Throws UsageError, saying where it comes from. */
export function needed(environment: Environment, name: string, where: string): string {
  const value = environment.get(name);
  if (!value) throw new UsageError(`${name} is not set: ${where}.`);
  return value;
}

/** The project with its secret key, and its tables. */
export function connectProject(environment: Environment): { project: Project; tables: PostgrestClient } {
  const where = "Dashboard → Project Settings → API keys; or run this by `npm run local -- …`";
  const url = needed(environment, "SUPABASE_URL", where).replace(/\/+$/, "");
  const project = { url, key: JSON.parse(needed(environment, "SUPABASE_SECRET_KEYS", where)).default };
  return { project, tables: new PostgrestClient(`${url}/rest/v1`, { headers: authHeaders(project) }) };
}

/** Runs a command; its errors are printed for people. Exit status: what it returns, or 2. */
export async function runCommand(command: (args: string[]) => Promise<number>): Promise<never> {
  try {
    Deno.exit(await command(Deno.args));
  } catch (error) {
    console.error(
      error instanceof UsageError ? error.message : `It did not work: ${(error as Error).message ?? error}`,
    );
    Deno.exit(2);
  }
}
