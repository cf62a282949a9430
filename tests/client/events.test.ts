// What the triggers send: exactly these payloads, on these topics, for what is committed and nothing else.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { serviceFile, ticketFile } from "../support/files.ts";
import {
  connect,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  SECRET_KEY,
  service,
  URL_BASE,
} from "../support/stack.ts";
import { hear, type Heard, hearing, leaveAll, payloads, quiet, signedIn, topicOf } from "./support.ts";

const tenant = MUNICIPALITIES.mbombela.id;
const sql = connect();

Deno.test.afterEach(leaveAll);
Deno.test.afterAll(() => sql.end());

type Told = { general: Heard["messages"]; gbv: Heard["messages"] };

/** Lends what tells the messages that some work causes on the municipality's two topics. */
function test(name: string, fn: (told: (work: () => Promise<unknown>) => Promise<Told>) => Promise<void>) {
  Deno.test({
    name,
    ...quiet,
    async fn() {
      const admin = await signedIn("admin");
      const channels = {
        general: await hear(admin, topicOf("mbombela")),
        gbv: await hear(admin, topicOf("mbombela", true)),
      };
      await fn((work) => hearing("mbombela", channels, work));
    },
  });
}

async function change(id: string, fields: Record<string, unknown>): Promise<void> {
  await ok(service.from("tickets").update(fields).eq("id", id).select("id"));
}

/** What everybody on a topic is told of every ticket. */
const four = (type: string, ticket_id: string, status = "open") => ({
  type,
  ticket_id,
  status,
  municipality_id: tenant,
});

/** Events and their payloads without the `id` that realtime.send adds. */
const shown = (messages: Heard["messages"]): Record<string, unknown>[] =>
  payloads(messages).map((payload, n) => ({ event: messages[n]!.event, ...payload }));
const event = "ticket_event";

test("an ordinary ticket: INSERT, UPDATE and DELETE with the four fields, and no more", async (told) => {
  let id = "";
  const inserted = await told(
    async () => ({ id } = await makeTicket("mbombela", { category: "roads", severity: "high" })),
  );
  assertEquals(shown(inserted.general), [{ event, ...four("INSERT", id) }]);
  assertEquals(inserted.gbv, []);
  const updated = await told(() => change(id, { status: "escalated", description: "secret words" }));
  assertEquals(shown(updated.general), [{ event, ...four("UPDATE", id, "escalated") }]);
  const deleted = await told(() => sql`delete from public.tickets where id = ${id}`);
  assertEquals(shown(deleted.general), [{ event, ...four("DELETE", id, "escalated") }]);
  assertEquals([updated.gbv, deleted.gbv], [[], []]);
});

test("a sensitive ticket: four fields on the GBV topic, not a word on the general one", async (told) => {
  let id = "";
  const inserted = await told(
    async () => ({ id } = await makeTicket("mbombela", {
      is_sensitive: true,
      category: "gbv",
      severity: "critical",
    })),
  );
  const updated = await told(() => change(id, { status: "in_progress", severity: "high", language: "zu" }));
  const deleted = await told(() => sql`delete from public.tickets where id = ${id}`);
  assertEquals([inserted, updated, deleted].map(({ gbv }) => shown(gbv)), [
    [{ event, ...four("INSERT", id) }],
    [{ event, ...four("UPDATE", id, "in_progress") }],
    [{ event, ...four("DELETE", id, "in_progress") }],
  ]);
  assertEquals([inserted.general, updated.general, deleted.general], [[], [], []]);
});

test("sensitivity turned on: DELETE of four fields where it was seen, as it was then, INSERT on GBV; and off again", async (told) => {
  const { id } = await makeTicket("mbombela");
  const on = await told(() => change(id, { is_sensitive: true, status: "escalated" }));
  assertEquals(shown(on.general), [{ event, ...four("DELETE", id, "open") }]);
  assertEquals(shown(on.gbv), [{ event, ...four("INSERT", id, "escalated") }]);
  const off = await told(() => change(id, { is_sensitive: false }));
  assertEquals(shown(off.gbv), [{ event, ...four("DELETE", id, "escalated") }]);
  assertEquals(shown(off.general), [{ event, ...four("INSERT", id, "escalated") }]);
});

