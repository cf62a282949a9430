// The pretend Realtime, with the unmodified client and frame by frame. Needs the stack's environment:
// npm run local -- deno test -A tests/local/realtime.test.ts
import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { makeKeys } from "../../local/keys.ts";
import { makeRealtime } from "../../local/realtime.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { connect, person, PUBLISHABLE_KEY, SECRET_KEY, service, URL_BASE } from "../support/stack.ts";

const sql = connect();
const clients = new Set<SupabaseClient>();

Deno.test.beforeAll(async () => {
  await sql.unsafe(`
    create policy "scratch topics are read" on realtime.messages for select to authenticated using (
      extension = 'broadcast' and realtime.topic() like 'scratch:%'
      and (realtime.topic() <> 'scratch:admins' or (select auth.jwt()) -> 'app_metadata' ->> 'role' = 'admin')
    );
    create policy "scratch topics are written" on realtime.messages for insert to authenticated with check (
      extension = 'broadcast' and realtime.topic() like 'scratch:open%'
    );
    create schema scratch;
    grant usage on schema scratch to authenticated;
    create table scratch.definer (n int);
    create table scratch.invoker (n int);
    grant insert, select on scratch.definer, scratch.invoker to authenticated;
    create function scratch.tell_as_definer() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      perform realtime.send(jsonb_build_object('n', new.n), 'row', 'scratch:rows');
      return null;
    end $$;
    create function scratch.tell_as_invoker() returns trigger language plpgsql set search_path = '' as $$
    begin
      perform realtime.send(jsonb_build_object('n', new.n), 'row', 'scratch:rows');
      return null;
    end $$;
    create trigger tell after insert on scratch.definer for each row execute function scratch.tell_as_definer();
    create trigger tell after insert on scratch.invoker for each row execute function scratch.tell_as_invoker();
  `);
});

Deno.test.afterEach(async () => {
  for (const client of clients) await client.removeAllChannels();
  clients.clear();
});

Deno.test.afterAll(async () => {
  await control("restore");
  await sql.unsafe(`
    drop schema scratch cascade;
    drop policy "scratch topics are read" on realtime.messages;
    drop policy "scratch topics are written" on realtime.messages;
  `);
  await sql.end();
});

for (const vsn of ["1.0.0", "2.0.0"]) {
  Deno.test(`version ${vsn}: who may read a private topic joins it and hears it, others get the reason`, async () => {
    const admin = await clientOf("admin", vsn);
    const heard = await listen(admin, "scratch:admins");
    assertEquals(heard.state, "SUBSCRIBED");

    for (const stranger of [await clientOf("manager", vsn), anonymousClient(vsn)]) {
      const refused = await listen(stranger, "scratch:admins");
      assertEquals(refused.state, "CHANNEL_ERROR");
      assertEquals(
        refused.reason,
        "Unauthorized: You do not have permissions to read from this Channel topic: scratch:admins",
      );
    }

    await send("scratch:admins", "news", { text: "é – 𝄞", big: 1 });
    const [message] = await heard.until(1);
    const { id, ...payload } = message!.payload as Record<string, unknown>;
    assertEquals({ ...message, payload, meta: undefined }, {
      type: "broadcast",
      event: "news",
      payload: { text: "é – 𝄞", big: 1 },
      meta: undefined,
    });
    assertEquals(message!.meta, { id } as { id: string });
  });
}

Deno.test("a policy that asks for `private` admits nobody: the probe's rows are not", async () => {
  await sql`create policy "scratch trap" on realtime.messages for select to anon using (private)`;
  try {
    const { reason } = await listen(anonymousClient(), "scratch:trap");
    assertMatch(reason, /^Unauthorized: /);
  } finally {
    await sql`drop policy "scratch trap" on realtime.messages`;
  }
});

Deno.test("a topic's messages stay on it, and public and private ones apart", async () => {
  const one = await listen(await clientOf("manager"), "scratch:one");
  const two = await listen(await clientOf("manager"), "scratch:two");
  const open = await listen(anonymousClient(), "scratch:one", { private: false });
  assertEquals(open.state, "SUBSCRIBED"); // anybody may join a channel that is not private: hosted's default
  await send("scratch:one", "for one");
  await send("scratch:one", "for the public", {}, false);
  await send("scratch:two", "for two");
  await two.until(1);
  assertEquals(events(one), ["for one"]);
  assertEquals(events(open), ["for the public"]);
  assertEquals(events(two), ["for two"]);
});

