/** Reads a window's tickets from the table, under row-level security. */
import type { Connection } from "./connection.ts";
import { LIMIT, RESERVE } from "./list.ts";
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
 * wherever in the table it is.
 */
export async function readWindow(
  source: Source,
  connection: Connection,
  window: TicketWindow,
  onPage?: (rows: Ticket[]) => void,
): Promise<{ rows: Ticket[]; isAll: boolean }> {
  const { order = "updated_at", limit = LIMIT } = window;
  const rows = new Map<string, Ticket>();
  let last: Ticket | undefined;
  for (;;) {
    const size = Math.min(limit + RESERVE - rows.size, PAGE);
    let query = select(source, window).order(order, { ascending: false }).order("id").limit(size);
    if (last) query = behind(query, order, last);
    const page = await ask(connection, query);
    for (const row of page) rows.set(row.id, row);
    last = page.at(-1);
    const read = [...rows.values()];
    if (page.length < size) return { rows: read, isAll: true };
    if (rows.size >= limit + RESERVE) return { rows: read, isAll: false };
    onPage?.(read);
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
    rows.push(...await ask(connection, select(source, window).in("id", ids.slice(at, at + PAGE))));
  }
  return rows;
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

function behind(query: Query, order: string, last: Ticket): Query {
  const time = last[order as "updated_at"];
  if (time === null) return query.or(`and(${order}.is.null,id.gt.${last.id}),${order}.not.is.null`);
  // The first condition lets the index start at the place.
  return query.lte(order, time).or(`${order}.lt."${time}",and(${order}.eq."${time}",id.gt.${last.id})`);
}

async function ask(connection: Connection, query: Query): Promise<Ticket[]> {
  const timer = setTimeout(() => connection.end(new Error("the database did not answer")), REQUEST_TIMEOUT);
  try {
    // postgrest-js does not retry it: an error ends the connection, and that is retried as a whole.
    const { data, error } = await query.abortSignal(connection.signal).retry(false);
    connection.signal.throwIfAborted();
    if (error) throw new Error(error.message, { cause: error });
    return data as unknown as Ticket[];
  } finally {
    clearTimeout(timer);
  }
}
