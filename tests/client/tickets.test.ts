// subscribeToTickets, against everything that happens to a list.
import { assert, assertEquals } from "../support/assert.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, person, service } from "../support/stack.ts";
import { ticketFile } from "../support/files.ts";
import {
  assertEqualsTable,
  control,
  leaveAll,
  live,
  pause,
  quiet,
  signedIn,
  until,
  watch,
  watching,
} from "./support.ts";

const tenant = MUNICIPALITIES.mbombela.id;
const sql = connect();

Deno.test.afterEach(leaveAll);
Deno.test.afterAll(async () => {
  await control("restore");
  await sql.end();
});

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, ...quiet });
}

async function change(id: string, fields: Record<string, unknown>): Promise<void> {
  await ok(service.from("tickets").update(fields).eq("id", id).select("id"));
}

async function remove(...ids: string[]): Promise<void> {
  await sql`delete from public.tickets where id in ${sql(ids)}`;
}

test("the first rows come as INSERTs, newest change first; then it is live", async () => {
  const manager = await watching("manager");
  await assertEqualsTable(manager, false);
  assertEquals(manager.states, ["live"]);
  assert(manager.changes.every(({ type }) => type === "INSERT"));
  assertEquals(manager.subscription.fetches, 1);
  const times = manager.subscription.tickets.map(({ updated_at }) => updated_at);
  assertEquals(times, times.toSorted().reverse());
});

test("inserted, updated and deleted tickets are told once each, with nothing fetched", async () => {
  const manager = await watching("manager");
  manager.changes.length = 0;
  const { id } = await makeTicket("mbombela", { category: "roads" });
  await until("the insert", () => manager.told.has(id));
  await change(id, { status: "in_progress" });
  await until("the update", () => manager.told.get(id)?.status === "in_progress");
  await assertEqualsTable(manager, false);
  await remove(id);
  await until("the delete", () => !manager.told.has(id));
  assertEquals(manager.changes.map(({ type }) => type), ["INSERT", "UPDATE", "DELETE"]);
  await assertEqualsTable(manager, false);
  assertEquals(manager.subscription.fetches, 1);
});

test("a change that leaves the row as it was is not told", async () => {
  const { id } = await makeTicket("mbombela");
  const manager = await watching("manager");
  manager.changes.length = 0;
  // language is no column of the list, and the transaction's time is the same
  await sql.begin(async (tx) => {
    await tx`update public.tickets set severity = 'high' where id = ${id}`;
    await tx`update public.tickets set language = 'zu' where id = ${id}`;
  });
  await until("the first change", () => manager.told.get(id)?.severity === "high");
  await change(id, { status: "closed" });
  await until("the last change", () => manager.told.get(id)?.status === "closed");
  assertEquals(manager.changes.map(({ type }) => type), ["UPDATE", "UPDATE"]);
});

test("a manager's list never holds a sensitive ticket, and loses one that becomes so", async () => {
  const { id: hidden } = await makeTicket("mbombela", { is_sensitive: true, category: "gbv" });
  const { id } = await makeTicket("mbombela");
  const manager = await watching("manager");
  const { id: later } = await makeTicket("mbombela", { is_sensitive: true });
  await change(id, { is_sensitive: true });
  await until("it is gone", () => !manager.told.has(id));
  await change(hidden, { status: "escalated" });
  await change(id, { is_sensitive: false });
  await until("it is back", () => manager.told.has(id));
  assert(!manager.changes.some(({ ticket }) => [hidden, later].includes(ticket.id) || ticket.is_sensitive));
  await assertEqualsTable(manager, false);
});

test("an admin sees both topics, and loses no ticket that moves between them", async () => {
  const admin = await watching("admin");
  await assertEqualsTable(admin, true);
  const { id: open } = await makeTicket("mbombela");
  const { id: secret } = await makeTicket("mbombela", { is_sensitive: true, severity: "critical" });
  await until("both", () => admin.told.has(open) && admin.told.get(secret)?.severity === "critical");
  for (let n = 0; n < 6; n++) {
    await change(open, { is_sensitive: n % 2 === 0, status: n % 2 ? "open" : "escalated" });
  }
  await change(secret, { is_sensitive: false });
  await assertEqualsTable(admin, true);
  assert(admin.subscription.tickets.some(({ id }) => id === open));
  await remove(open, secret);
  await assertEqualsTable(admin, true);
  assertEquals(admin.subscription.fetches, 1);
});