Deno.test("send() in a trigger: as definer it is heard, as invoker the row is saved and the message lost", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:rows");
  const warnings: string[] = [];
  const writer = postgres(urlOf("postgres"), {
    max: 1,
    onnotice: (notice) => warnings.push(notice.message!),
  });
  await writer.begin(async (tx) => {
    await tx`set local role authenticated`;
    await tx`insert into scratch.invoker values (1)`;
    await tx`insert into scratch.definer values (2)`;
  });
  await writer.end();
  assertEquals(
    warnings,
    [
      'WarnSendingBroadcastMessage: new row violates row-level security policy for table "messages"',
    ],
  );
  assertEquals((await sql`select n from scratch.invoker`).map(({ n }) => n), [1]);
  const [message] = await heard.until(1);
  assertEquals((message!.payload as { n: number }).n, 2);
  await sql`select realtime.send('{}', 'end', 'scratch:rows')`;
  await heard.until(2);
});

Deno.test("with no partition for today send() warns, and the write succeeds", async () => {
  const warnings: string[] = [];
  const admin = postgres(urlOf("supabase_admin"), {
    max: 1,
    onnotice: (notice) => warnings.push(notice.message!),
  });
  const undo = new Error();
  await admin.begin(async (tx) => {
    // In a transaction that is undone, so that nobody else misses the partition; others' joins wait meanwhile.
    await tx.unsafe(`do $$ begin execute format('alter table realtime.messages detach partition realtime.%I',
      to_char(now() at time zone 'utc', '"messages_"YYYY_MM_DD')); end $$`);
    await tx`insert into scratch.definer values (77)`;
    assertEquals((await tx`select from scratch.definer where n = 77`).length, 1);
    throw undo;
  }).catch((error) => assertEquals(error, undo));
  await admin.end();
  assertEquals(warnings, ['WarnSendingBroadcastMessage: no partition of relation "messages" found for row']);
});

Deno.test("what send() and the server refuse is dropped, the statement succeeds", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:odd");
  await sql`select realtime.send('[1]', 'array', 'scratch:odd')`;
  await sql`select realtime.send('"x"', 'scalar', 'scratch:odd')`;
  await sql`select realtime.send(null, 'no payload', 'scratch:odd')`;
  await sql`select realtime.send('{}', null, 'scratch:odd')`;
  await sql`select realtime.send('{}', 'no topic', null)`;
  await sql`select realtime.send('{}', 'neither', 'scratch:odd', null)`;
  await sql`insert into realtime.messages (topic, extension, event, payload, private)
    values ('scratch:odd', 'broadcast', 'array', '[1]', true)`;
  await send("scratch:odd", "fine");
  await heard.until(1);
  assertEquals(events(heard), ["fine"]);
  await assertRejects(
    async () =>
      await sql`select realtime.broadcast_changes('scratch:odd', 'x', 'TRUNCATE', 't', 's', null, null)`,
    Error,
    "Failed to process the row: Unexpected operation type: TRUNCATE",
  );
});

Deno.test("messages come in commit order from four writers", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:order");
  const commits = 50;
  await sql`create table scratch.counter as select 0 as n`;
  await Promise.all(Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; n < commits; n++) {
      await sql.begin(async (tx) => {
        await tx`select realtime.send(${tx.json({ writer, at: "early" })}, 'row', 'scratch:order')`;
        // The lock makes the counter's order the commits' order.
        const [row] = await tx<{ n: number }[]>`update scratch.counter set n = n + 1 returning n`;
        await tx`select realtime.send(${tx.json({ writer, at: row!.n })}, 'row', 'scratch:order')`;
      });
    }
  }));
  const messages = await heard.until(8 * commits);
  const order = messages.map(({ payload }) => (payload as { at: unknown }).at).filter((at) => at !== "early");
  assertEquals(order, Array.from({ length: 4 * commits }, (_, index) => index + 1));
});

