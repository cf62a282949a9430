/** Every code an answer can carry, with its HTTP status. docs/errors.md says who returns which. */
export const STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  invalid_signature: 403,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  storage_unavailable: 502,
  not_configured: 503,
  storage_not_configured: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** Whether a text is one of the codes above (the database raises them as its messages). */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(STATUS, text);
}

/** What is wrong with one part of the input: where (`files.3.path`) and why. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** An error with a stable code. `message` and `details` reach the caller; `cause` and `log` only the log. */
export class ServiceError extends Error {
  override name = "ServiceError";
  readonly details?: ErrorDetail[];
  /** For the log: a variable's name, a table, a host; never a body, number, token or URL. */
  readonly log?: string;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { details?: ErrorDetail[]; log?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.details = options.details;
    this.log = options.log;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

/**
 * Why a medium was not taken in. Stays in `media_attachments.last_error`, where staff see it.
 * docs/errors.md says what each means and what to do.
 */
export const REASONS = [
  "already_stored",
  "hash_mismatch",
  "internal",
  "length_mismatch",
  "media_not_found",
  "media_refused",
  "media_unavailable",
  "payload_too_large",
  "storage_refused",
  "storage_unavailable",
  "type_mismatch",
  "unsupported_media_type",
] as const;

export type Reason = typeof REASONS[number];

/** A failure of the storage module. `reason` is stable and finer than `code`, which is what a caller is told. */
export class StorageServiceError extends ServiceError {
  override name = "StorageServiceError";

  constructor(
    code: ErrorCode,
    message: string,
    readonly reason: Reason,
    options: { log?: string; cause?: unknown } = {},
  ) {
    super(code, message, { log: reason, ...options });
  }

  /** Whether trying again cannot help: the bytes themselves are at fault. */
  get final(): boolean {
    return FINAL.has(this.reason);
  }
}

const FINAL: ReadonlySet<Reason> = new Set(["payload_too_large", "type_mismatch", "unsupported_media_type"]);
