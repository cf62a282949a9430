/** What a live list of tickets is made of. */

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
  /** Null for sensitive tickets: their words are sealed. */
  description: string | null;
  created_at: string;
  updated_at: string;
  /** When the resident last wrote, and when staff last said that they had read it. */
  last_message_at: string | null;
  last_read_at: string | null;
}

export const TICKET_COLUMNS =
  "id, tenant_id, tracking_number, category, severity, status, is_sensitive, description, created_at, updated_at, last_message_at, last_read_at";

/** Which tickets a list holds. Row-level security narrows it further. */
export interface TicketFilter {
  status?: readonly string[];
  category?: readonly string[];
  severity?: readonly string[];
  /** Only sensitive tickets, or only ordinary ones. */
  sensitive?: boolean;
  /** ISO 8601: opened at this time or later. */
  since?: string;
  /** The tracking number, whole. */
  number?: string;
  /**
   * All of these words in number, description and messages; the last one may be only begun. A sensitive ticket is found by
   * its number alone: its words are sealed.
   */
  text?: string;
}

/** The part of the table that a list shows. It stays this long however many tickets the municipality has. */
export interface TicketWindow {
  filter?: TicketFilter;
  /** Newest first, by the last change (the default) or by when tickets were opened. */
  order?: "updated_at" | "created_at";
  /** Most rows; 50 unless given. */
  limit?: number;
}

/** What happened to the list. A ticket can also enter or leave because others did. */
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

/** A resident's message arrived. */
export interface MessageEvent {
  message_sid: string;
  ticket_id: string | null;
  kind: string;
  municipality_id: string;
}

/**
 * `connecting` until the first list is there; `live`; `catching_up` after an interruption, until the list equals the
 * table again; `offline` while there is no connection or nobody is signed in.
 */
export type ConnectionState = "connecting" | "live" | "catching_up" | "offline";

export interface TicketListeners {
  /** Once per change, with the list after it. The first rows arrive as INSERTs. */
  onChange?(changes: TicketChange[], tickets: Ticket[]): void;
  onState?(state: ConnectionState): void;
  /** Something of a ticket changed, whether or not the list shows it; without an id: of many tickets. */
  onTouch?(ticketId?: string): void;
  onMedia?(event: MediaEvent): void;
  onMessage?(event: MessageEvent): void;
  /** A backend's own event (`publish_municipality_event`). */
  onEvent?(event: Record<string, unknown>): void;
  /** What is being retried already, for a log; or a refusal, after which the state stays `offline`. */
  onError?(error: Error): void;
}

export interface TicketSubscription {
  /** The list in its order. Empty once the user has signed out. */
  readonly tickets: Ticket[];
  /** The table holds more tickets for this window than its limit. */
  readonly hasMore: boolean;
  readonly state: ConnectionState;
  /** How often the window was read as a whole; the first time counts. */
  readonly fetches: number;
  /** Shows another part of the table on the same connection. */
  show(window: TicketWindow): void;
  /** Leaves the channels and stops every timer. */
  close(): Promise<void>;
}