Deno.test("a rollback sends nothing, a savepoint rolled back sends nothing", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:undone");
  const undo = new Error();
  await sql.begin(async (tx) => {
    await tx`select realtime.send('{}', 'undone', 'scratch:undone')`;
    throw undo;
  }).catch((error) => assertEquals(error, undo));
  await sql.begin(async (tx) => {
    await tx`select realtime.send('{}', 'before', 'scratch:undone')`;
    await tx.savepoint(async (inner) => {
      await inner`select realtime.send('{}', 'undone', 'scratch:undone')`;
      throw undo;
    }).catch(() => {});
    await tx`select realtime.send('{}', 'after', 'scratch:undone')`;
  });
  await heard.until(2);
  assertEquals(events(heard), ["before", "after"]);
});

Deno.test("replay gives the newest since a time, oldest first, and none of them again", async () => {
  const supabase = await clientOf("manager");
  const start = Date.now();
  await sql`delete from realtime.messages where topic = 'scratch:replay'`;
  for (let n = 1; n <= 30; n++) await send("scratch:replay", `${n}`);
  await send("scratch:replay", "public", {}, false);

  const last3 = await listen(supabase, "scratch:replay", {
    broadcast: { replay: { since: start - 1, limit: 3 } },
  });
  await last3.until(3);
  assertEquals(events(last3), ["28", "29", "30"]);
  assert(last3.messages.every(({ meta }) => meta?.replayed && meta.id));
  await send("scratch:replay", "live");
  await last3.until(4);
  assertEquals(events(last3).at(-1), "live");
  assertEquals(last3.messages.at(-1)!.meta!.replayed, undefined);

  const other = await clientOf("admin");
  const most = await listen(other, "scratch:replay", {
    broadcast: { replay: { since: start - 1, limit: 1000 } },
  });
  assertEquals((await most.until(25)).length, 25);
  assertEquals(events(most).at(0), "7");
  const late = await listen(await clientOf("admin"), "scratch:replay", {
    broadcast: { replay: { since: Date.now() + 60_000, limit: 25 } },
  });
  assertEquals(events(late), []);
});

Deno.test("replay is refused on a public channel and with odd parameters", async () => {
  const raw = await Raw.open();
  const { token } = await person("manager");
  const join = (topic: string, isPrivate: boolean, replay: unknown) =>
    raw.join(topic, { private: isPrivate, broadcast: { replay } }, token);
  assertEquals(
    await join("scratch:a", false, { since: 0 }),
    { reason: "UnableToReplayMessages: Replay is not allowed for public channels" },
  );
  assertEquals(
    await join("scratch:a", true, { since: "yesterday" }),
    { reason: "UnableToReplayMessages: Replay params are not valid" },
  );
  raw.close();
});

Deno.test("a client's broadcast without an INSERT policy reaches nobody, with one it does", async () => {
  const [sender, receiver] = [await clientOf("manager"), await clientOf("admin")];
  const shut = await listen(receiver, "scratch:shut");
  const open = await listen(receiver, "scratch:open");
  const fromShut = await listen(sender, "scratch:shut");
  const fromOpen = await listen(sender, "scratch:open", { broadcast: { ack: true } });
  const message = (event: string) => ({ type: "broadcast" as const, event, payload: { event } });
  await fromShut.channel.send(message("forged"));
  await fromShut.channel.httpSend("forged", { by: "http" });
  assertEquals(await fromOpen.channel.send(message("allowed")), "ok");
  await fromOpen.channel.httpSend("allowed too", { by: "http" });
  await open.until(2);
  await send("scratch:shut", "end");
  await shut.until(1);
  assertEquals(events(open), ["allowed", "allowed too"]);
  assertEquals(open.messages[0]!.payload, { event: "allowed" });
  assertEquals(events(shut), ["end"]);
  assertEquals(events(fromOpen), ["allowed too"]); // not its own, unless `self`

  const secret = service.channel("scratch:shut", { config: { private: true } });
  await secret.httpSend("by the service", {});
  await shut.until(2);
  await service.removeAllChannels();
});

Deno.test("a new token that may not read the topic closes the channel", async () => {
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, { auth: { persistSession: false } });
  clients.add(supabase);
  await supabase.realtime.setAuth((await person("admin")).token);
  const heard = await listen(supabase, "scratch:admins");
  assertEquals(heard.state, "SUBSCRIBED");
  await supabase.realtime.setAuth((await person("manager")).token);
  await heard.closed;
  assertEquals(heard.systems.at(-1), {
    extension: "system",
    status: "error",
    message: "You do not have permissions to read from this Channel topic: scratch:admins",
    channel: "scratch:admins",
  });
  await send("scratch:admins", "unheard");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(events(heard), []);
});

