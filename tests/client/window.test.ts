// The list as a window of a large table: what it shows, what it costs, and whom it shows it to.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import {
  assertEqualsTable,
  assertEqualsWindow,
  control,
  leaveAll,
  live,
  newClient,
  pause,
  quiet,
  signedIn,
  until,
  watch,
  windowOf,
} from "./support.ts";

const tenant = MUNICIPALITIES.polokwane.id;
const sql = connect();

Deno.test.afterEach(leaveAll);
Deno.test.afterAll(async () => {
  await control("restore");
  await sql.end();
});

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, ...quiet });
}

/** As a municipality has them: opened one after the other. */
async function withTickets(count: number, work: () => Promise<void>): Promise<void> {
  await sql`insert into public.tickets (tenant_id, category, status, created_at, updated_at)
    select ${tenant}, 'waste', case when n % 3 = 0 then 'closed' else 'open' end, now() - n * interval '1 minute',
      now() - n * interval '1 minute' from generate_series(1, ${count}::int) n`;
  try {
    await work();
  } finally {
    await sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
  }
}

/** Signed in, with a record of the requests for tickets. */
async function counting(role: "manager" | "admin" = "manager") {
  const requests: string[] = [];
  const supabase = newClient({
    global: {
      fetch: (input, init) => {
        if (String(input).includes("/rest/v1/rpc/list_tickets")) requests.push(String(input));
        return fetch(input, init);
      },
    },
  });
  const { data: { session } } = await (await signedIn(role, "polokwane")).auth.getSession();
  await supabase.auth.setSession(session!);
  return { supabase, requests };
}

test("a window holds the newest tickets of its filter, and follows what comes, changes and goes", async () => {
  await withTickets(300, async () => {
    const window = { filter: { status: ["open"] }, limit: 20 };
    const manager = await live(watch(await signedIn("manager", "polokwane"), "polokwane", window));
    await assertEqualsWindow(manager, window, "polokwane");
    assert(manager.subscription.hasMore);

    const { id } = await makeTicket("polokwane", { category: "waste" });
    await assertEqualsWindow(manager, window, "polokwane");
    await ok(service.from("tickets").update({ status: "closed" }).eq("id", id).select("id"));
    await assertEqualsWindow(manager, window, "polokwane");
    const [closed] =
      await sql`select id from public.tickets where tenant_id = ${tenant} and category = 'waste'
      and status = 'closed' order by updated_at limit 1`;
    await ok(service.from("tickets").update({ status: "open" }).eq("id", closed!.id).select("id"));
    await assertEqualsWindow(manager, window, "polokwane");
    assertEquals(manager.subscription.fetches, 1, "all of that without reading the window again");

    // more than are held in reserve
    const ids = (await windowOf({ ...window, limit: 48 }, "polokwane")).map(({ id }) => id);
    await sql`delete from public.tickets where id in ${sql(ids)}`;
    await assertEqualsWindow(manager, window, "polokwane");
  });
});

test("another filter, order and length on the same connection; beyond a page, each row once", async () => {
  await withTickets(300, async () => {
    const manager = await live(watch(await signedIn("manager", "polokwane"), "polokwane", { limit: 5 }));
    for (
      const window of [
        { filter: { status: ["closed"] }, limit: 30 },
        { order: "created_at", limit: 250 },
        { filter: { status: ["escalated"] } },
        { limit: 400 },
      ] as const
    ) {
      manager.subscription.show(window);
      await assertEqualsWindow(manager, window, "polokwane");
    }
    assert(!manager.subscription.hasMore);
    assertEquals(manager.states, ["live"]);
    const { tracking_number: number, id } = manager.subscription.tickets[200]!;
    manager.subscription.show({ filter: { number: number! } });
    await until("that one", () => manager.subscription.tickets.length === 1);
    assertEquals(manager.subscription.tickets[0]!.id, id);
  });
});

test("many changes at once share a request, and a reconnect costs one, however many tickets there are", async () => {
  await withTickets(1000, async () => {
    const { supabase, requests } = await counting();
    const manager = await live(watch(supabase, "polokwane", { limit: 50 }));
    assertEquals(requests.length, 1);
    await sql`update public.tickets set severity = 'high' where id in
      (select id from public.tickets where tenant_id = ${tenant} and category = 'waste' limit 40)`;
    await assertEqualsWindow(manager, { limit: 50 }, "polokwane");
    assert(requests.length < 10, `${requests.length} requests for 40 events`);

    requests.length = 0;
    await control("drop_sockets");
    await until("offline", () => manager.states.includes("offline"));
    await until("live", () => manager.subscription.state === "live");
    assertEquals(requests.length, 1);
  });
});

test("after signing out nothing can be read and nothing is live; the next user sees what is theirs", async () => {
  const { id: secret } = await makeTicket("polokwane", { is_sensitive: true });
  const admin = await signedIn("admin", "polokwane");
  const list = await live(watch(admin, "polokwane", { sensitive: true }));
  assert(list.told.has(secret));
  await admin.auth.signOut();
  assertEquals([list.subscription.tickets, list.subscription.state, list.told.size], [[], "offline", 0]);
  await makeTicket("polokwane");
  await pause(1500);
  assertEquals([list.subscription.tickets, list.subscription.state], [[], "offline"]);
  await list.subscription.close();

  const shared = watch(admin, "polokwane");
  const { data: { session } } = await (await signedIn("manager", "polokwane")).auth.getSession();
  await admin.auth.setSession(session!);
  await assertEqualsTable(shared, false, "polokwane");
  const { data: { session: other } } = await (await signedIn("manager", "mbombela")).auth.getSession();
  await admin.auth.setSession(other!);
  await until("all gone", () => shared.subscription.tickets.length === 0);
  await until("refused", () => /Unauthorized/.test(shared.errors.at(-1)?.message ?? ""));
  assertEquals(shared.told.size, 0);
});

test("a socket that is open and dead is noticed by the missing sign of life", async () => {
  let isFrozen = false;
  class Freezing extends WebSocket {
    override set onmessage(listener: ((event: MessageEvent) => void) | null) {
      super.onmessage = listener && ((event) => isFrozen || listener(event));
    }
    override send(data: string) {
      if (!isFrozen) super.send(data);
    }
  }
  const supabase = newClient({ realtime: { transport: Freezing as never } });
  const { data: { session } } = await (await signedIn("manager", "polokwane")).auth.getSession();
  await supabase.auth.setSession(session!);
  const manager = await live(watch(supabase, "polokwane"));
  isFrozen = true;
  const { id } = await makeTicket("polokwane");
  await until("offline", () => manager.subscription.state === "offline", 25_000);
  assertMatch(manager.errors[0]!.message, /no sign of life/);
  isFrozen = false;
  await until("live again, and nothing missed", () => manager.told.has(id));
});
