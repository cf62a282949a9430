/** What a dashboard imports. Runs in browsers, Deno and Node 22; needs @supabase/supabase-js and zod. */
export type { Database } from "../shared/database.types.ts";
export { EvidenceError } from "./errors.ts";
export { subscribeToTickets } from "./tickets.ts";
export * from "./types.ts";
export { type UploadedFile, uploadEvidence, type UploadOptions } from "./upload.ts";
export { signedUrls, type SigningOptions } from "./urls.ts";
export {
  Bucket,
  type ErrorResponse,
  FileReference,
  Purpose,
  type SignedUrl,
  type SignedUrlRefusal,
} from "../shared/contracts.ts";
