/** What custody_certificate returns, in words that a court can read. */
import { reasonText, ROLE } from "./words.ts";

export interface CustodyRecord {
  /** Its place in the log. */
  seq: number;
  event: string;
  recorded_at: string;
  user_id: string | null;
  user_role: string | null;
  details: Record<string, string | number | boolean>;
  hash: string;
}

export interface Certificate {
  wording: { purpose: string; declaration: string };
  file: {
    file_id: string;
    filename: string;
    sha256: string | null;
    declared_sha256: string | null;
    file_size: number;
    content_type: string;
    bucket: string;
    path: string;
    source: string;
    message_sid: string | null;
    media_index: number | null;
    received_at: string | null;
    stored_at: string | null;
  };
  municipality: { name: string };
  tracking_number: string | null;
  records: CustodyRecord[];
  log: { size: number; root: string; intact: boolean; first_fault: Fault | null; audited_at: string | null };
  checkpoint:
    | { size: number; created_at: string; timestamps: { authority: string; stamped_at: string }[] }
    | null;
  issued_at: string;
  issued_by: { user_id: string; role: string; name: string | null; office: string | null };
}

export interface Fault {
  seq: number | null;
  problem: string;
}

const EVENT: Record<string, string> = {
  received: "Received",
  stored: "Stored",
  hashed: "SHA-256 computed",
  moved: "Moved",
  url_signed: "Access given",
  certified: "Certificate issued",
  bundled: "Handed out in a court bundle",
  failed: "Not taken in",
  retried: "Another try asked for",
  deleted: "Deleted",
};
export const eventText = (event: string) => EVENT[event] ?? event;

export const whoText = (role: string | null) => role === null ? "User" : ROLE[role] ?? role;

/** What a record adds to its event. */
export function detailsText({ event, details: of }: CustodyRecord): string {
  switch (event) {
    case "received":
      return of.source === "whatsapp"
        ? `By WhatsApp, message ${of.message_sid}, medium ${Number(of.media_index) + 1}`
        : `By upload, user ${of.uploaded_by ?? "not known"}`;
    case "stored":
      return `${bytesText(Number(of.file_size))}, in ${of.bucket}`;
    case "hashed":
      return [
        of.as_declared === true && "As the uploader’s browser announced it",
        of.as_declared === false && "Not what the uploader’s browser announced",
        !of.sniffed_type && `The bytes do not show the declared type ${of.content_type}`,
      ].filter(Boolean).join(". ");
    case "moved":
      return `From ${of.from} to ${of.bucket}, SHA-256 computed anew`;
    case "url_signed":
      return `Link valid for ${of.expires_in} seconds, request ${of.request_id ?? "not known"}`;
    case "failed":
      return `${reasonText(String(of.reason))} Tries: ${of.attempts}`;
    case "deleted":
      return `From ${of.bucket}`;
    default:
      return "";
  }
}

const number = new Intl.NumberFormat("en-ZA");
export const bytesText = (bytes: number) => `${number.format(bytes)} bytes`;

const time = new Intl.DateTimeFormat("en-ZA", {
  dateStyle: "long",
  timeStyle: "medium",
  timeZone: "Africa/Johannesburg",
});
const date = new Intl.DateTimeFormat("en-CA", { dateStyle: "short", timeZone: "Africa/Johannesburg" });
const clock = new Intl.DateTimeFormat("en-ZA", { timeStyle: "medium", timeZone: "Africa/Johannesburg" });

/** In South African time wherever it is read. */
export const longTime = (iso: string | null) => iso === null ? "Not recorded" : time.format(new Date(iso));
export const shortTime = (iso: string) => `${date.format(new Date(iso))} ${clock.format(new Date(iso))}`;
