// subscribeToTickets, against everything that happens to its connection.
import { type AnyClient, subscribeToTickets } from "../../client/mod.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import {
  assertEqualsTable,
  control,
  leaveAll,
  live,
  newClient,
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

test("a blip in which nothing was written: offline, catching up, live, and nothing told", async () => {
  const admin = await watching("admin");
  admin.changes.length = 0;
  admin.states.length = 0;
  await control("drop_sockets");
  await until("offline", () => admin.states.includes("offline"));
  await until("live again", () => admin.subscription.state === "live");
  assertEquals(admin.states.filter((state, n) => state !== admin.states[n - 1]), [
    "offline",
    "catching_up",
    "live",
  ]);
  assertEquals([admin.changes, admin.subscription.fetches], [[], 2]);
  assertMatch(admin.errors[0]!.message, /4001/);
  await assertEqualsTable(admin, true);
});

for (const action of ["drop_sockets", "cut"]) {
  test(`${action}: changes missed are caught up`, async () => {
    const tickets = await Promise.all(Array.from({ length: 6 }, () => makeTicket("mbombela")));
    const [admin, manager] = [await watching("admin"), await watching("manager")];
    await control(action);
    await change(tickets[0]!.id, { status: "closed" });
    await change(tickets[1]!.id, { is_sensitive: true });
    await remove(tickets[2]!.id);
    await makeTicket("mbombela", { is_sensitive: true });
    await makeTicket("mbombela");
    if (action === "cut") await control("restore");
    await assertEqualsTable(admin, true);
    await assertEqualsTable(manager, false);
  });
}

test("more missed than replay holds: the list is fetched once", async () => {
  const tickets = await Promise.all(Array.from({ length: 40 }, () => makeTicket("mbombela")));
  const manager = await watching("manager");
  await control("cut");
  for (const { id } of tickets.slice(0, 35)) await change(id, { severity: "low" });
  await remove(...tickets.slice(30).map(({ id }) => id));
  await control("restore");
  await assertEqualsTable(manager, false);
  assertEquals(manager.subscription.fetches, 2);
});

test("a bulk change missed: the list is fetched once", async () => {
  const manager = await watching("manager");
  await control("cut");
  await sql`insert into public.tickets (tenant_id, category) select ${tenant}, 'waste' from generate_series(1, 60)`;
  await control("restore");
  await assertEqualsTable(manager, false);
  assertEquals(manager.subscription.fetches, 2);
  await sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
});

test("committed after replay was read and before replication stood: in neither, and yet caught up", async () => {
  const { id: changed } = await makeTicket("mbombela");
  const { id: deleted } = await makeTicket("mbombela");
  const manager = await watching("manager");
  await control("cut");
  // The slot waits for transactions that are open when it is made.
  const open = await sql.reserve();
  await open`begin`;
  await open`insert into public.tickets (tenant_id, category) values (${tenant}, 'water')`;
  await control("restore");
  await until("joined", () => manager.supabase.getChannels().some(({ state }) => state === "joined"));
  await change(changed, { status: "resolved" });
  await remove(deleted);
  await pause(100);
  assertEquals(manager.subscription.state, "offline");
  await open`commit`;
  open.release();
  await assertEqualsTable(manager, false);
});

test("a transaction begun before the interruption and committed in it is not lost behind newer messages", async () => {
  const { id: slow } = await makeTicket("mbombela");
  const manager = await watching("manager");
  const open = await sql.reserve();
  await open`begin`;
  await open`update public.tickets set severity = 'critical' where id = ${slow}`;
  for (let n = 0; n < 30; n++) await makeTicket("mbombela"); // their messages are newer than the slow one's
  await assertEqualsTable(manager, false);
  await control("drop_sockets");
  await open`commit`;
  open.release();
  await assertEqualsTable(manager, false);
  assertEquals(manager.told.get(slow)?.severity, "critical");
});

test("the database cannot be read: offline, tried again, nothing lost", async () => {
  let isBroken = false;
  const supabase = newClient({
    global: {
      fetch: (input, init) =>
        isBroken && String(input).includes("/rest/")
          ? Promise.reject(new TypeError("broken"))
          : fetch(input, init),
    },
  });
  const { data: { session } } = await (await signedIn("admin")).auth.getSession();
  await supabase.auth.setSession(session!);
  const admin = await live(watch(supabase, "mbombela", { sensitive: true }));
  isBroken = true;
  const { id } = await makeTicket("mbombela", { is_sensitive: true });
  await until("offline", () => admin.subscription.state === "offline");
  await makeTicket("mbombela");
  await pause(500);
  isBroken = false;
  await assertEqualsTable(admin, true);
  assert(admin.told.has(id));
});

test("a slot that Realtime lost without a word is noticed at the next check", async () => {
  const real = performance.now;
  let ahead = 0;
  performance.now = () => real.call(performance) + ahead;
  try {
    const manager = await watching("manager");
    await control("drop_slot");
    const { id } = await makeTicket("mbombela");
    await pause(200);
    assert(!manager.told.has(id));
    ahead = 6 * 60_000;
    await until("the check", () => manager.told.has(id), 10_000);
    assertEquals(manager.subscription.fetches, 2);
  } finally {
    performance.now = real;
  }
});

test("a device that slept connects anew at once", async () => {
  const real = Date.now;
  const manager = await watching("manager");
  Date.now = () => real() + 3_600_000;
  try {
    await until(
      "it noticed",
      () => manager.errors.some(({ message }) => message === "the device slept"),
      10_000,
    );
    await until("live", () => manager.subscription.state === "live");
  } finally {
    Date.now = real;
  }
  await assertEqualsTable(manager, false);
});