test("a ticket that goes to another municipality: DELETE here, INSERT there", async (told) => {
  const there = await hear(await signedIn("manager", "polokwane"), topicOf("polokwane"));
  const { id } = await makeTicket("mbombela");
  const { general, gbv } = await told(() => change(id, { tenant_id: MUNICIPALITIES.polokwane.id }));
  assertEquals(shown(general), [{ event, ...four("DELETE", id) }]);
  assertEquals(gbv, []);
  const back = await hearing("polokwane", { general: there }, () => change(id, { tenant_id: tenant }));
  assertEquals(shown(back.general), [{
    event,
    ...four("DELETE", id),
    municipality_id: MUNICIPALITIES.polokwane.id,
  }]);
  const again = await hearing(
    "polokwane",
    { general: there },
    () => change(id, { tenant_id: MUNICIPALITIES.polokwane.id }),
  );
  assertEquals(shown(again.general), [
    { event, ...four("INSERT", id), municipality_id: MUNICIPALITIES.polokwane.id },
  ]);
});

test("what a staff member writes with his own token is told too: the trigger does not run as him", async (told) => {
  const manager = await person("manager");
  const { general } = await told(() =>
    ok(manager.supabase.from("tickets").insert({ tenant_id: tenant, category: "water" }).select("id"))
  );
  assertEquals(payloads(general).map(({ type }) => type), ["INSERT"]);
});

test("the trap: as INVOKER the same trigger saves the row and loses the message", async (told) => {
  const manager = await person("manager");
  await sql`alter function private.announce_ticket_changes() security invoker`;
  try {
    const { general } = await told(() =>
      ok(manager.supabase.from("tickets").insert({ tenant_id: tenant, category: "water" }).select("id"))
    );
    assertEquals(general, []);
  } finally {
    await sql`alter function private.announce_ticket_changes() security definer`;
  }
});

test("a writer's session in another time zone changes neither payloads nor the messages' times", async (told) => {
  let id = "";
  const { general } = await told(() =>
    sql.begin(async (tx) => {
      await tx`set local timezone = 'Africa/Johannesburg'`;
      [{ id }] =
        await tx`insert into public.tickets (tenant_id) values (${tenant}) returning id` as unknown as [
          { id: string },
        ];
    })
  );
  assertEquals(shown(general), [{ event, ...four("INSERT", id) }]);
  const [{ age }] = await sql`select extract(epoch from now() at time zone 'utc' - inserted_at)::float8 as age
    from realtime.messages where payload ->> 'ticket_id' = ${id}` as unknown as [{ age: number }];
  assert(age >= 0 && age < 60, `${age}`);
});

test("rolled back, as a whole or to a savepoint: nothing is sent", async (told) => {
  const { general, gbv } = await told(async () => {
    const undo = new Error("undo");
    await sql.begin(async (tx) => {
      await tx`insert into public.tickets (tenant_id) values (${tenant})`;
      await tx`insert into public.tickets (tenant_id, is_sensitive) values (${tenant}, true)`;
      throw undo;
    }).catch((error) => assertEquals(error, undo));
    await sql.begin(async (tx) => {
      await tx`insert into public.tickets (tenant_id, category) values (${tenant}, 'waste')`;
      await tx.savepoint(async (point) => {
        await point`insert into public.tickets (tenant_id, category) values (${tenant}, 'roads')`;
        throw undo;
      }).catch((error) => assertEquals(error, undo));
    });
  });
  assertEquals(payloads(general).map(({ type }) => type), ["INSERT"]);
  assertEquals(gbv, []);
});

test("nothing is sent for a statement that changes no ticket", async (told) => {
  const { general } = await told(() => sql`update public.tickets set severity = 'low' where false`);
  assertEquals(general, []);
});

// Bulk ----------------------------------------------------------------------------------------------------------------

async function manyTickets(count: number, sensitive = false): Promise<void> {
  await sql`insert into public.tickets (tenant_id, category, is_sensitive)
    select ${tenant}, 'waste', ${sensitive} from generate_series(1, ${count}::int)`;
}
const clear = () => sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;