Deno.test("frames of version 1", async () => {
  const raw = await Raw.open("1.0.0");
  const topic = "realtime:scratch:frames";
  const access_token = (await person("manager")).token;
  const config = { private: true, broadcast: { replication_ready: true }, presence: { enabled: true } };
  raw.send({ topic, event: "phx_join", payload: { config, access_token }, ref: "1", join_ref: "1" });
  assertEquals(await raw.next(), {
    topic,
    event: "phx_reply",
    payload: { status: "ok", response: { postgres_changes: [] } },
    ref: "1",
  });
  assertEquals(await raw.next(), { topic, event: "presence_state", payload: {}, ref: null });
  const payload = {
    extension: "system",
    status: "ok",
    message: "Replication connection established",
    channel: "scratch:frames",
  };
  assertEquals(await raw.next(), { topic, event: "system", payload, ref: null });
  const id = await send("scratch:frames", "ev", { id: 7 });
  assertEquals(await raw.next(), {
    topic,
    event: "broadcast",
    payload: { event: "ev", payload: { id: 7 }, type: "broadcast", meta: { id } },
    ref: null,
  });
  raw.close();
});

Deno.test("frames of version 2", async () => {
  const raw = await Raw.open();
  const topic = "realtime:scratch:frames";
  const access_token = (await person("manager")).token;
  raw.send([null, "9", "phoenix", "heartbeat", {}]);
  assertEquals(await raw.next(), [null, "9", "phoenix", "phx_reply", { status: "ok", response: {} }]);
  raw.send([null, "1", topic, "broadcast", {}]);
  assertEquals(await raw.next(), [null, "1", topic, "phx_reply", {
    status: "error",
    response: { reason: "unmatched topic" },
  }]);
  const config = { private: true, broadcast: { replication_ready: true } };
  raw.send(["2", "2", topic, "phx_join", { config, access_token }]);
  assertEquals(await raw.next(), ["2", "2", topic, "phx_reply", {
    status: "ok",
    response: { postgres_changes: [] },
  }]);
  const [joinRef, ref, , event] = await raw.next() as unknown[];
  assertEquals([joinRef, ref, event], ["2", null, "system"]);

  const id = await send("scratch:frames", "ev", { id: 7, city: "eMalahleni ✓" });
  const bytes = await raw.next() as Uint8Array;
  const meta = JSON.stringify({ id });
  assertEquals([...bytes.subarray(0, 5)], [4, topic.length, 2, meta.length, 1]);
  const text = new TextDecoder().decode(bytes.subarray(5));
  assert(text.startsWith(`${topic}ev${meta}`));
  assertEquals(JSON.parse(text.slice(`${topic}ev${meta}`.length)), { id: 7, city: "eMalahleni ✓" });

  await sql`select realtime.send_binary('\\x00ff', 'bin', 'scratch:frames')`;
  const binary = await raw.next() as Uint8Array;
  assertEquals([binary[4], ...binary.subarray(-2)], [0, 0, 255]);

  raw.send(["2", "3", topic, "phx_leave", {}]);
  assertEquals(await raw.next(), ["2", "3", topic, "phx_reply", { status: "ok", response: {} }]);
  assertEquals(await raw.next(), ["2", "2", topic, "phx_close", {}]);
  raw.close();
});

Deno.test("no socket without a valid key", async () => {
  for (const key of ["", "sb_publishable_wrong", "x.y.z"]) {
    await assertRejects(() => Raw.open("2.0.0", key), Error, "refused");
  }
});

Deno.test("a blip: the slot lives on, the client comes back, what was sent meanwhile is not pushed", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:blip");
  const slots = await slotNames();
  await control("drop_sockets");
  await heard.errored;
  await send("scratch:blip", "missed");
  await heard.until(2, "SUBSCRIBED");
  await send("scratch:blip", "heard");
  await heard.until(1);
  assertEquals(events(heard), ["heard"]);
  assertEquals(await slotNames(), slots);
});

