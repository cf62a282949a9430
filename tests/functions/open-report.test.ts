// Who opens a report, by function and by rpc, and that each opening is recorded before anything is decrypted.
import { assert, assertEquals } from "../support/assert.ts";
import { assertRefused, call, claimsOf, database, visible } from "../support/functions.ts";
import {
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  type Role,
  ROLES,
  service,
  type Slug,
  SLUGS,
} from "../support/stack.ts";
import { ticketFile } from "../support/files.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import { testsNeeding } from "../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

const SEE_SENSITIVE: Role[] = ["admin", "saps_liaison"];

async function report(slug: Slug, sensitive: boolean, from = newSender()) {
  const { number, gbvNumber } = MUNICIPALITIES[slug];
  const word = `canary${crypto.randomUUID().replaceAll("-", "")}`;
  const sent = await accepted(from, sensitive ? gbvNumber : number, { body: `He hits me ${word}` });
  return { from, word, slug, sensitive, sid: sent.message_sid, ticket: await ticketOf(sent.message_sid) };
}

const open = (who: Person, body: Record<string, unknown>) => call("open-report", { token: who.token, body });

async function openings(
  ticketId: string,
): Promise<{ user_id: string; user_role: string; details: Record<string, unknown> }[]> {
  return await database((sql) =>
    sql`select user_id, user_role, details from public.custody_records
      where ticket_id = ${ticketId} and event = 'report_opened' order by recorded_at` as never
  );
}

/** Refused tries to open the ticket or the message, in either municipality's log. */
function refusals(ticketId: string, sid: string) {
  return database((sql) =>
    sql`select tenant_id, user_id, user_role, details, ticket_id from public.custody_records
      where event = 'report_refused' and (ticket_id = ${ticketId} or details -> 'message_sids' ? ${sid})`
  );
}

const otherThan = (slug: Slug) => SLUGS.find((other) => other !== slug)!;

for (const slug of SLUGS) {
  test(`${slug}: who reads a report, with its sender and without; each opening is recorded, and each refusal`, async () => {
    for (const sensitive of [true, false]) {
      const { ticket, word, from, sid } = await report(slug, sensitive);
      let opened = 0, refused = 0;
      for (const of of SLUGS) {
        for (const role of ROLES) {
          const who = await person(role, of);
          const staff = of === slug && role !== "citizen";
          const words = staff && (!sensitive || SEE_SENSITIVE.includes(role));
          const sender = words && (sensitive || ["manager", "admin"].includes(role));
          for (const include_sender of [false, true]) {
            for (const which of [{ ticket_id: ticket.id }, { message_sids: [sid] }]) {
              const answer = await open(who, { ...which, include_sender });
              const what = `${sensitive ? "sensitive" : "ordinary"}, ${role} of ${of}, ${
                JSON.stringify(which)
              } ${include_sender}`;
              if (include_sender ? sender : words) {
                assertEquals(answer.status, 200, what);
                const [message] = (answer.body as { messages: Record<string, unknown>[] }).messages;
                assertEquals([message!.text, message!.sender], [
                  `He hits me ${word}`,
                  include_sender ? from : undefined,
                ], what);
                opened++;
                const last = (await openings(ticket.id)).at(-1)!;
                assertEquals([last.user_id, last.user_role, last.details.include_sender], [
                  who.userId,
                  role,
                  include_sender,
                ]);
                assertEquals(last.details.request_id, answer.headers.get("x-request-id"));
              } else {
                const absent = !words && role !== "citizen";
                assertRefused(answer, absent ? "not_found" : "forbidden", what);
                if (absent) refused++;
              }
            }
          }
        }
      }
      assertEquals(
        (await openings(ticket.id)).length,
        opened,
        "an opening is not recorded, or a refusal as one",
      );
      const tries = await refusals(ticket.id, sid);
      assertEquals(tries.length, refused, "a refusal is not recorded");
      for (const { tenant_id, user_id, user_role } of tries) {
        const who = await person(
          user_role as Role,
          tenant_id === MUNICIPALITIES[slug].id ? slug : otherThan(slug),
        );
        assertEquals(user_id, who.userId, "in the log of whose municipality asked");
      }
    }
  });
}

