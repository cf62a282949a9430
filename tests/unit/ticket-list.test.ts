// The rows of a window against a table that changes at random: whatever is told, the list is the table's first rows.
import { newestFirst, TicketList } from "../../client/list.ts";
import type { Ticket, TicketChange } from "../../client/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const LIMIT = 10;
const order = newestFirst("updated_at");

function ticket(n: number, time: number): Ticket {
  return {
    id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    tenant_id: "t",
    tracking_number: null,
    category: "water",
    severity: "low",
    status: "open",
    is_sensitive: false,
    description: null,
    created_at: "",
    updated_at: new Date(time).toISOString(),
    last_message_at: null,
    last_read_at: null,
  };
}

/** The list as its changes make it. */
function follow(told: Map<string, Ticket>, changes: TicketChange[]): void {
  for (const { type, ticket } of changes) {
    assertEquals(told.has(ticket.id), type !== "INSERT");
    if (type === "DELETE") told.delete(ticket.id);
    else told.set(ticket.id, ticket);
  }
}

Deno.test("a window equals the table's first rows, and is seldom read again", () => {
  let state = 7;
  /** mulberry32 */
  const random = (below: number) => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
  const table = new Map<string, Ticket>();
  const list = new TicketList();
  const told = new Map<string, Ticket>();
  let reads = 0;
  const read = () => {
    const rows = [...table.values()].sort(order);
    follow(told, list.replace({ limit: LIMIT }, rows.slice(0, LIMIT + 25), rows.length <= LIMIT + 25));
    reads++;
  };
  for (let n = 0; n < 100; n++) table.set(ticket(n, n).id, ticket(n, n));
  read();
  for (let step = 0; step < 5000; step++) {
    // At times more tickets come, at times more of the first ones go.
    const isEbb = step % 1000 > 700;
    const first = list.shown[random(LIMIT)];
    const changed = isEbb && first && random(2)
      ? first
      : ticket(random(300), random(4) ? random(1000 + step) : 1000 + step);
    if (random(isEbb ? 3 : 8) > (isEbb ? 1 : 0)) table.set(changed.id, changed);
    else table.delete(changed.id);
    follow(told, list.apply([[changed.id, table.get(changed.id)]]));
    if (list.isShort) read();
    const expected = [...table.values()].sort(order);
    assertEquals(list.shown, expected.slice(0, LIMIT), `step ${step}`);
    assertEquals([...told.values()].sort(order), list.shown);
    if (expected.length > LIMIT) assert(list.hasMore);
  }
  assert(reads > 5 && reads < 500, `${reads} reads`);
});