Deno.test("a cut: nobody gets in, the slot goes; after it clients come back", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:cut");
  await control("cut");
  await heard.errored;
  await assertRejects(() => Raw.open(), Error, "refused");
  await eventually(async () => assertEquals(await slotNames(), []));
  await send("scratch:cut", "missed");
  assertEquals((await fetch(`${URL_BASE}/realtime/v1/api/broadcast`, posting({ messages: [] }))).status, 503);
  await control("restore");
  await heard.until(2, "ready");
  await send("scratch:cut", "heard");
  await heard.until(1);
  assertEquals(events(heard), ["heard"]);
});

Deno.test("a slot lost under open sockets is made again; what commits in between is lost, and nobody told", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:lost");
  await control("drop_slot");
  await send("scratch:lost", "missed");
  await eventually(async () => assertEquals((await slotNames()).length, 1));
  await (await listen(await clientOf("admin"), "scratch:lost")).until(1, "ready");
  await send("scratch:lost", "heard");
  await heard.until(1);
  assertEquals(events(heard), ["heard"]);
  assertEquals(heard.systems.length, 1);
});

Deno.test("only the secret key cuts", async () => {
  const response = await fetch(
    `${URL_BASE}/realtime/v1/_control`,
    posting({ action: "cut" }, PUBLISHABLE_KEY),
  );
  assertEquals(response.status, 403);
  await response.body?.cancel();
});

Deno.test("the slot: from the first join until a while after the last client left", async () => {
  await using own = await startOwn({ idleMs: 200 });
  const before = await slotNames();
  await send("scratch:slot", "too early");
  const raw = await own.open();
  await raw.join(
    "scratch:slot",
    { private: true, broadcast: { replication_ready: true } },
    await own.token(60),
  );
  assertEquals((await raw.next() as unknown[])[3], "system");
  assertEquals((await slotNames()).length, before.length + 1);
  const id = await send("scratch:slot", "in time");
  assertMatch(new TextDecoder().decode(await raw.next() as Uint8Array), new RegExp(id));
  raw.close();
  await eventually(async () => assertEquals(await slotNames(), before));
});

Deno.test("replication_ready waits for the slot, which waits for open writes", async () => {
  await using own = await startOwn({ readyTimeoutMs: 5000 });
  const raw = await own.open();
  const token = await own.token(60);
  await sql.begin(async (tx) => {
    await tx`insert into scratch.invoker values (0)`;
    await raw.join("scratch:ready", { private: true, broadcast: { replication_ready: true } }, token);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assertEquals(raw.waiting, 0);
  });
  const [, , , , payload] = await raw.next() as unknown[];
  assertEquals((payload as { message: string }).message, "Replication connection established");
  raw.close();
});

Deno.test("an expired token ends the channel, and is refused at a join", async () => {
  await using own = await startOwn();
  const raw = await own.open();
  await raw.join("scratch:expiry", { private: true }, await own.token(1));
  const [joinRef, ref, topic, event, payload] = await raw.next() as unknown[];
  assertEquals([joinRef, ref, topic, event], ["1", null, "realtime:scratch:expiry", "system"]);
  const { message, ...others } = payload as { message: string };
  assertMatch(message, /^Token has expired [01] seconds ago$/);
  assertEquals(others as unknown, { extension: "system", status: "error", channel: "scratch:expiry" });
  assertEquals(await raw.next(), ["1", "1", "realtime:scratch:expiry", "phx_close", {}]);

  const join = async (token: string) =>
    (await raw.join("scratch:expiry", { private: true }, token) as { reason: string }).reason;
  assertMatch(await join(await own.token(-5)), /^InvalidJWTToken: Token has expired [56] seconds ago$/);
  assertEquals(await join("nonsense"), "MalformedJWT: The token provided is not a valid JWT");
  assertEquals(
    await join((await person("manager")).token),
    "JwtSignatureError: Failed to validate JWT signature",
  );
  raw.close();
});

Deno.test("a second new token soon after the first is looked at later", async () => {
  await using own = await startOwn({ tokenThrottleMs: 300 });
  const raw = await own.open();
  await raw.join("scratch:admins", { private: true }, await own.token(60, "admin"));
  const push = async (seconds: number, role: string) =>
    raw.send(["1", "5", "realtime:scratch:admins", "access_token", {
      access_token: await own.token(seconds, role),
    }]);
  await push(61, "admin");
  await push(62, "manager");
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals(raw.waiting, 0);
  const [, , , event] = await raw.next() as unknown[];
  assertEquals(event, "system");
  raw.close();
});