test("an UPDATE of 10,000 tickets is one BULK, of 51 one, of 50 and of 30 as many as tickets", async (told) => {
  try {
    for (const [count, messages] of [[10_000, 1], [51, 1], [50, 50], [30, 30]] as const) {
      await clear();
      await manyTickets(count);
      const { general, gbv } = await told(() =>
        sql`update public.tickets set severity = 'low' where tenant_id = ${tenant} and category = 'waste'`
      );
      assertEquals([general.length, gbv.length], [messages, 0], `${count}`);
      if (messages === 1) {
        assertEquals(shown(general), [{ event, type: "BULK", municipality_id: tenant, count }]);
      } else assert(payloads(general).every(({ type }) => type === "UPDATE"));
    }
  } finally {
    await clear();
  }
});

test("inserts and deletes in bulk are one message each", async (told) => {
  const { general } = await told(async () => {
    await manyTickets(60);
    await clear();
  });
  const bulk = { event, type: "BULK", municipality_id: tenant, count: 60 };
  assertEquals(shown(general), [bulk, bulk]);
});

test("mixed topics are counted each by itself", async (told) => {
  try {
    await manyTickets(60);
    await manyTickets(30, true);
    const { general, gbv } = await told(() =>
      sql`update public.tickets set severity = 'low' where tenant_id = ${tenant} and category = 'waste'`
    );
    assertEquals(shown(general), [{ event, type: "BULK", municipality_id: tenant, count: 60 }]);
    assertEquals(gbv.length, 30);
    for (const payload of payloads(gbv)) {
      assertEquals(Object.keys(payload).sort(), Object.keys(four("", "")).sort());
    }
  } finally {
    await clear();
  }
});

