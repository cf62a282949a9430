// Who joins a channel and what they hear: the pretend Realtime with the unmodified client.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import { person, PUBLISHABLE_KEY, service, URL_BASE } from "../../support/stack.ts";
import {
  anonymousClient,
  clientOf,
  clients,
  events,
  listen,
  Raw,
  send,
  sql,
  useScratchTopics,
} from "./support.ts";

useScratchTopics();

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
