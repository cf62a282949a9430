/** The rows of a window, kept in order. Pure: it asks nobody, and tells what changed in what it shows. */
import { type Ticket, TICKET_COLUMNS, type TicketChange, type TicketWindow } from "./types.ts";

export const LIMIT = 50;
/** Rows held beyond the limit: so many may leave before the window must be read again. */
export const RESERVE = 25;

/** A ticket as it is now, or that it does not belong to the window (any more). */
export type Value = readonly [id: string, ticket: Ticket | undefined];

export type Order = NonNullable<TicketWindow["order"]>;

export class TicketList {
  readonly #rows = new Map<string, Ticket>();
  #window: TicketWindow = {};
  /** All rows up to this one are known. Undefined: all there are. */
  #edge: Ticket | undefined;
  #shown: Ticket[] = [];

  get shown(): Ticket[] {
    return this.#shown;
  }

  get hasMore(): boolean {
    return this.#edge !== undefined || this.#rows.size > this.#limit;
  }

  /** Rows have left, and those that follow are not known. */
  get isShort(): boolean {
    return this.#edge !== undefined && this.#rows.size < this.#limit;
  }

  get #limit(): number {
    return this.#window.limit ?? LIMIT;
  }

  /** The window as it was read; `isAll` when nothing follows the rows. */
  replace(window: TicketWindow, rows: Ticket[], isAll: boolean): TicketChange[] {
    this.#window = window;
    this.#rows.clear();
    for (const row of rows) this.#rows.set(row.id, row);
    this.#edge = isAll ? undefined : rows.at(-1);
    return this.#arrange();
  }

  /** Of several values for one id the last counts. */
  apply(values: Iterable<Value>): TicketChange[] {
    for (const [id, ticket] of values) {
      if (ticket) this.#rows.set(id, ticket);
      else this.#rows.delete(id);
    }
    return this.#arrange();
  }

  drop(isUnwanted: (ticket: Ticket) => boolean): TicketChange[] {
    return this.apply([...this.#rows.values()].filter(isUnwanted).map(({ id }) => [id, undefined]));
  }

  #arrange(): TicketChange[] {
    const compare = newestFirst(this.#window.order ?? "updated_at");
    const edge = this.#edge;
    let rows = [...this.#rows.values()].sort(compare);
    // Between the edge and a row behind it there may be others.
    if (edge) rows = rows.filter((row) => compare(row, edge) <= 0);
    if (rows.length > this.#limit + RESERVE) {
      rows.length = this.#limit + RESERVE;
      this.#edge = rows.at(-1);
    }
    const kept = new Set(rows.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!kept.has(id)) this.#rows.delete(id);
    const before = this.#shown;
    this.#shown = rows.slice(0, this.#limit);
    return difference(before, this.#shown);
  }
}

export function newestFirst(order: Order): (one: Ticket, other: Ticket) => number {
  // The database writes times in UTC without trailing zeros, so their text sorts as they do. NULL comes first, as in SQL.
  const time = (ticket: Ticket) => ticket[order] ?? "~";
  return (one, other) => {
    const [a, b] = [time(one), time(other)];
    if (a !== b) return a < b ? 1 : -1;
    return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
  };
}

function difference(before: readonly Ticket[], after: readonly Ticket[]): TicketChange[] {
  const left = new Map(before.map((ticket) => [ticket.id, ticket]));
  const changes: TicketChange[] = [];
  for (const ticket of after) {
    const old = left.get(ticket.id);
    left.delete(ticket.id);
    if (!old) changes.push({ type: "INSERT", ticket });
    else if (!isSame(old, ticket)) changes.push({ type: "UPDATE", ticket });
  }
  return [...Array.from(left.values(), (ticket) => ({ type: "DELETE" as const, ticket })), ...changes];
}

const columns = TICKET_COLUMNS.split(", ") as (keyof Ticket)[];

function isSame(one: Ticket, other: Ticket): boolean {
  return columns.every((column) => one[column] === other[column]);
}
