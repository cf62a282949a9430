/** Tickets by their words. Sent as a body, never in an address: those stand in the logs of whatever lies between. */
import type { AnyClient, Ticket, TicketFilter } from "./types.ts";

export interface SearchOptions {
  /** `text` is not looked at: the words are given. */
  filter?: TicketFilter;
  order?: "updated_at" | "created_at";
  /** Rows of a page: 50 unless given, at most 100. */
  limit?: number;
  /** Where the page before ended: its `next`. */
  after?: Place | null;
  /** Only among these, at most 1,000. */
  ids?: readonly string[];
  signal?: AbortSignal;
}

/** Where a page ended. */
export interface Place {
  time: string | null;
  id: string;
}

export interface Found {
  /** Newest first. A page may be short, or empty, before the last one. */
  tickets: Ticket[];
  /** Null after the last page. */
  next: Place | null;
}

/**
 * Tickets with all these words in number, description and messages; the last word may be only begun. A sensitive ticket is
 * found by its number alone. Citizens find among their own.
 */
export async function searchTickets(
  supabase: AnyClient,
  words: string,
  { signal = new AbortController().signal, ...options }: SearchOptions = {},
): Promise<Found> {
  const { data, error } = await searching(supabase, words, options).abortSignal(signal);
  if (error) throw new Error(error.message, { cause: error });
  return foundBy(data, options);
}

type Answer = PromiseLike<{ data: unknown; error: Error | null }>;

/** A request of postgrest-js that has not been sent. */
export interface Request {
  abortSignal(signal: AbortSignal): Answer & { retry(enabled: boolean): Answer };
}

export function searching(supabase: AnyClient, words: string, options: SearchOptions): Request {
  const { filter = {}, order = "updated_at", limit = 50, after, ids } = options;
  return supabase.rpc("search_tickets", {
    words,
    sort: order,
    page_size: limit,
    since: filter.since,
    sensitive: filter.sensitive,
    status: some(filter.status),
    category: some(filter.category),
    severity: some(filter.severity),
    ids,
    ...(after && { after_time: after.time, after_id: after.id }),
  });
}

const some = (values?: readonly string[]): readonly string[] | undefined =>
  values?.length ? values : undefined;

export function foundBy(data: unknown, { filter }: SearchOptions): Found {
  const { tickets, next } = data as Found;
  const { number } = filter ?? {};
  return { tickets: number ? tickets.filter((ticket) => ticket.tracking_number === number) : tickets, next };
}