test("a list with one message that may not be read is not found, and nothing of it is opened", async () => {
  const manager = await person("manager");
  const hidden = await report("mbombela", true), foreign = await report("polokwane", false);
  const own = await report("mbombela", false);
  for (const other of [hidden.sid, foreign.sid, `MM${"0".repeat(32)}`]) {
    assertRefused(await open(manager, { message_sids: [own.sid, other] }), "not_found");
  }
  assertEquals((await openings(own.ticket.id)).length, 0);
});

test("a ticket that does not exist is refused and recorded as a hidden one is", async () => {
  const manager = await person("manager");
  const hidden = await report("mbombela", true);
  const nowhere = crypto.randomUUID();
  const answers = [];
  for (const ticket_id of [hidden.ticket.id, nowhere]) {
    answers.push(visible(await open(manager, { ticket_id })));
  }
  assertEquals(answers[0], answers[1]);
  const tries = [];
  for (const id of [hidden.ticket.id, nowhere]) tries.push(await refusals(id, ""));
  assertEquals(tries.map((records) => records.map(({ user_role }) => user_role)), [["manager"], ["manager"]]);
  // nor by rpc, where nothing is raised that would take the record back
  const { data, error } = await manager.supabase.rpc("open_messages", {
    request_id: "x",
    ticket_id: hidden.ticket.id,
  });
  assertEquals([data, error], [[], null]);
  assertEquals((await refusals(hidden.ticket.id, "")).length, 2);
});

test("where the record cannot be written nothing is opened", async () => {
  const admin = await person("admin");
  const { ticket } = await report("mbombela", true);
  const refuse = (on: boolean) =>
    database((sql) =>
      sql.unsafe(
        on
          ? "alter table public.custody_records add constraint no_opening check (event <> 'report_opened') not valid"
          : "alter table public.custody_records drop constraint no_opening",
      )
    );
  await refuse(true);
  try {
    assertRefused(await open(admin, { ticket_id: ticket.id }), "internal");
  } finally {
    await refuse(false);
  }
  assertEquals((await open(admin, { ticket_id: ticket.id })).status, 200);
});

test("bad requests are told so: both, neither, too many, no id", async () => {
  const admin = await person("admin");
  const sid = `MM${"a".repeat(32)}`, id = crypto.randomUUID();
  for (
    const body of [
      {},
      { ticket_id: id, message_sids: [sid] },
      { message_sids: [] },
      { message_sids: ["x"] },
      {
        message_sids: Array(101).fill(sid),
      },
      { ticket_id: "1" },
      { ticket_id: id, other: 1 },
      { ticket_id: id, include_sender: "yes" },
    ]
  ) assertRefused(await open(admin, body), "invalid_request", JSON.stringify(body));
  assertRefused(await call("open-report", { body: { ticket_id: id } }), "unauthorized");
});

test("where a municipality asks for a second factor, its GBV reports and files are shown with one only", async () => {
  const { ticket } = await report("polokwane", true);
  const liaison = await person("saps_liaison", "polokwane"),
    elsewhere = await person("saps_liaison", "mbombela");
  const theirs = await report("mbombela", true);
  const set = (on: boolean) =>
    database((sql) =>
      sql`update public.municipalities set gbv_requires_mfa = ${on} where slug = 'polokwane'`
    );
  const sees = (aal: string, slug: Slug, id: string) =>
    database((sql) =>
      sql.begin(async (tx) => {
        const claims = { ...claimsOf((slug === "polokwane" ? liaison : elsewhere).token), aal };
        await tx`select set_config('request.jwt.claims', ${
          JSON.stringify(claims)
        }, true), set_config('role', 'authenticated', true)`;
        const rows = await tx`select from public.tickets where id = ${id}`;
        const opened = await tx.savepoint((inner) => inner`select from public.open_messages('x', ${id})`)
          .catch(() => []);
        assertEquals(opened.length > 0, rows.length > 0);
        return rows.length > 0;
      })
    );
  await set(true);
  try {
    assertRefused(await open(liaison, { ticket_id: ticket.id }), "not_found");
    assertEquals(await sees("aal1", "polokwane", ticket.id), false);
    assertEquals(await sees("aal2", "polokwane", ticket.id), true);
    assertEquals(
      await sees("aal1", "mbombela", theirs.ticket.id),
      true,
      "the other municipality does not ask",
    );
  } finally {
    await set(false);
  }
});