Deno.test("a client that does not read is dropped; the others hear everything", async () => {
  await using own = await startOwn({ maxBufferedBytes: 4_000_000 });
  const config = { private: true, broadcast: { replication_ready: true } };
  const raw = await own.open();
  await raw.join("scratch:slow", config, await own.token(60));
  await raw.next();

  const sleeper = await Deno.connect({ hostname: "127.0.0.1", port: own.port });
  const key = encodeURIComponent(own.key);
  await sleeper.write(new TextEncoder().encode(
    `GET /realtime/v1/websocket?apikey=${key}&vsn=2.0.0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${
        btoa("0123456789abcdef")
      }\r\n\r\n`,
  ));
  const joining = ["1", "1", "realtime:scratch:slow", "phx_join", {
    config,
    access_token: await own.token(60),
  }];
  const text = new TextEncoder().encode(JSON.stringify(joining));
  // One masked text frame, its mask zero, its length in two bytes.
  await sleeper.write(
    Uint8Array.from([0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0, ...text]),
  );
  await eventually(() => Promise.resolve(assertEquals(own.sockets(), 2)));

  const count = 200;
  for (let n = 0; n < count; n++) await send("scratch:slow", "big", { filling: "x".repeat(100_000) });
  for (let n = 0; n < count; n++) assert(await raw.next() instanceof Uint8Array);
  await eventually(() => Promise.resolve(assertEquals(own.sockets(), 1)));
  sleeper.close();
  raw.close();
});

// What the tests are made with.

interface Message {
  type: string;
  event: string;
  payload: unknown;
  meta?: { id: string; replayed?: boolean };
}

interface Heard {
  channel: RealtimeChannel;
  /** The first state that the subscription came to. */
  state: string;
  reason: string;
  messages: Message[];
  systems: Record<string, unknown>[];
  errored: Promise<void>;
  closed: Promise<void>;
  /** Waits until there are so many messages; or until a state, or `ready`, has come so many times. */
  until(count: number, what?: string): Promise<Message[]>;
}

/** Subscribes and waits until the slot streams, or the join is refused. */
async function listen(
  supabase: SupabaseClient,
  topic: string,
  { private: isPrivate = true, broadcast = {} }: { private?: boolean; broadcast?: Record<string, unknown> } =
    {},
): Promise<Heard> {
  const config = { private: isPrivate, broadcast: { replication_ready: true, ...broadcast } };
  const channel = supabase.channel(topic, { config });
  const messages: Message[] = [];
  const systems: Record<string, unknown>[] = [];
  const seen: Record<string, number> = {};
  const [errored, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const started = Promise.withResolvers<{ state: string; reason: string }>();
  const wakers = new Set<() => void>();
  const count = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
    for (const wake of wakers) wake();
  };
  channel.on("broadcast", { event: "*" }, (message) => {
    messages.push(message as Message);
    count("message");
  });
  channel.on("system", {}, (payload) => {
    systems.push(payload);
    if (payload.message !== "Replication connection established") return;
    started.resolve({ state: "SUBSCRIBED", reason: "" });
    count("ready");
  });
  channel.subscribe((state, error) => {
    count(state);
    if (state === "CLOSED") closed.resolve();
    if (state !== "CHANNEL_ERROR") return;
    started.resolve({ state, reason: error?.message ?? "" });
    errored.resolve();
  });
  const { state, reason } = await started.promise;
  return {
    channel,
    state,
    reason,
    messages,
    systems,
    errored: errored.promise,
    closed: closed.promise,
    async until(wanted, what = "message") {
      const reached = Promise.withResolvers<void>();
      const wake = () => (seen[what] ?? 0) >= wanted && reached.resolve();
      wakers.add(wake);
      wake();
      const late = setTimeout(
        () => reached.reject(new Error(`${seen[what] ?? 0} of ${wanted} ${what}`)),
        8000,
      );
      await reached.promise.finally(() => clearTimeout(late));
      wakers.delete(wake);
      return messages;
    },
  };
}

function events(heard: Heard): string[] {
  return heard.messages.map(({ event }) => event);
}

