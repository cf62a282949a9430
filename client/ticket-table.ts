/** A municipality's tickets as the table has them. Row-level security narrows it to what the caller may see. */
import type { Connection } from "./connection.ts";
import type { Value } from "./ticket-list.ts";
import { SECOND } from "./time.ts";
import { type AnyClient, type Ticket, TICKET_COLUMNS } from "./types.ts";

/** Rows and ids per request. */
const PAGE = 1000;
const IDS = 100;
const REQUEST_TIMEOUT = 20 * SECOND;

export class TicketTable {
  /** With `sensitive` also those that are. */
  constructor(
    private readonly supabase: AnyClient,
    private readonly municipalityId: string,
    private readonly sensitive: boolean,
  ) {}

  all(connection: Connection): Promise<Value[]> {
    return this.#read(connection);
  }

  changedSince(connection: Connection, since: number): Promise<Value[]> {
    const time = new Date(since).toISOString();
    return this.#read(connection, (query) => query.gte("updated_at", time));
  }

  async withIds(connection: Connection, ids: string[]): Promise<Value[]> {
    const values: Value[] = [];
    for (let at = 0; at < ids.length; at += IDS) {
      const some = ids.slice(at, at + IDS);
      values.push(...await this.#read(connection, (query) => query.in("id", some)));
    }
    return values;
  }

  async count(connection: Connection): Promise<number | null> {
    return (await this.#ask(connection, this.#tickets("id", { count: "exact", head: true }))).count;
  }

  /** Pages by id: whatever changes meanwhile, no row is lost or doubled. Until one is empty: the server may give less. */
  async #read(
    connection: Connection,
    narrow: (query: Query) => Query = (query) => query,
  ): Promise<Value[]> {
    const rows: Ticket[] = [];
    for (;;) {
      let query = narrow(this.#tickets(TICKET_COLUMNS)).order("id").limit(PAGE);
      if (rows.length) query = query.gt("id", rows.at(-1)!.id);
      const { data } = await this.#ask(connection, query);
      if (!data?.length) return rows.map((row) => [row.id, row]);
      rows.push(...data as unknown as Ticket[]);
    }
  }

  #tickets(columns: string, options?: { count: "exact"; head: true }): Query {
    const query = selectTickets(this.supabase, columns, options).eq("tenant_id", this.municipalityId);
    return this.sensitive ? query : query.eq("is_sensitive", false);
  }

  async #ask(connection: Connection, query: Query) {
    const timer = setTimeout(() => connection.end(new Error("the database did not answer")), REQUEST_TIMEOUT);
    try {
      // Not retried by postgrest-js: an error is an interruption, and that is retried as a whole.
      const answer = await query.abortSignal(connection.signal).retry(false);
      connection.signal.throwIfAborted();
      if (answer.error) throw new Error(answer.error.message, { cause: answer.error });
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }
}

type Query = ReturnType<typeof selectTickets>;

function selectTickets(supabase: AnyClient, columns: string, options?: { count: "exact"; head: true }) {
  return supabase.from("tickets").select(columns, options);
}
