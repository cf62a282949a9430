/** What a dashboard's live list is made of. Columns are those that ticket events carry, so the list equals the table. */

import type { SupabaseClient } from "@supabase/supabase-js";

/** A client of whatever generated types. */
// deno-lint-ignore no-explicit-any
export type AnyClient = SupabaseClient<any, any, any, any, any>;

/** One ticket, as `select(TICKET_COLUMNS)` gives it. Times are ISO 8601 as the database writes them. */
export interface Ticket {
  id: string;
  tenant_id: string;
  tracking_number: string | null;
  category: string | null;
  severity: string | null;
  status: string;
  is_sensitive: boolean;
  updated_at: string;
}

export const TICKET_COLUMNS =
  "id, tenant_id, tracking_number, category, severity, status, is_sensitive, updated_at";

/** What happened to the list: told once each, whichever way it was learnt. */
export interface TicketChange {
  type: "INSERT" | "UPDATE" | "DELETE";
  /** As it is now; for DELETE as it was last. */
  ticket: Ticket;
}

/** A file became stored or failed. */
export interface MediaEvent {
  ticket_id: string | null;
  file_id: string;
  status: "stored" | "failed";
  bucket: string;
  municipality_id: string;
}

/**
 * `connecting` until the first list is there; `live`; `catching_up` after an interruption, until the list equals the
 * table again; `offline` while there is no connection.
 */
export type ConnectionState = "connecting" | "live" | "catching_up" | "offline";

export interface TicketListeners {
  /** Once per change, with the list after it. The first list arrives as INSERTs in one call. */
  onChange?(changes: TicketChange[], tickets: Ticket[]): void;
  onState?(state: ConnectionState): void;
  onMedia?(event: MediaEvent): void;
  /** A backend's own event (`publish_municipality_event`). */
  onEvent?(event: Record<string, unknown>): void;
  /** What is being retried already, for a log; or a refusal, after which the state stays `offline`. */
  onError?(error: Error): void;
}

export interface TicketSubscription {
  /** The list, newest change first. */
  readonly tickets: Ticket[];
  readonly state: ConnectionState;
  /** Whole lists fetched so far; the first counts. */
  readonly fetches: number;
  /** Leaves the channels and stops every timer. */
  close(): Promise<void>;
}