/** Sends as a trigger of the migrations' role does; gives the message's id. */
async function send(
  topic: string,
  event: string,
  payload: postgres.JSONValue = {},
  isPrivate = true,
): Promise<string> {
  return await sql.begin(async (tx) => {
    await tx`select realtime.send(${tx.json(payload)}, ${event}, ${topic}, ${isPrivate})`;
    const [row] = await tx<{ id: string }[]>`
      select id from realtime.messages where topic = ${topic} and inserted_at = now() at time zone 'utc'`;
    return row!.id;
  });
}

async function clientOf(role: "admin" | "manager", vsn = "2.0.0"): Promise<SupabaseClient> {
  const { token } = await person(role);
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
    accessToken: () => Promise.resolve(token),
    realtime: { vsn, reconnectAfterMs: () => 200 },
  });
  clients.add(supabase);
  await supabase.realtime.setAuth();
  return supabase;
}

function anonymousClient(vsn = "2.0.0"): SupabaseClient {
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { vsn },
  });
  clients.add(supabase);
  return supabase;
}

/** A bare WebSocket whose frames are looked at one by one. */
class Raw {
  readonly #frames: unknown[] = [];
  #wake = () => {};

  private constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#frames.push(typeof data === "string" ? JSON.parse(data) : new Uint8Array(data));
      this.#wake();
    };
  }

  static async open(vsn = "2.0.0", key = PUBLISHABLE_KEY, base = URL_BASE): Promise<Raw> {
    const url = `${base.replace("http", "ws")}/realtime/v1/websocket?apikey=${
      encodeURIComponent(key)
    }&vsn=${vsn}`;
    const raw = new Raw(new WebSocket(url));
    await new Promise<void>((resolve, reject) => {
      raw.socket.onopen = () => resolve();
      raw.socket.onerror = () => reject(new Error("refused"));
    });
    raw.socket.onerror = null;
    return raw;
  }

  get waiting(): number {
    return this.#frames.length;
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Joins in version 2; gives the reply's response. */
  async join(topic: string, config: unknown, access_token: string): Promise<unknown> {
    this.send(["1", "1", `realtime:${topic}`, "phx_join", { config, access_token }]);
    const [, , , event, payload] = await this.next() as unknown[];
    assertEquals(event, "phx_reply");
    return (payload as { response: unknown }).response;
  }

  async next(): Promise<unknown> {
    if (this.#frames.length === 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const late = setTimeout(() => reject(new Error("no frame came")), 8000);
      await promise.finally(() => clearTimeout(late));
    }
    return this.#frames.shift();
  }

  close(): void {
    this.socket.close();
  }
}

/** A Realtime of its own on the same database, whose keys this process holds. */
async function startOwn(options: Parameters<typeof makeRealtime>[1] = {}) {
  const keys = await makeKeys("http://own.test/auth/v1");
  const pool = postgres(urlOf("supabase_realtime_admin"), { max: 5, onnotice: () => {} });
  const context = { url: "", keys, connect: () => pool, directory: "" };
  const realtime = await makeRealtime(context, options);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, realtime.handle);
  return {
    port: server.addr.port,
    key: keys.publishable,
    sockets: () => realtime.sockets(),
    open: () => Raw.open("2.0.0", keys.publishable, `http://127.0.0.1:${server.addr.port}`),
    token: (seconds: number, role = "manager") =>
      keys.sign({ role: "authenticated", sub: crypto.randomUUID(), app_metadata: { role } }, seconds),
    async [Symbol.asyncDispose]() {
      await realtime.stop();
      await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, 100))]);
      await pool.end({ timeout: 0 });
    },
  };
}

async function slotNames(): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select slot_name as name from pg_replication_slots order by 1`;
  return rows.map(({ name }) => name);
}

async function control(action: string): Promise<void> {
  const response = await fetch(`${URL_BASE}/realtime/v1/_control`, posting({ action }));
  assertEquals(response.status, 204);
}

function posting(body: unknown, apikey = SECRET_KEY): RequestInit {
  return {
    method: "POST",
    headers: { apikey, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + 5000;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

function urlOf(role: string): string {
  return Deno.env.get("SUPABASE_DB_URL")!.replace(/\/\/[^:@/]+/, `//${role}`);
}
