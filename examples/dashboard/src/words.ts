/** What the database's and the functions' words are called on the page. */
import type { ConnectionState } from "../../../client/mod.ts";

export const STATUS: Record<string, string> = {
  open: "Open",
  in_progress: "In progress",
  escalated: "Escalated",
  resolved: "Resolved",
  closed: "Closed",
};

export const CATEGORY: Record<string, string> = {
  water: "Water",
  roads: "Roads",
  electricity: "Electricity",
  waste: "Waste",
  sanitation: "Sanitation",
  gbv: "GBV",
  other: "Other",
};

export const SEVERITY: Record<string, string> = {
  low: "Low",
  medium: "Medium",
  high: "High",
  critical: "Critical",
};

export const ROLE: Record<string, string> = {
  citizen: "Citizen",
  field_worker: "Field worker",
  ward_councillor: "Ward councillor",
  manager: "Manager",
  admin: "Admin",
  saps_liaison: "SAPS liaison",
};

export const PURPOSE = {
  "evidence": "Evidence",
  "documents": "Document",
  "proof_of_residence": "Proof of residence",
  "gbv-evidence": "GBV evidence",
};

export const CONNECTION: Record<ConnectionState, string> = {
  connecting: "Connecting…",
  live: "Live",
  catching_up: "Catching up…",
  offline: "Offline",
};

/** `media_attachments.last_error` (docs/errors.md). */
const REASON: Record<string, string> = {
  media_not_found: "WhatsApp’s provider does not have it, or not yet.",
  media_refused: "WhatsApp’s provider did not let us fetch it.",
  media_unavailable: "WhatsApp’s provider could not be reached.",
  length_mismatch: "It arrived incomplete.",
  storage_unavailable: "Our storage could not be reached.",
  storage_refused: "Our storage did not take it.",
  already_stored: "Another file lies in its place. Please tell your administrator.",
  hash_mismatch: "The stored file is not what was sent. Please tell your administrator.",
  internal: "Something went wrong on our side.",
  deleted: "It was stored, and has been deleted since.",
  never_came: "It was announced, but the upload never came.",
  payload_too_large: "It is too large.",
  type_mismatch: "It is not the kind of file it claims to be.",
  unsupported_media_type: "This kind of file is not accepted.",
};

/** The same of a file that is stored nevertheless. */
const WARNING: Record<string, string> = {
  declared_hash_differs: "Warning: this is not the file that its browser announced. Ask who uploaded it.",
  type_mismatch: "Warning: it is not the kind of file it claims to be. Take care when you open it.",
  already_stored: `Warning: ${REASON.already_stored}`,
  hash_mismatch: `Warning: ${REASON.hash_mismatch}`,
};

/** Codes of the functions' refusals (docs/errors.md), as far as a user can do something about them. */
const REFUSAL: Record<string, string> = {
  ...REASON,
  invalid_request: "This file cannot be uploaded: its name or type is not understood, or it is empty.",
  unauthorized: "Your session has ended. Please sign in again.",
  forbidden: "Your role may not upload this here.",
  not_found: "The ticket is no longer there for you.",
  unreachable: "The server could not be reached. Please try again.",
};

const known = (words: Record<string, string>, value: string | null) =>
  value === null ? "–" : words[value] ?? value;

export const statusText = (value: string) => known(STATUS, value);
export const categoryText = (value: string | null) => known(CATEGORY, value);
export const severityText = (value: string | null) => known(SEVERITY, value);
export const reasonText = (code: string | null) => REASON[code ?? ""] ?? "The reason is not known.";
export const warningText = (code: string | null) => WARNING[code ?? ""] ?? "";
export const refusalText = (code: string) => REFUSAL[code] ?? "It did not work. Please try again.";

const thisYear: Intl.DateTimeFormatOptions = {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
};
const time = new Intl.DateTimeFormat("en-ZA", thisYear);
const timeWithYear = new Intl.DateTimeFormat("en-ZA", { ...thisYear, year: "numeric" });
export function timeText(iso: string): string {
  const date = new Date(iso);
  return (date.getFullYear() === new Date().getFullYear() ? time : timeWithYear).format(date);
}

export function sizeText(bytes: number | null): string {
  if (bytes === null) return "";
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
