/**
 * Every failure, once: what an answer's error code means, and why a file was not taken in. Errors, the tables of
 * docs/errors.md and a dashboard's words follow from here.
 */

interface AnswerCode {
  /** HTTP status. */
  status: number;
  /** What the caller is told unless there is more to say. */
  message: string;
  /** For docs/errors.md. */
  when: string;
}

/** Codes that an answer can carry. */
export const CODES = {
  invalid_request: {
    status: 400,
    message: "The request is not valid.",
    when: "the body does not match the contract; `details` says where",
  },
  unauthorized: {
    status: 401,
    message: "Sign in: a valid access token of a user is needed.",
    when:
      "no token, or one that is expired, forged, of another project, or no user's; for the worker: no key",
  },
  forbidden: {
    status: 403,
    message: "You may not do this.",
    when: "the user has no municipality, or their role may not; for Twilio: another account's message",
  },
  invalid_signature: {
    status: 403,
    message: "The signature is not Twilio's.",
    when: "Twilio did not sign the webhook for this URL",
  },
  not_found: {
    status: 404,
    message: "Not found.",
    when: "no such ticket, message, file or number, or the caller may not see it: the two look the same",
  },
  method_not_allowed: { status: 405, message: "Use POST.", when: "anything but POST and OPTIONS" },
  payload_too_large: {
    status: 413,
    message: "The file is too large.",
    when: "the file is over its bucket's limit, or the body over 128 KiB",
  },
  unsupported_media_type: {
    status: 415,
    message: "Files of this type are not accepted.",
    when: "the bucket does not accept the type; for Twilio: a body that is not form-encoded",
  },
  internal: {
    status: 500,
    message: "Something went wrong.",
    when: "our fault, or the database's; see the request's id in the log",
  },
  storage_unavailable: {
    status: 502,
    message: "Storage did not answer. Try again.",
    when: "Storage did not answer",
  },
  not_configured: {
    status: 503,
    message: "This function is not configured.",
    when: "a secret is missing; the log names it",
  },
  storage_not_configured: {
    status: 503,
    message: "Storage is not configured.",
    when: "Supabase's own URL, keys or our buckets are missing",
  },
} as const satisfies Record<string, AnswerCode>;

export type ErrorCode = keyof typeof CODES;

/** Whether a text is one of the codes above (the database raises them as its messages). */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(CODES, text);
}

interface FileReason {
  /** For docs/errors.md. */
  means: string;
  /** Whether another try can help. `done`: the file is stored, this is a warning. */
  retry: "yes" | "no" | "done";
  /** For people who look at the file. */
  says: string;
  /** The same of a file that is stored nevertheless. */
  warns?: string;
}

/** Why a file was not taken in, or what is wrong with one that was: `media_attachments.last_error`. */
export const REASONS = {
  media_not_found: {
    means: "Twilio answers 404: not there yet, or deleted",
    retry: "yes",
    says: "WhatsApp’s provider does not have it, or not yet.",
  },
  media_missing: {
    means: "the message named a file without an address, or with one that is not Twilio's",
    retry: "no",
    says: "WhatsApp’s provider gave no file.",
  },
  media_refused: {
    means: "Twilio refused our credentials, or redirected to a host that is not its own",
    retry: "yes",
    says: "WhatsApp’s provider did not let us fetch it.",
  },
  media_unavailable: {
    means: "Twilio did not answer, or the connection broke",
    retry: "yes",
    says: "WhatsApp’s provider could not be reached.",
  },
  length_mismatch: {
    means: "fewer or more bytes came than announced, or none",
    retry: "yes",
    says: "It arrived incomplete.",
  },
  storage_unavailable: {
    means: "Storage did not answer",
    retry: "yes",
    says: "Our storage could not be reached.",
  },
  storage_refused: { means: "Storage said no", retry: "yes", says: "Our storage did not take it." },
  already_stored: {
    means: "another file has its place: needs investigation",
    retry: "yes",
    says: "Another file has its place. Please tell your administrator.",
    warns: "Warning: Another file has its place. Please tell your administrator.",
  },
  hash_mismatch: {
    means: "the stored bytes are not those received: needs investigation",
    retry: "yes",
    says: "The stored file is not what was sent. Please tell your administrator.",
    warns: "Warning: The stored file is not what was sent. Please tell your administrator.",
  },
  internal: {
    means: "our fault; the log has more",
    retry: "yes",
    says: "Something went wrong on our side.",
  },
  declared_hash_differs: {
    means: "stored and hashed, but the browser announced another SHA-256: ask the uploader",
    retry: "done",
    says: "This is not the file that the browser announced.",
    warns: "Warning: this is not the file that the browser announced. Ask the uploader.",
  },
  deleted: {
    means: "a stored file that was deleted with the service key (`failed`); its record stays",
    retry: "no",
    says: "It was stored, and has been deleted since.",
  },
  never_came: {
    means: "an upload was announced, and nothing came within 24 hours (`expired`)",
    retry: "no",
    says: "It was announced, but the upload never came.",
  },
  payload_too_large: {
    means: "over 16 MiB, or over the bucket's limit",
    retry: "no",
    says: "It is too large.",
  },
  type_mismatch: {
    means: "stored; its bytes are not of the declared type",
    retry: "done",
    says: "It is not the kind of file it claims to be.",
    warns: "Warning: it is not the kind of file it claims to be. Take care when you open it.",
  },
  unsupported_media_type: {
    means: "from a resident, of an unknown type: kept as received, only served as a download",
    retry: "done",
    says: "This kind of file is not accepted.",
    warns: "Warning: this kind of file is unknown, and was not checked. Take care when you open it.",
  },
} as const satisfies Record<string, FileReason>;

export type Reason = keyof typeof REASONS;
