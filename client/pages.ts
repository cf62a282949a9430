/**
 * Pages of tickets: lists, and what is found by words. Asked by functions that read along an index whatever the filter, and sent
 * as a body: addresses stand in the logs of whatever lies between.
 */
import type { AnyClient, Ticket, TicketFilter } from "./types.ts";

export interface PageOptions {
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

export interface Page {
  /** Newest first. A page may be short, or empty, before the last one. */
  tickets: Ticket[];
  /** Null after the last page. */
  next: Place | null;
}

/**
 * Tickets of a filter, newest first, a page at a time. With `filter.text`: those with all its words in number, description and
 * messages, the last word perhaps only begun; a sensitive ticket is found by its number alone. Citizens get their own.
 */
export async function listTickets(
  supabase: AnyClient,
  { signal = new AbortController().signal, ...options }: PageOptions = {},
): Promise<Page> {
  const { data, error } = await asking(supabase, options).abortSignal(signal);
  if (error) throw new Error(error.message, { cause: error });
  return answered(data, options);
}

type Answer = PromiseLike<{ data: unknown; error: Error | null }>;

/** A request of postgrest-js that has not been sent. */
export interface Request {
  abortSignal(signal: AbortSignal): Answer & { retry(enabled: boolean): Answer };
}

export function asking(supabase: AnyClient, options: PageOptions): Request {
  const { filter = {}, order = "updated_at", limit = 50, after, ids } = options;
  const words = filter.text?.trim();
  return supabase.rpc(words ? "search_tickets" : "list_tickets", {
    ...(words ? { words } : { number: filter.number || undefined }),
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

export function answered(data: unknown, { filter }: PageOptions): Page {
  const { tickets, next } = data as Page;
  const { number } = filter ?? {};
  return { tickets: number ? tickets.filter((ticket) => ticket.tracking_number === number) : tickets, next };
}

const some = (values?: readonly string[]): readonly string[] | undefined =>
  values?.length ? values : undefined;
