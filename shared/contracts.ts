/**
 * What the functions take and give, for the functions themselves and for dashboards. Sizes are bytes, times ISO 8601
 * in UTC, durations seconds.
 */
import * as z from "zod/mini"; // a third of what zod itself takes to start

/** What a file is for; decides its bucket. */
export const Purpose = z.enum(["evidence", "documents", "proof_of_residence", "gbv-evidence"]);
export type Purpose = z.infer<typeof Purpose>;

export const Bucket = z.enum(["evidence", "documents", "gbv-evidence"]);
export type Bucket = z.infer<typeof Bucket>;

/**
 * Any Unicode name of 1 to 255 characters. A name, so no path separators and no control characters. Marks of direction, which make
 * a name look like another one and which phones put into theirs, are left out (withoutDirection).
 */
const Filename = z.string().check(
  z.minLength(1),
  z.maxLength(255),
  z.regex(
    // deno-lint-ignore no-control-regex
    /^[^/\\\u0000-\u001f\u007f-\u009f]+$/,
    "must be a name without / \\ or control characters",
  ),
  z.refine(
    (name) => name.isWellFormed() && name.trim() !== "" && name !== "." && name !== "..",
    "is no file name",
  ),
);

/** Up to 100 of them are signed in one call. */
export const MAX_FILES = 100;
/** Seconds: how long a signed URL is valid unless asked otherwise, the longest, and the longest for GBV evidence. */
export const DEFAULT_EXPIRES_IN = 3_600;
export const MAX_EXPIRES_IN = 86_400;
export const MAX_EXPIRES_IN_GBV = 900;

export const UploadUrlRequest = z.strictObject({
  purpose: Purpose,
  filename: Filename,
  /** As the file's `type`: other names of a type are known, and of an empty one the file's name tells. */
  content_type: z.string().check(
    z.maxLength(255),
    z.regex(
      /^([A-Za-z0-9.+-]+\/[A-Za-z0-9.+-]+(\s*;[ -~]*)?)?$/,
      "must be a media type, like image/jpeg, or empty",
    ),
  ),
  file_size: z.int().check(z.positive()),
  ticket_id: z.optional(z.guid()),
  /** Hex digest of the file, taken in the browser; compared with ours later. */
  sha256: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"))),
});
export type UploadUrlRequest = z.infer<typeof UploadUrlRequest>;

/** Any text that a database can hold. */
const Path = z.string().check(
  z.minLength(1),
  z.maxLength(1024),
  z.refine((path) => path.isWellFormed() && !path.includes("\0"), "is no path"),
);

const FileById = z.strictObject({ file_id: z.guid() });
const FileByPath = z.strictObject({ bucket: Bucket, path: Path });

const signing = {
  expires_in: z.optional(z.int().check(z.minimum(1), z.maximum(MAX_EXPIRES_IN))),
  /** Makes the URL a download: under the stored name (true) or a name given. */
  download: z.optional(z.union([z.boolean(), Filename])),
};

/** A file of ours, by its id or by its place. */
export const FileReference = z.union([FileById, FileByPath]);
export type FileReference = z.infer<typeof FileReference>;

export const SignedUrlRequest = z.union([
  z.extend(FileById, signing),
  z.extend(FileByPath, signing),
  z.strictObject({ files: z.array(FileReference).check(z.minLength(1), z.maxLength(MAX_FILES)), ...signing }),
]);
export type SignedUrlRequest = z.infer<typeof SignedUrlRequest>;

const MessageSid = z.string().check(z.regex(/^[A-Za-z]{2}[0-9a-fA-F]{32}$/, "must be a message's id"));

/** What to open: a ticket's messages, or those named. */
export const OpenReportRequest = z.strictObject({
  ticket_id: z.optional(z.guid()),
  message_sids: z.optional(z.array(MessageSid).check(z.minLength(1), z.maxLength(100))),
  include_sender: z.optional(z.boolean()),
}).check(
  z.refine(
    ({ ticket_id, message_sids }) => (ticket_id === undefined) !== (message_sids === undefined),
    "ticket_id or message_sids",
  ),
);
export type OpenReportRequest = z.infer<typeof OpenReportRequest>;

export type {
  ErrorResponse,
  MediaWorkerResponse,
  OpenedMessage,
  OpenReportResponse,
  SignedUrl,
  SignedUrlRefusal,
  SignedUrlResponse,
  UploadUrlResponse,
} from "./responses.ts";