test("tickets that turn sensitive in bulk: the general topic is told which left, and nothing else of them", async (told) => {
  try {
    for (const count of [60, 20]) {
      await clear();
      await manyTickets(count);
      const rows =
        await sql`select id from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
      const { general, gbv } = await told(() =>
        sql`update public.tickets set is_sensitive = true where tenant_id = ${tenant} and category = 'waste'`
      );
      const left = rows.map(({ id }) => id).sort();
      if (count === 60) {
        assertEquals(general.length, 1);
        const { left: told, ...rest } = payloads(general)[0] as { left: string[] };
        assertEquals(told.toSorted(), left);
        assertEquals(rest, { type: "BULK", municipality_id: tenant, count } as never);
        assertEquals(shown(gbv), [{ event, type: "BULK", municipality_id: tenant, count }]);
      } else {
        const sorted = payloads(general).sort((a, b) => String(a.ticket_id) < String(b.ticket_id) ? -1 : 1);
        assertEquals(sorted, left.map((id) => four("DELETE", id)));
        assertEquals(gbv.length, count);
      }
    }
  } finally {
    await clear();
  }
});

test("more than 2,000 that turn sensitive at once: no list of ids, which Realtime would drop, but to read all again", async (told) => {
  try {
    await manyTickets(2001);
    const { general } = await told(() =>
      sql`update public.tickets set is_sensitive = true where tenant_id = ${tenant} and category = 'waste'`
    );
    assertEquals(shown(general), [{
      event,
      type: "BULK",
      municipality_id: tenant,
      count: 2001,
      reload: true,
    }]);
  } finally {
    await clear();
  }
});

test("who joins later is replayed nothing of a ticket that turned sensitive, but that it went; of others all", async () => {
  const { id: hidden } = await makeTicket("mbombela", { category: "roads" });
  const { id: open } = await makeTicket("mbombela", { category: "roads" });
  await change(hidden, { status: "in_progress" });
  await change(hidden, { category: "gbv" });
  await change(hidden, { status: "escalated" });
  await manyTickets(60);
  await sql`update public.tickets set is_sensitive = true where tenant_id = ${tenant} and category = 'waste'`;
  await clear();
  const replayed = await sql<{ payload: Record<string, unknown> }[]>`
    select payload from realtime.messages where topic = ${topicOf("mbombela")} order by inserted_at`;
  const about = (id: string) =>
    replayed.filter(({ payload }) => payload.ticket_id === id).map(({ payload }) => payload.type);
  assertEquals(about(hidden), ["DELETE"]);
  assertEquals(about(open), ["INSERT"]);
});

// Files ---------------------------------------------------------------------------------------------------------------

test("a file that becomes stored, and one that fails: media_event; of GBV files on the GBV topic only", async (told) => {
  const [manager, admin] = [await person("manager"), await person("admin")];
  const { id: open } = await makeTicket("mbombela");
  const { id: secret } = await makeTicket("mbombela", { is_sensitive: true });
  let stored = "", hidden = "", failed = "", ownerless = "";
  const { general, gbv } = await told(async () => {
    stored = (await ticketFile(manager, open)).fileId;
    hidden = (await ticketFile(admin, secret)).fileId;
    ownerless = (await serviceFile("gbv-evidence", "mbombela")).fileId;
    failed = crypto.randomUUID();
    await sql`insert into public.media_attachments (file_id, tenant_id, bucket, path, filename, content_type, purpose)
      values (${failed}, ${tenant}, 'documents', ${`${tenant}/${failed}/a.pdf`}, 'a.pdf', 'application/pdf', 'documents')`;
    await sql`update public.media_attachments set attempts = 1 where file_id = ${failed}`;
    await sql`update public.media_attachments set status = 'failed', last_error = 'internal' where file_id = ${failed}`;
    await sql`update public.media_attachments set attempts = 2 where file_id = ${failed}`;
  });
  const media = (ticket_id: string | null, file_id: string, status: string, bucket: string) => ({
    event: "media_event",
    ticket_id,
    file_id,
    status,
    bucket,
    municipality_id: tenant,
  });
  assertEquals(shown(general), [
    media(open, stored, "stored", "evidence"),
    media(null, failed, "failed", "documents"),
  ]);
  assertEquals(shown(gbv), [
    media(secret, hidden, "stored", "gbv-evidence"),
    media(null, ownerless, "stored", "gbv-evidence"),
  ]);
});

// A backend's own events ----------------------------------------------------------------------------------------------

test("publish_municipality_event: as given, with the municipality, to those whom it concerns", async (told) => {
  const publish = (event: unknown, sensitive?: boolean) =>
    ok(service.rpc("publish_municipality_event", { municipality_id: tenant, event, sensitive }).select());
  const { general, gbv } = await told(async () => {
    await publish({ kind: "sla_breach", hours: 48, municipality_id: "another" });
    await publish({ kind: "secret" }, true);
  });
  assertEquals(shown(general), [
    { event: "municipality_event", kind: "sla_breach", hours: 48, municipality_id: tenant },
  ]);
  assertEquals(shown(gbv), [{ event: "municipality_event", kind: "secret", municipality_id: tenant }]);
});

test("publish_municipality_event refuses what is no object, an unknown municipality and every user", async (told) => {
  const call = async (key: string, token: string | undefined, body: unknown) => {
    const response = await fetch(`${URL_BASE}/rest/v1/rpc/publish_municipality_event`, {
      method: "POST",
      headers: {
        apikey: key,
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    return `${response.status} ${await response.text()}`;
  };
  const { token } = await person("admin");
  const { general, gbv } = await told(async () => {
    for (const event of [[1], "text", 1, null]) {
      assertMatch(
        await call(SECRET_KEY, undefined, { municipality_id: tenant, event }),
        /^400 .*invalid_request/,
      );
    }
    const unknown = { municipality_id: crypto.randomUUID(), event: {} };
    assertMatch(await call(SECRET_KEY, undefined, unknown), /^404 .*not_found/);
    assertMatch(
      await call(SECRET_KEY, undefined, { municipality_id: tenant, event: {}, sensitive: null }),
      /^404 /,
    );
    const own = { municipality_id: tenant, event: {} };
    assertMatch(await call(SECRET_KEY, token, own), /^40[13] .*42501/);
    assertMatch(await call(Deno.env.get("SUPABASE_PUBLISHABLE_KEY")!, undefined, own), /^40[13] .*42501/);
  });
  assertEquals([general, gbv], [[], []]);
});
