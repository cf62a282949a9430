/**
 * What the functions answer, as zod schemas: for OpenAPI, for tests of real answers, and for a dashboard that wants to check
 * what it gets. contracts.ts exports their types alone, so that no function loads them.
 */
import * as z from "zod";
import { Bucket } from "./contracts.ts";

/** Where to upload: `supabase.storage.from(bucket).uploadToSignedUrl(path, token, file)`. */
export const UploadUrlResponse = z.object({
  bucket: Bucket,
  path: z.string(),
  file_id: z.guid(),
  token: z.string(),
  signed_url: z.url(),
  expires_at: z.iso.datetime(),
  max_bytes: z.int().positive(),
});
export type UploadUrlResponse = z.infer<typeof UploadUrlResponse>;

/** One file's URL, valid until `expires_at`. */
export const SignedUrl = z.object({
  bucket: Bucket,
  path: z.string(),
  file_id: z.guid(),
  signed_url: z.url(),
  expires_at: z.iso.datetime(),
});
export type SignedUrl = z.infer<typeof SignedUrl>;

/** In a batch: why there is no URL for one file. Not found and not allowed look the same. */
export const SignedUrlRefusal = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
});
export type SignedUrlRefusal = z.infer<typeof SignedUrlRefusal>;

/** One file asked for gives a SignedUrl; `files` gives them in the order asked. */
export const SignedUrlResponse = z.union([
  SignedUrl,
  z.object({ files: z.array(z.union([SignedUrl, SignedUrlRefusal])) }),
]);
export type SignedUrlResponse = z.infer<typeof SignedUrlResponse>;

/** One message, decrypted. */
export const OpenedMessage = z.object({
  message_sid: z.string(),
  received_at: z.string(),
  kind: z.string(),
  text: z.string(),
  place: z.object({ latitude: z.number(), longitude: z.number(), name: z.string().nullable() }).optional(),
  sender: z.string().optional(),
});
export type OpenedMessage = z.infer<typeof OpenedMessage>;

/** In the order in which they came. */
export const OpenReportResponse = z.object({ messages: z.array(OpenedMessage) });
export type OpenReportResponse = z.infer<typeof OpenReportResponse>;

/** A round of the media worker has begun. */
export const MediaWorkerAccepted = z.object({
  request_id: z.guid().describe("the round's, in the log"),
});

/** What a round of the media worker did, for a caller that waited. A failed job is due again, or failed for good. */
export const MediaWorkerResponse = z.object({
  done: z.int().nonnegative(),
  failed: z.int().nonnegative(),
});
export type MediaWorkerResponse = z.infer<typeof MediaWorkerResponse>;

/** Body of every answer that is not 2xx. */
export const ErrorResponse = z.object({
  error: z.object({
    code: z.string().describe("stable: compare this"),
    message: z.string().describe("for people; may change"),
    details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  }),
  request_id: z.guid().describe("as x-request-id"),
});
export type ErrorResponse = z.infer<typeof ErrorResponse>;