for (const slug of SLUGS) {
  test(`${slug}: any staff member hides a ticket at once, and only police liaison and admins take it back`, async () => {
    for (const role of ROLES) {
      const who = await person(role, slug);
      const { ticket } = await report(slug, false);
      const stranger = await person("admin", slug === "mbombela" ? "polokwane" : "mbombela");
      assertEquals(
        (await stranger.supabase.rpc("mark_ticket_sensitive", { ticket_id: ticket.id })).error?.message,
        "not_found",
      );
      const { data, error } = await who.supabase.rpc("mark_ticket_sensitive", { ticket_id: ticket.id });
      if (role === "citizen") {
        assertEquals(error?.message, "not_found");
        continue;
      }
      assertEquals([data, error], [true, null], role);
      assert((await ticketOf((await report(slug, false)).sid)).is_sensitive === false, "another ticket");
      const hidden = await ok(
        service.from("tickets").select("is_sensitive, description").eq("id", ticket.id).single(),
      );
      assertEquals(hidden, { is_sensitive: true, description: null } as never);
      const [record] = await database((sql) =>
        sql`select user_id, user_role from public.custody_records where ticket_id = ${ticket.id} and event = 'marked_sensitive'`
      );
      assertEquals([record!.user_id, record!.user_role], [who.userId, role]);
      if (SEE_SENSITIVE.includes(role)) continue;
      // as if it did not exist, also for who marked it
      assertEquals(
        (await who.supabase.rpc("mark_ticket_sensitive", { ticket_id: ticket.id })).error?.message,
        "not_found",
      );
      await who.supabase.from("tickets").update({ is_sensitive: false }).eq("id", ticket.id);
      assertEquals(
        (await ok(service.from("tickets").select("is_sensitive").eq("id", ticket.id).single()))!.is_sensitive,
        true,
      );
    }
  });
}

