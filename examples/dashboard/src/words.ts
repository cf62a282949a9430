/** What the database's and the functions' words are called on the page. */
import type { ConnectionState } from "../../../client/mod.ts";
import { REASONS } from "../../../shared/failures.ts";

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

/** Codes of the functions' refusals (docs/errors.md), as far as a user can do something about them. */
const REFUSAL: Record<string, string> = {
  invalid_request: "This file cannot be uploaded: its name or type is not understood, or it is empty.",
  unauthorized: "Your session has ended. Please sign in again.",
  forbidden: "Your role may not upload this here.",
  not_found: "The ticket is no longer there for you.",
  unreachable: "The server could not be reached. Please try again.",
};

const reasons: Record<string, { says: string; warns?: string; retry: string }> = REASONS;

const known = (words: Record<string, string>, value: string | null) =>
  value === null ? "–" : words[value] ?? value;

export const statusText = (value: string) => known(STATUS, value);
export const categoryText = (value: string | null) => known(CATEGORY, value);
export const severityText = (value: string | null) => known(SEVERITY, value);
export const reasonText = (code: string | null) => reasons[code ?? ""]?.says ?? "The reason is not known.";
export const warningText = (code: string | null) => reasons[code ?? ""]?.warns ?? "";
/** Whether another try can give another outcome. */
export const canBeRetried = (code: string | null) => reasons[code ?? ""]?.retry !== "no";
export const refusalText = (code: string) =>
  REFUSAL[code] ?? reasons[code]?.says ?? "It did not work. Please try again.";

const thisYear: Intl.DateTimeFormatOptions = {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "Africa/Johannesburg",
};
const time = new Intl.DateTimeFormat("en-ZA", thisYear);
const timeWithYear = new Intl.DateTimeFormat("en-ZA", { ...thisYear, year: "numeric" });
const year = new Intl.DateTimeFormat("en-ZA", { year: "numeric", timeZone: "Africa/Johannesburg" });
const yearOf = (date: Date) => year.format(date);

/** In South African time wherever it is read. */
export function timeText(iso: string): string {
  const date = new Date(iso);
  return (yearOf(date) === yearOf(new Date()) ? time : timeWithYear).format(date);
}

export function sizeText(bytes: number | null): string {
  if (bytes === null) return "";
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
