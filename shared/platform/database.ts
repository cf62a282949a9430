import { PostgrestClient } from "@supabase/postgrest-js";
import { authHeaders, type Project } from "./environment.ts";
import { isErrorCode, ServiceError } from "./errors.ts";
import { inTime } from "./in-time.ts";

/** Milliseconds a database call may take; Twilio waits 15 s for its answer, which takes two. */
const TIMEOUT_MS = 6_000;

/**
 * Calls a SQL function as a user (`token`) or, without one, as the project's key. One call is one transaction.
 *
 * Our functions raise a stable code as their message (`raise … message = 'not_found'`); it becomes that ServiceError.
 * A refusal by row-level security or a missing grant is `forbidden`; all else, an unreachable database too, `internal`.
 */
export async function rpc<Result>(
  project: Project,
  name: string,
  args: Record<string, unknown>,
  token?: string,
): Promise<Result> {
  const client = new PostgrestClient(`${project.url}/rest/v1`, { headers: authHeaders(project, token) });
  const { data, error } = await inTime(TIMEOUT_MS, (signal) => client.rpc(name, args).abortSignal(signal));
  if (!error) return data as Result;
  if (isErrorCode(error.message)) {
    const details = error.details ? [{ path: "", message: error.details }] : undefined;
    throw new ServiceError(error.message, MESSAGES[error.message] ?? "The request was refused.", {
      details,
      log: name,
    });
  }
  if (error.code === "42501") throw new ServiceError("forbidden", "You may not do this.", { log: name });
  throw new ServiceError("internal", "Something went wrong.", {
    log: `${name} ${error.code || "unreachable"}`,
  });
}

const MESSAGES: Partial<Record<string, string>> = {
  invalid_request: "The request is not valid.",
  forbidden: "You may not do this.",
  not_found: "Not found.",
  payload_too_large: "The file is too large.",
  unsupported_media_type: "Files of this type are not accepted.",
  storage_not_configured: "Storage is not configured.",
};