test("many flips at once by several writers: the admin's and the manager's list still equal the table", async () => {
  const [admin, manager] = [await watching("admin"), await watching("manager")];
  const tickets = await Promise.all(Array.from({ length: 10 }, () => makeTicket("mbombela")));
  await Promise.all([0, 1, 2, 3].map(async (writer) => {
    for (let n = 0; n < 20; n++) {
      const { id } = tickets[(n * 7 + writer) % tickets.length]!;
      await change(id, { is_sensitive: (n + writer) % 2 === 0 });
    }
  }));
  await assertEqualsTable(admin, true);
  await assertEqualsTable(manager, false);
});

test("a ticket that goes to another municipality leaves one list and enters the other", async () => {
  const [here, there] = [await watching("manager"), await watching("manager", "polokwane")];
  const { id } = await makeTicket("mbombela");
  await until("it is here", () => here.told.has(id));
  await change(id, { tenant_id: MUNICIPALITIES.polokwane.id });
  await until("it has moved", () => !here.told.has(id) && there.told.has(id));
  await assertEqualsTable(there, false, "polokwane");
});

test("bulk changes: several of them, one more fetch", async () => {
  const [admin, manager] = [await watching("admin"), await watching("manager")];
  await sql.begin(async (tx) => {
    await tx`insert into public.tickets (tenant_id, category) select ${tenant}, 'waste' from generate_series(1, 60)`;
    await tx`update public.tickets set severity = 'low' where tenant_id = ${tenant} and category = 'waste'`;
    await tx`update public.tickets set is_sensitive = true where tenant_id = ${tenant} and category = 'waste'`;
  });
  await until("the fetch", () => admin.subscription.fetches > 1 && manager.subscription.fetches > 1);
  await assertEqualsTable(admin, true);
  await assertEqualsTable(manager, false);
  assertEquals([admin.subscription.fetches, manager.subscription.fetches], [2, 2]);
  await sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
  await assertEqualsTable(admin, true);
});

test("a list of more than one page is complete, and each of its rows there once", async () => {
  await sql`insert into public.tickets (tenant_id, category)
    select ${MUNICIPALITIES.polokwane.id}, 'waste' from generate_series(1, 2500)`;
  try {
    const manager = watch(await signedIn("manager", "polokwane"), "polokwane");
    // while the pages are read
    const writing = (async () => {
      for (let n = 0; n < 30; n++) await makeTicket("polokwane", { category: "waste" });
    })();
    await live(manager);
    await writing;
    await assertEqualsTable(manager, false, "polokwane");
    assertEquals(manager.subscription.fetches, 1);
  } finally {
    await sql`delete from public.tickets where tenant_id = ${MUNICIPALITIES.polokwane.id} and category = 'waste'`;
  }
});

test("files and a backend's own events are told, and after an interruption the missed ones, once", async () => {
  const [admin, manager] = [await watching("admin"), await watching("manager")];
  const uploader = await person("manager");
  const { id: open } = await makeTicket("mbombela");
  const { id: secret } = await makeTicket("mbombela", { is_sensitive: true });
  const publish = (event: unknown, sensitive = false) =>
    ok(service.rpc("publish_municipality_event", { municipality_id: tenant, event, sensitive }).select());

  const one = await ticketFile(uploader, open);
  await publish({ kind: "sla_breach", ticket: open });
  await until("both of them", () => manager.media.length === 1 && manager.events.length === 1);
  const told = {
    ticket_id: open,
    file_id: one.fileId,
    status: "stored" as const,
    bucket: "evidence",
    municipality_id: tenant,
  };
  assertEquals(manager.media, [told]);
  assertEquals(manager.events, [{ kind: "sla_breach", ticket: open, municipality_id: tenant }]);

  await control("cut");
  const two = await ticketFile(await person("admin"), secret, { purpose: "gbv-evidence" });
  const three = await ticketFile(uploader, open);
  await publish({ kind: "secret" }, true);
  await control("restore");
  await assertEqualsTable(admin, true);
  await assertEqualsTable(manager, false);
  await pause(100);
  assertEquals(manager.media.map(({ file_id }) => file_id), [one.fileId, three.fileId]);
  assertEquals(
    admin.media.map(({ file_id }) => file_id).sort(),
    [one.fileId, two.fileId, three.fileId].sort(),
  );
  assertEquals(admin.events.map(({ kind }) => kind), ["sla_breach", "secret"]);
  assertEquals(manager.events.length, 1);
});