test("a message moves with its files to another ticket of the same sender, or a new one, by managers and admins", async () => {
  const manager = await person("manager"),
    worker = await person("field_worker"),
    stranger = await person("manager", "polokwane");
  const from = newSender();
  const first = await report("mbombela", false, from);
  const photo = await accepted(from, MUNICIPALITIES.mbombela.number, {
    body: "and a pothole",
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await settled(photo.message_sid, 1);
  const move = (who: Person, ticket_id: string | null) =>
    who.supabase.rpc("move_message", { message_sid: photo.message_sid, ticket_id });

  assertEquals((await move(worker, null)).error?.message, "forbidden");
  assertEquals((await move(stranger, null)).error?.message, "not_found");
  const elsewhere = await report("mbombela", false);
  assertEquals(
    (await move(manager, elsewhere.ticket.id)).error?.message,
    "not_found",
    "another sender's ticket",
  );
  const { data: fresh, error } = await move(manager, null);
  assertEquals(error, null);
  const files = await ok(
    service.from("media_attachments").select("ticket_id").eq("message_sid", photo.message_sid),
  );
  assertEquals(files, [{ ticket_id: fresh }] as never);
  assertEquals((await ticketOf(photo.message_sid)).description, "and a pothole");
  assertEquals((await move(manager, first.ticket.id)).data, first.ticket.id);
});

test("a description that was the message's words goes with it; one that staff wrote stays", async () => {
  const manager = await person("manager"), from = newSender();
  const first = await report("mbombela", false, from);
  await accepted(from, MUNICIPALITIES.mbombela.number, {
    body: "",
    params: { Latitude: "-25.4", Longitude: "30.9" },
  });
  const second = await accepted(from, MUNICIPALITIES.mbombela.number, { body: "and a pothole" });
  const description = async (id: string) =>
    (await ok(service.from("tickets").select("description").eq("id", id).single())).description;
  const move = async (message_sid: string, ticket_id: string | null): Promise<string> =>
    await ok(manager.supabase.rpc("move_message", { message_sid, ticket_id }));
  const fresh = await move(first.sid, null);
  assertEquals(await description(fresh), `He hits me ${first.word}`);
  assertEquals(
    await description(first.ticket.id),
    "and a pothole",
    "the next words, past a place without any",
  );
  await move(second.message_sid, fresh);
  assertEquals(await description(first.ticket.id), null);
  await move(first.sid, first.ticket.id);
  assertEquals(await description(first.ticket.id), `He hits me ${first.word}`, "the first words that come");
  assertEquals(await description(fresh), "and a pothole");
  await ok(
    manager.supabase.from("tickets").update({ description: "Hole in Main Road" }).eq("id", fresh).select(
      "id",
    ),
  );
  await move(second.message_sid, first.ticket.id);
  assertEquals(await description(fresh), "Hole in Main Road");
});

test("a message that moves into a sensitive ticket is hidden at once; out of it only police liaison and admins bring it", async () => {
  const manager = await person("manager"), admin = await person("admin");
  const from = newSender();
  const pothole = await report("mbombela", false, from), gbv = await report("mbombela", true, from);
  const photo = await accepted(from, MUNICIPALITIES.mbombela.number, {
    body: "my boyfriend",
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await settled(photo.message_sid, 1);
  const move = (who: Person, ticket_id: string | null) =>
    who.supabase.rpc("move_message", { message_sid: photo.message_sid, ticket_id });
  assertEquals((await move(manager, gbv.ticket.id)).error?.message, "not_found", "as if it did not exist");
  assertEquals((await move(admin, gbv.ticket.id)).error, null);
  const read = (who: Person) =>
    ok(who.supabase.from("inbound_messages").select("body").eq("message_sid", photo.message_sid));
  assertEquals(await read(manager), []);
  assertEquals(await read(admin), [{ body: null }] as never);
  const file = () =>
    ok(
      service.from("media_attachments").select("is_sensitive").eq("message_sid", photo.message_sid).single(),
    );
  assertEquals((await file())!.is_sensitive, true);
  assertEquals((await move(manager, null)).error?.message, "not_found");
  assertEquals((await move(admin, pothole.ticket.id)).error, null);
  assertEquals(await read(manager), [{ body: null }] as never, "its words do not come back");
});

test("police liaison and admins see that the same sender has other tickets, and nobody else does", async () => {
  const from = newSender();
  const pothole = await report("mbombela", false, from), gbv = await report("mbombela", true, from);
  for (const role of ROLES) {
    for (const slug of SLUGS) {
      const who = await person(role, slug);
      const others = await who.supabase.rpc("other_tickets_of_sender", { ticket_id: gbv.ticket.id });
      if (!SEE_SENSITIVE.includes(role)) assertEquals(others.error?.message, "forbidden");
      else {assertEquals(
          others.data.map(({ id }: { id: string }) => id),
          slug === "mbombela" ? [pothole.ticket.id] : [],
        );}
      const ofOrdinary = await who.supabase.rpc("other_tickets_of_sender", { ticket_id: pothole.ticket.id });
      assertEquals(ofOrdinary.data ?? [], [], "an ordinary ticket tells nobody");
    }
  }
  const admin = await person("admin");
  await ticketFile(admin, pothole.ticket.id);
});

test("a ticket is unread while a resident wrote later than somebody read it", async () => {
  const worker = await person("field_worker"), citizen = await person("citizen");
  const { ticket } = await report("mbombela", false);
  const unread = async () => {
    const row = await ok(
      worker.supabase.from("tickets").select("last_message_at, last_read_at").eq("id", ticket.id).single(),
    ) as Record<string, string | null>;
    return row.last_message_at! > (row.last_read_at ?? "");
  };
  assertEquals(await unread(), true);
  assertEquals(
    (await citizen.supabase.rpc("mark_ticket_read", { ticket_id: ticket.id })).error?.message,
    "not_found",
  );
  await worker.supabase.rpc("mark_ticket_read", { ticket_id: ticket.id });
  assertEquals(await unread(), false);
});
