// A dashboard's list: what changes it, what is told of it, in which order it stands.
import { KnownMessages, ticketNews } from "../../client/messages.ts";
import { gone, TicketList } from "../../client/ticket-list.ts";
import type { Ticket } from "../../client/types.ts";
import { assertEquals } from "../support/assert.ts";

const ticket = (id: string, changes: Partial<Ticket> = {}): Ticket => ({
  id,
  tenant_id: "a1b0de1a-0000-4000-8000-000000000001",
  tracking_number: `TKT-${id}`,
  category: "water",
  severity: "low",
  status: "open",
  is_sensitive: false,
  updated_at: "2026-11-23T10:00:00Z",
  ...changes,
} as Ticket);
const value = (row: Ticket) => [row.id, row] as const;

Deno.test("list: a ticket comes, changes and goes; each is told once, and nothing of what is the same", () => {
  const list = new TicketList();
  const [open, closed] = [ticket("a"), ticket("a", { status: "closed" })];
  assertEquals(list.change([value(open)]), [{ type: "INSERT", ticket: open }]);
  assertEquals(list.change([value({ ...open })]), []);
  assertEquals(list.change([value(closed)]), [{ type: "UPDATE", ticket: closed }]);
  assertEquals(list.change([gone("a")]), [{ type: "DELETE", ticket: closed }]);
  assertEquals(list.change([gone("a")]), []);
  assertEquals(list.size, 0);
});

Deno.test("list: of several values for one ticket the last counts", () => {
  const list = new TicketList();
  const row = ticket("a");
  assertEquals(list.change([gone("a"), value(row)]), [{ type: "INSERT", ticket: row }]);
  assertEquals(list.change([gone("a"), value({ ...row })]), []);
  assertEquals(list.change([value(ticket("a", { status: "closed" })), gone("a")]), [{
    type: "DELETE",
    ticket: row,
  }]);
});

Deno.test("list: newest first, equal times by id; fractions of seconds sort as text", () => {
  const list = new TicketList();
  const times = { c: "2026-11-23T10:00:00Z", a: "2026-11-23T10:00:00Z", b: "2026-11-23T10:00:01.5Z" };
  list.change(Object.entries(times).map(([id, updated_at]) => value(ticket(id, { updated_at }))));
  assertEquals(list.tickets.map(({ id }) => id), ["b", "a", "c"]);
  list.change([value(ticket("c", { updated_at: "2026-11-23T10:00:02Z" }))]);
  assertEquals(list.tickets.map(({ id }) => id), ["c", "b", "a"]);
});

Deno.test("list: sensitive tickets can be taken out alone, when access to their topic is lost", () => {
  const list = new TicketList();
  list.change([value(ticket("a")), value(ticket("b", { is_sensitive: true }))]);
  assertEquals([list.ids(), list.ids(true), list.ids(false)], [["a", "b"], ["b"], ["a"]]);
  list.change(list.ids(true).map(gone));
  assertEquals(list.tickets.map(({ id }) => id), ["a"]);
});

Deno.test("messages: one that is repeated is known by its id, and a message that is not understood is no news", () => {
  const known = new KnownMessages();
  const message = { event: "ticket_event", payload: { id: "p" }, meta: { id: "m" } };
  assertEquals([known.add(message), known.add(message)], [true, false]);
  assertEquals(known.add({ ...message, meta: undefined }), true);
  for (const payload of [null, {}, { type: "TRUNCATE" }, { type: "UPDATE", ticket_id: 7 }]) {
    assertEquals(ticketNews(payload), undefined);
  }
  assertEquals(ticketNews({ type: "BULK", count: 51 }), { of: "many", left: [] });
});
