/** The list that a dashboard shows. Pure: it knows neither Realtime nor the table. */
import { type Ticket, TICKET_COLUMNS, type TicketChange } from "./types.ts";

/** A ticket as it is now, or that it has gone. */
export type Value = readonly [id: string, ticket: Ticket | undefined];
export const gone = (id: string): Value => [id, undefined];

export class TicketList {
  readonly #rows = new Map<string, Ticket>();
  #sorted: Ticket[] | undefined;

  get size(): number {
    return this.#rows.size;
  }

  /** Newest first. */
  get tickets(): Ticket[] {
    return this.#sorted ??= [...this.#rows.values()].sort(newestFirst);
  }

  /** Ids of all tickets, or of those that are or are not sensitive. */
  ids(sensitive?: boolean): string[] {
    const rows = [...this.#rows.values()];
    return rows.filter((row) => sensitive === undefined || row.is_sensitive === sensitive).map(({ id }) =>
      id
    );
  }

  /** Applies the values, of several for one id the last. Returns what that changed. */
  change(values: Iterable<Value>): TicketChange[] {
    const changes: TicketChange[] = [];
    for (const [id, ticket] of new Map(values)) {
      const old = this.#rows.get(id);
      if (ticket) {
        if (old && isSame(old, ticket)) continue;
        this.#rows.set(id, ticket);
        changes.push({ type: old ? "UPDATE" : "INSERT", ticket });
      } else if (old) {
        this.#rows.delete(id);
        changes.push({ type: "DELETE", ticket: old });
      }
    }
    if (changes.length) this.#sorted = undefined;
    return changes;
  }
}

const columns = TICKET_COLUMNS.split(", ") as (keyof Ticket)[];

function isSame(one: Ticket, other: Ticket): boolean {
  return columns.every((column) => one[column] === other[column]);
}

/** The database writes times in UTC and leaves trailing zeros out, so that their text sorts as they do. */
function newestFirst(one: Ticket, other: Ticket): number {
  if (one.updated_at !== other.updated_at) return one.updated_at < other.updated_at ? 1 : -1;
  return one.id < other.id ? -1 : 1;
}
