/** What a dashboard imports. Runs in browsers, Deno and Node 22; needs @supabase/supabase-js. */
export type { Database } from "../shared/database.types.ts";
export type {
  Bucket,
  ErrorResponse,
  FileReference,
  Purpose,
  SignedUrl,
  SignedUrlRefusal,
} from "./contracts.ts";
export { type Copies, findCopies, type StoredCopy } from "./copies.ts";
export { type TicketCount, ticketCounts } from "./counts.ts";
export { EvidenceError } from "./errors.ts";
export { type OpenedMessage, openReport } from "./report.ts";
export { listTickets, type Page, type PageOptions, type Place } from "./pages.ts";
export { type Message, readTicket, type TicketDetails, type TicketFile } from "./ticket.ts";
export { subscribeToTickets } from "./tickets.ts";
export * from "./types.ts";
export { type UploadedFile, uploadEvidence, type UploadOptions } from "./upload.ts";
export { signedUrls, type SigningOptions } from "./urls.ts";
