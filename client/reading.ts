/** Reads a window's tickets from the table, or, of words, by `search_tickets`; under row-level security both. */
import type { Connection } from "./connection.ts";
import { LIMIT, RESERVE } from "./list.ts";
import { type Found, foundBy, type Place, type Request, searching, type SearchOptions } from "./search.ts";
import { type AnyClient, type Ticket, TICKET_COLUMNS, type TicketWindow } from "./types.ts";

/** Rows and ids per request. A project may limit rows per request, to no less than this. */
const PAGE = 100;
const REQUEST_TIMEOUT = 20_000;

export interface Source {
  supabase: AnyClient;
  municipalityId: string;
  /** Whether sensitive tickets are wanted, by those who may see them. */
  sensitive: boolean;
}

/**
 * The first rows of a window, a page at a time: each continues behind the last row of the one before, so it costs the same
 * wherever in the table it is. `onPage` is given what there is so far, and says whether the rest is still wanted.
 */
export async function readWindow(
  source: Source,
  connection: Connection,
  window: TicketWindow,
  onPage: (rows: Ticket[]) => boolean,
): Promise<{ rows: Ticket[]; isAll: boolean }> {
  const { limit = LIMIT } = window;
  const rows = new Map<string, Ticket>();
  let place: Place | null = null;
  for (;;) {
    const size = Math.min(limit + RESERVE - rows.size, PAGE);
    const page: Found = await readPage(source, connection, window, size, place);
    for (const row of page.tickets) rows.set(row.id, row);
    place = page.next;
    const read = [...rows.values()];
    if (!place) return { rows: read, isAll: true };
    if (rows.size >= limit + RESERVE) return { rows: read, isAll: false };
    if (!onPage(read)) return { rows: read, isAll: false };
  }
}

/** Those of the tickets that belong to the window. */
export async function readTickets(
  source: Source,
  connection: Connection,
  window: TicketWindow,
  ids: readonly string[],
): Promise<Ticket[]> {
  const rows: Ticket[] = [];
  for (let at = 0; at < ids.length; at += PAGE) {
    const some = ids.slice(at, at + PAGE);
    if (textOf(window)) {
      rows.push(...(await search(source, connection, window, { ids: some, limit: PAGE })).tickets);
    } else rows.push(...await ask<Ticket[]>(connection, select(source, window).in("id", some)));
  }
  return rows;
}

async function readPage(
  source: Source,
  connection: Connection,
  window: TicketWindow,
  size: number,
  place: Place | null,
): Promise<Found> {
  if (textOf(window)) return await search(source, connection, window, { limit: size, after: place });
  const { order = "updated_at" } = window;
  let query = select(source, window).order(order, { ascending: false }).order("id").limit(size);
  if (place) query = behind(query, order, place);
  const tickets = await ask<Ticket[]>(connection, query);
  const last = tickets.length < size ? undefined : tickets.at(-1);
  return { tickets, next: last ? { time: last[order], id: last.id } : null };
}

const textOf = ({ filter }: TicketWindow) => filter?.text?.trim();

async function search(
  { supabase, sensitive }: Source,
  connection: Connection,
  window: TicketWindow,
  part: Pick<SearchOptions, "ids" | "limit" | "after">,
): Promise<Found> {
  const { order } = window;
  if (window.filter?.sensitive && !sensitive) return { tickets: [], next: null };
  const filter = sensitive ? window.filter : { ...window.filter, sensitive: false };
  const options = { ...part, filter, order };
  return foundBy(await ask(connection, searching(supabase, textOf(window)!, options)), options);
}

type Query = ReturnType<typeof select>;

function select({ supabase, municipalityId, sensitive }: Source, { filter = {} }: TicketWindow) {
  let query = supabase.from("tickets").select(TICKET_COLUMNS).eq("tenant_id", municipalityId);
  if (!sensitive) query = query.eq("is_sensitive", false);
  if (filter.sensitive !== undefined) query = query.eq("is_sensitive", filter.sensitive);
  for (const column of ["status", "category", "severity"] as const) {
    if (filter[column]?.length) query = query.in(column, filter[column]);
  }
  if (filter.since) query = query.gte("created_at", filter.since);
  if (filter.number) query = query.eq("tracking_number", filter.number);
  return query;
}

function behind(query: Query, order: string, { time, id }: Place): Query {
  if (time === null) return query.or(`and(${order}.is.null,id.gt.${id}),${order}.not.is.null`);
  // The first condition lets the index start at the place.
  return query.lte(order, time).or(`${order}.lt."${time}",and(${order}.eq."${time}",id.gt.${id})`);
}

async function ask<T>(connection: Connection, query: Request): Promise<T> {
  const timer = setTimeout(() => connection.end(new Error("the database did not answer")), REQUEST_TIMEOUT);
  try {
    // postgrest-js does not retry it: an error ends the connection, and that is retried as a whole.
    const { data, error } = await query.abortSignal(connection.signal).retry(false);
    connection.signal.throwIfAborted();
    if (error) throw new Error(error.message, { cause: error });
    return data as T;
  } finally {
    clearTimeout(timer);
  }
}
