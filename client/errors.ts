/** What the functions and Storage refuse, as one kind of error with a stable code. */
import type { ErrorResponse } from "./contracts.ts";

/** `code` is one of docs/errors.md, or `unreachable` when no answer came. */
export class EvidenceError extends Error {
  override name: string = "EvidenceError";

  constructor(
    readonly code: string,
    message: string,
    readonly details: { path: string; message: string }[] = [],
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** What `functions.invoke` failed with. Its `context` is the answer, or what fetch threw. */
export async function ofFunction(error: unknown): Promise<EvidenceError> {
  const answer = (error as { context?: unknown }).context;
  if (!(answer instanceof Response)) {
    return new EvidenceError("unreachable", "The service could not be reached", [], { cause: error });
  }
  const body: Partial<ErrorResponse> = await answer.json().catch(() => ({}));
  const { code = "internal", message = `HTTP status ${answer.status}`, details } = body.error ?? {};
  return new EvidenceError(code, message, details, { cause: error });
}

const CODES: Record<string, string> = {
  "400": "invalid_request",
  "401": "unauthorized",
  "403": "forbidden",
  "404": "not_found",
  "409": "invalid_request", // the place is taken: it was asked for and used before
  "413": "payload_too_large",
  "415": "unsupported_media_type",
};

/** Storage's answer: nearly always HTTP status 400, and the true one in its body. */
export function ofStorage(status: number, text: string): EvidenceError {
  let body: { statusCode?: unknown; message?: unknown } = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A gateway's error page.
  }
  const trueStatus = String(body.statusCode ?? status);
  const message = typeof body.message === "string" ? body.message : `HTTP status ${status}`;
  return new EvidenceError(CODES[trueStatus] ?? "storage_unavailable", message);
}
