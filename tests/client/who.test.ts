// Who receives what: every role of both municipalities, on every topic; and that nobody but the service sends.
import { assertEquals, assertMatch, assertNotEquals } from "../support/assert.ts";
import {
  anonymous,
  MUNICIPALITIES,
  ok,
  person,
  PUBLISHABLE_KEY,
  type Role,
  ROLES,
  service,
  type Slug,
  SLUGS,
  URL_BASE,
} from "../support/stack.ts";
import { hear, type Heard, leaveAll, quiet, signedIn, topicOf, until, watch } from "./support.ts";

/** docs/access.md */
const RECEIVE: Role[] = ["field_worker", "ward_councillor", "manager", "admin", "saps_liaison"];
const RECEIVE_GBV: Role[] = ["admin", "saps_liaison"];

const TOPICS = SLUGS.flatMap((slug) => [false, true].map((gbv) => ({ slug, gbv, name: topicOf(slug, gbv) })));
const may = (role: Role, own: Slug, { slug, gbv }: { slug: Slug; gbv: boolean }) =>
  own === slug && (gbv ? RECEIVE_GBV : RECEIVE).includes(role);

function publish(slug: Slug, sensitive: boolean, event: Record<string, unknown>) {
  return ok(
    service.rpc("publish_municipality_event", {
      municipality_id: MUNICIPALITIES[slug].id,
      event,
      sensitive,
    }).select(),
  );
}

Deno.test.afterEach(leaveAll);

for (const slug of SLUGS) {
  for (const role of ROLES) {
    Deno.test({
      name: `${role} of ${slug}: joins and hears exactly the topics of the access table`,
      ...quiet,
      async fn() {
        const supabase = await signedIn(role, slug);
        const joined: Heard[] = [];
        for (const topic of TOPICS) {
          const heard = await hear(supabase, topic.name);
          if (may(role, slug, topic)) {
            assertEquals(heard.state, "SUBSCRIBED", topic.name);
            joined.push(heard);
          } else {
            assertEquals(heard.state, "CHANNEL_ERROR", topic.name);
            assertEquals(
              heard.reason,
              `Unauthorized: You do not have permissions to read from this Channel topic: ${topic.name}`,
            );
          }
        }
        for (const topic of TOPICS) await publish(topic.slug, topic.gbv, { topic: topic.name });
        const allowed = TOPICS.filter((topic) => may(role, slug, topic)).map(({ name }) => name);
        await until("what was sent", () => joined.every(({ messages }) => messages.length > 0));
        assertEquals(
          joined.map(({ messages }) => messages.map(({ payload }) => payload.topic)),
          allowed.map((name) => [name]),
        );
      },
    });
  }
}

Deno.test({
  name: "nobody signed in, and topics that are none of a municipality's: refused",
  ...quiet,
  async fn() {
    assertMatch((await hear(anonymous, topicOf("mbombela"))).reason, /^Unauthorized/);
    await anonymous.removeAllChannels();
    const admin = await signedIn("admin");
    for (
      const topic of [
        "municipality:",
        `municipality:${crypto.randomUUID()}`,
        `${topicOf("mbombela")}:other`,
        "anything",
      ]
    ) {
      assertMatch((await hear(admin, topic)).reason, /^Unauthorized/, topic);
    }
  },
});

Deno.test({
  name: "a client that broadcasts reaches nobody: joined or not, by socket or by REST, private or public",
  ...quiet,
  async fn() {
    const listeners: Heard[] = [];
    for (const slug of SLUGS) {
      const admin = await signedIn("admin", slug);
      for (const gbv of [false, true]) listeners.push(await hear(admin, topicOf(slug, gbv)));
    }
    // The helper too: a forged event must not change a list.
    const dashboard = watch(await signedIn("manager"));
    await until("live", () => dashboard.subscription.state === "live");
    const { calls } = dashboard;
    const forged = {
      type: "DELETE",
      ticket_id: dashboard.subscription.tickets[0]!.id,
      status: "open",
      municipality_id: MUNICIPALITIES.mbombela.id,
    };

    for (const role of ["citizen", "manager", "admin"] as const) {
      const { token } = await person(role);
      const supabase = await signedIn(role);
      for (const topic of TOPICS) {
        for (const isPrivate of [true, false]) {
          const sender = await hear(supabase, topic.name, { isPrivate });
          if (sender.state === "SUBSCRIBED") {
            await sender.channel.send({ type: "broadcast", event: "ticket_event", payload: forged });
            await supabase.removeChannel(sender.channel);
          }
          const answer = await fetch(`${URL_BASE}/realtime/v1/api/broadcast`, {
            method: "POST",
            headers: {
              apikey: PUBLISHABLE_KEY,
              authorization: `Bearer ${token}`,
              "content-type": "application/json",
            },
            body: JSON.stringify({
              messages: [{ topic: topic.name, event: "ticket_event", payload: forged, private: isPrivate }],
            }),
          });
          await answer.body?.cancel();
        }
        // A broadcast on a topic that was never joined.
        supabase.realtime.push({
          topic: `realtime:${topic.name}`,
          event: "broadcast",
          payload: { type: "broadcast", event: "ticket_event", payload: forged },
          ref: "1",
        });
      }
      const { error } = await supabase.rpc("publish_municipality_event", {
        municipality_id: MUNICIPALITIES.mbombela.id,
        event: forged,
      });
      assertNotEquals(error, null);
    }

    for (const { slug, gbv } of TOPICS) await publish(slug, gbv, { end: true });
    await until(
      "the end",
      () => listeners.every(({ messages }) => messages.some(({ payload }) => payload.end)),
    );
    assertEquals(listeners.map(({ messages }) => messages.length), [1, 1, 1, 1]);
    assertEquals([dashboard.calls, dashboard.faults], [calls, []]);
  },
});

Deno.test({
  name: "who joins a municipality's topic as a public channel hears nothing of it",
  ...quiet,
  async fn() {
    const citizen = await hear(await signedIn("citizen"), topicOf("mbombela"), { isPrivate: false });
    const manager = await hear(await signedIn("manager"), topicOf("mbombela"));
    await publish("mbombela", false, { end: true });
    await until("it is told", () => manager.messages.length === 1);
    assertEquals(citizen.messages, []);
  },
});
