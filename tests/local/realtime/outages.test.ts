// Blips, cuts, lost slots, expired tokens and slow clients.
import { assert, assertEquals, assertMatch, assertRejects } from "../../support/assert.ts";
import { person, PUBLISHABLE_KEY, URL_BASE } from "../../support/stack.ts";
import {
  clientOf,
  control,
  events,
  eventually,
  listen,
  posting,
  Raw,
  send,
  slotNames,
  sql,
  startOwn,
  useScratchTopics,
} from "./support.ts";

useScratchTopics();

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
