// The pretend Realtime frame by frame, in both versions of the protocol.
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { person } from "../../support/stack.ts";
import { Raw, send, sql, useScratchTopics } from "./support.ts";

useScratchTopics();

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
