/** Errors as PostgREST answers them. */
import { json } from "./json.ts";
interface PostgresError extends Error {
  code: string;
  detail?: string;
  hint?: string;
}

/** An error that Postgres itself answered, with its SQLSTATE. */
export function isPostgresError(error: unknown): error is PostgresError {
  return error instanceof Error && "code" in error && /^[0-9A-Z]{5}$/.test(String(error.code));
}

/** An error of the connection to Postgres. */
export function isConnectionError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^E?CONN/.test(String(error.code));
}

/** PostgREST's answer to an error. */
export function refuseWith(error: unknown, role: string): Response {
  if (isPostgresError(error)) {
    return refuse(statusOf(error, role), error.code, error.message, error.detail ?? null, error.hint ?? null);
  }
  console.error("rest:", error);
  return refuse(503, "PGRST000", "Database connection error. Retrying the connection.");
}

/** PostgREST's table of SQLSTATEs; the first prefix that fits. */
const statuses: Record<string, number> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "21000": 500,
  "23503": 409,
  "23505": 409,
  "25006": 405,
  "25": 500,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "42883": 404,
  "42P01": 404,
  "42P17": 500,
  "53400": 500,
  "53": 503,
  "54": 500,
  "55": 500,
  "57P01": 503,
  "57": 500,
  "58": 500,
  "F0": 500,
  "HV": 500,
  "P0001": 400,
  "P0": 500,
  "XX": 500,
};

function statusOf({ code, message }: PostgresError, role: string): number {
  if (code === "42501") return role === "anon" ? 401 : 403;
  if (code === "21000" && message.endsWith("requires a WHERE clause")) return 400;
  // A function's own choice: raise sqlstate 'PT404'.
  if (/^PT[2-5]\d\d$/.test(code)) return Number(code.slice(2));
  return statuses[code] ?? statuses[code.slice(0, 2)] ?? (code.startsWith("PT") ? 500 : 400);
}

/** An error as PostgREST renders it. */
export function refuse(
  status: number,
  code: string,
  message: string,
  details: string | null = null,
  hint: string | null = null,
): Response {
  const headers = status === 401 ? { "www-authenticate": "Bearer" } : undefined;
  return json({ code, details, hint, message }, { status, headers });
}
