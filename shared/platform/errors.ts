import { CODES, type ErrorCode, type Reason, REASONS } from "../failures.ts";

/** What is wrong with one part of the input: where (`files.3.path`) and why. */
export interface ErrorDetail {
  path: string;
  message: string;
}

interface Options {
  details?: ErrorDetail[];
  /** For the log: a variable's name, a table, a host; never a body, number, token or URL. */
  log?: string;
  cause?: unknown;
}

/** An error with a stable code of shared/failures.ts. `message` and `details` reach the caller; `cause` and `log` only the log. */
export class ServiceError extends Error {
  override name = "ServiceError";
  readonly details?: ErrorDetail[];
  readonly log?: string;

  constructor(readonly code: ErrorCode, message: string = CODES[code].message, options: Options = {}) {
    super(message, { cause: options.cause });
    this.details = options.details;
    this.log = options.log;
  }

  get status(): number {
    return CODES[this.code].status;
  }
}

/** The error of a code, in the catalogue's words. */
export function failure(code: ErrorCode, options?: Options): ServiceError {
  return new ServiceError(code, CODES[code].message, options);
}

/** Why a file was not taken in. `reason` is stable and finer than `code`, which is what a caller is told. */
export class FileError extends ServiceError {
  override name = "FileError";

  constructor(code: ErrorCode, message: string, readonly reason: Reason, options: Options = {}) {
    super(code, message, { log: reason, ...options });
  }

  /** Whether trying again cannot help: the bytes themselves are at fault. */
  get final(): boolean {
    return REASONS[this.reason].retry === "no";
  }
}

/** A failure of the storage module. */
export class StorageServiceError extends FileError {
  override name = "StorageServiceError";
}

/** A failure to get a file from Twilio. */
export class TwilioError extends FileError {
  override name = "TwilioError";
}