test("an `online` event ends the wait for the next attempt", async () => {
  const manager = await watching("manager");
  await control("cut");
  await until("several attempts failed", () => manager.errors.length >= 4);
  await control("restore");
  dispatchEvent(new Event("online"));
  await until("live", () => manager.subscription.state === "live", 1500);
  await assertEqualsTable(manager, false);
});

test("a refreshed token goes on without an interruption", async () => {
  const manager = await watching("manager");
  const { error } = await manager.supabase.auth.refreshSession();
  assertEquals(error, null);
  const { id } = await makeTicket("mbombela");
  await until("it is told", () => manager.told.has(id));
  assertEquals(manager.states, ["live"]);
});

test("who may not join is refused: offline, told why, an empty list; signed in as another, it works", async () => {
  const citizen = watch(await signedIn("citizen"));
  await until("the refusal", () => citizen.errors.length > 0);
  assertMatch(citizen.errors[0]!.message, /^Unauthorized/);
  await pause(2500);
  assertEquals(citizen.subscription.state, "offline");
  assertEquals([citizen.errors.length, citizen.subscription.fetches, citizen.subscription.tickets], [
    1,
    0,
    [],
  ]);
  const { data: { session } } = await (await signedIn("manager")).auth.getSession();
  await citizen.supabase.auth.setSession(session!);
  await assertEqualsTable(citizen, false);
});

test("a manager who asks for the GBV topic is refused as a whole, and is told of no ticket", async () => {
  const manager = watch(await signedIn("manager"), "mbombela", { sensitive: true });
  await until("the refusal", () => manager.errors.length > 0);
  assertEquals([manager.subscription.state, manager.calls], ["offline", 0]);
});

test("closing: no callback afterwards, however often, and while it connects; then one may subscribe again", async () => {
  const supabase = await signedIn("manager");
  const early = watch(supabase);
  await early.subscription.close();
  for (const delay of [0, 1, 5, 20]) {
    const watched = watch(supabase);
    assertThrows(() => subscribeTwice(supabase), Error, "already");
    await pause(delay);
    void watched.subscription.close();
    await watched.subscription.close();
    assertEquals(supabase.getChannels(), []);
  }
  const late = await live(watch(supabase));
  const { calls, states } = late;
  const closing = late.subscription.close();
  await makeTicket("mbombela");
  await closing;
  await pause(100);
  assertEquals([late.calls, late.states, early.calls, early.states, early.errors], [
    calls,
    states,
    0,
    [],
    [],
  ]);
  await late.subscription.close();
});

test("a closed subscription leaves no timer, whatever it was doing", async () => {
  const running = ownTimers();
  try {
    const watched = watch(await signedIn("admin"), "mbombela", { sensitive: true });
    assert(running.timers.size > 0);
    await watched.subscription.close();
    assertEquals(running.timers.size, 0, "while connecting");

    const joining = watch(await signedIn("admin"), "mbombela", { sensitive: true });
    await until("joining", () => joining.supabase.getChannels().some(({ state }) => state === "joining"));
    await joining.subscription.close();
    assertEquals(running.timers.size, 0, "while joining");

    const offline = await live(watch(await signedIn("admin"), "mbombela", { sensitive: true }));
    await control("cut");
    await until("offline", () => offline.subscription.state === "offline");
    await offline.subscription.close();
    await control("restore");
    assertEquals(running.timers.size, 0, "while offline");

    const bulky = await live(watch(await signedIn("manager")));
    await sql`insert into public.tickets (tenant_id, category) select ${tenant}, 'waste' from generate_series(1, 60)`;
    await pause(50);
    await bulky.subscription.close();
    assertEquals(running.timers.size, 0, "before a bulk change's fetch");

    const refused = watch(await signedIn("citizen"));
    await until("refused", () => refused.errors.length > 0);
    await refused.subscription.close();
    assertEquals(running.timers.size, 0, "while refused");
  } finally {
    running.stop();
    await sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
  }
});

/** Timers that client has set and that have neither fired nor been cleared; not those of realtime-js. */
function ownTimers() {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const timers = new Set<unknown>();
  const isOurs = () => new Error().stack!.split("\n")[3]!.includes("/client/");
  Object.assign(globalThis, {
    setTimeout(work: () => void, ms: number) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        work();
      }, ms);
      if (isOurs()) timers.add(timer);
      return timer;
    },
    setInterval(work: () => void, ms: number) {
      const timer = setInterval(work, ms);
      if (isOurs()) timers.add(timer);
      return timer;
    },
    clearTimeout(timer: number) {
      timers.delete(timer);
      clearTimeout(timer);
    },
    clearInterval(timer: number) {
      timers.delete(timer);
      clearInterval(timer);
    },
  });
  return {
    timers,
    stop: () => Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval }),
  };
}

function subscribeTwice(supabase: AnyClient) {
  subscribeToTickets(supabase, tenant, {});
}

test("a listener that throws breaks nothing", async () => {
  const complain = console.error;
  console.error = () => {};
  try {
    const supabase = await signedIn("manager");
    const subscription = subscribeToTickets(supabase, tenant, {
      onChange() {
        throw new Error("the dashboard's own");
      },
    });
    await until("live", () => subscription.state === "live");
    const { id } = await makeTicket("mbombela");
    await until("the ticket", () => subscription.tickets.some((ticket) => ticket.id === id));
    await subscription.close();
  } finally {
    console.error = complain;
  }
});
