/** Reads a window's tickets, under row-level security. */
import type { Connection } from "./connection.ts";
import { LIMIT, RESERVE } from "./list.ts";
import { answered, asking, type Page, type PageOptions, type Place } from "./pages.ts";
import type { AnyClient, Ticket, TicketWindow } from "./types.ts";

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
    const page: Page = await readPage(source, connection, window, { limit: size, after: place });
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
    rows.push(...(await readPage(source, connection, window, { ids: some, limit: PAGE })).tickets);
  }
  return rows;
}

async function readPage(
  { supabase, sensitive }: Source,
  connection: Connection,
  { filter, order }: TicketWindow,
  part: Pick<PageOptions, "ids" | "limit" | "after">,
): Promise<Page> {
  if (filter?.sensitive && !sensitive) return { tickets: [], next: null };
  const options = { ...part, order, filter: sensitive ? filter : { ...filter, sensitive: false } };
  return answered(await ask(connection, asking(supabase, options)), options);
}

async function ask(connection: Connection, query: ReturnType<typeof asking>): Promise<unknown> {
  const timer = setTimeout(() => connection.end(new Error("the database did not answer")), REQUEST_TIMEOUT);
  try {
    // postgrest-js does not retry it: an error ends the connection, and that is retried as a whole.
    const { data, error } = await query.abortSignal(connection.signal).retry(false);
    connection.signal.throwIfAborted();
    if (error) throw new Error(error.message, { cause: error });
    return data;
  } finally {
    clearTimeout(timer);
  }
}
