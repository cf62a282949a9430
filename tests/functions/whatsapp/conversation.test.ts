// Who reads what residents wrote: as the ticket is read, in the clear for ordinary tickets, sealed alone for sensitive ones.
import { assert, assertEquals } from "../../support/assert.ts";
import { anonymous, MUNICIPALITIES, ok, person, ROLES, service, SLUGS } from "../../support/stack.ts";
import { accepted, newSender, ticketOf } from "../../support/whatsapp.ts";
import { change } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

const COLUMNS = "message_sid, ticket_id, kind, body, latitude, longitude, place, received_at";
const SEE_SENSITIVE = ["admin", "saps_liaison"];

/** A conversation of words and a place. */
async function conversation(to: string) {
  const from = newSender(), word = `canary${crypto.randomUUID().replaceAll("-", "")}`;
  const first = await accepted(from, to, { body: `first ${word}` });
  await accepted(from, to, {
    body: "",
    params: { Latitude: "-25.47", Longitude: "30.98", Label: `Clinic ${word}`, Address: "1 Main Rd" },
  });
  return { word, from, ticket: await ticketOf(first.message_sid), message_sid: first.message_sid };
}

for (const slug of SLUGS) {
  const { number, gbvNumber } = MUNICIPALITIES[slug];

  test(`${slug}: each role reads the messages of the tickets it reads, words of ordinary ones alone`, async () => {
    const ordinary = await conversation(number), sensitive = await conversation(gbvNumber);
    for (const [what, { ticket, word }] of Object.entries({ ordinary, sensitive })) {
      for (const of of SLUGS) {
        for (const role of ROLES) {
          const who = await person(role, of);
          const rows = await ok(
            who.supabase.from("inbound_messages").select(COLUMNS).eq("ticket_id", ticket.id),
          );
          const reads = of === slug && role !== "citizen" &&
            (what === "ordinary" || SEE_SENSITIVE.includes(role));
          assertEquals(rows!.length, reads ? 2 : 0, `${what}, ${role} of ${of}`);
          assertEquals(
            JSON.stringify(rows).includes(word),
            reads && what === "ordinary",
            `${what}, ${role} of ${of}`,
          );
          for (
            const column of [
              "encrypted_payload",
              "sender_refs",
              "sender_id",
              "channel_number",
              "is_sensitive",
            ]
          ) {
            const { error } = await who.supabase.from("inbound_messages").select(column);
            assertEquals(error?.code, "42501", `${column}, ${role}`);
          }
        }
      }
      assert((await anonymous.from("inbound_messages").select(COLUMNS)).error);
    }
    const [, place] = await ok(
      (await person("field_worker", slug)).supabase.from("inbound_messages").select(COLUMNS)
        .eq("ticket_id", ordinary.ticket.id).order("received_at"),
    ) as Record<string, unknown>[];
    assertEquals([place!.kind, place!.latitude, place!.longitude, place!.place], [
      "location",
      -25.47,
      30.98,
      `Clinic ${ordinary.word}, 1 Main Rd`,
    ]);
  });

  test(`${slug}: a ticket that turns sensitive loses its clear words and places in the same transaction`, async () => {
    const { ticket, word, from, message_sid } = await conversation(number);
    const before = await ok(
      service.from("inbound_messages").select("encrypted_payload").eq("message_sid", message_sid).single(),
    );
    await change(ticket.id, { category: "gbv" });
    const messages = await ok(service.from("inbound_messages").select("*").eq("ticket_id", ticket.id));
    const { description } = await ok(
      service.from("tickets").select("description").eq("id", ticket.id).single(),
    );
    assertEquals(description, null);
    assertEquals(messages!.length, 2);
    assert(!JSON.stringify(messages).includes(word));
    for (const message of messages!) {
      assertEquals([message.is_sensitive, message.body, message.latitude, message.longitude, message.place], [
        true,
        null,
        null,
        null,
        null,
      ]);
    }
    const after = await ok(
      service.from("inbound_messages").select("encrypted_payload").eq("message_sid", message_sid).single(),
    );
    assertEquals(after, before);
    const manager = await person("manager", slug), liaison = await person("saps_liaison", slug);
    const read = (who: typeof manager) =>
      ok(who.supabase.from("inbound_messages").select("message_sid").eq("ticket_id", ticket.id));
    assertEquals([(await read(manager))!.length, (await read(liaison))!.length], [0, 2]);
    // taking it back does not bring the words back
    await change(ticket.id, { category: "other", is_sensitive: false });
    assertEquals((await read(manager))!.length, 2);
    assert(
      !JSON.stringify(
        await ok(manager.supabase.from("inbound_messages").select(COLUMNS).eq("ticket_id", ticket.id)),
      ).includes(word),
    );
    const last = await accepted(from, number, { body: "and now" });
    assertEquals((await ticketOf(last.message_sid)).id, ticket.id);
  });
}

test("the first words that come are the ticket's description, and a message moves the ticket to the top", async () => {
  const { number } = MUNICIPALITIES.mbombela, from = newSender();
  const place = await accepted(from, number, {
    body: "",
    params: { Latitude: "-25.47", Longitude: "30.98" },
  });
  const before = await ticketOf(place.message_sid);
  assertEquals(before.description, null);
  await accepted(from, number, { body: "Water" });
  await accepted(from, number, { body: "still" });
  const row = await ok(
    service.from("tickets").select("description, updated_at, last_message_at").eq("id", before.id).single(),
  );
  assertEquals(row!.description, "Water");
  assertEquals(row!.updated_at, row!.last_message_at);
});

test("1,600 characters of any Unicode come back as they were", async () => {
  const words = Array.from(
    { length: 800 },
    (_, i) => String.fromCodePoint([0x1f600 + i % 60, 0x202e, 0x0301, 0xe000 + i, 0x61][i % 5]!),
  )
    .join("").slice(0, 1600).toWellFormed();
  const sent = await accepted(newSender(), MUNICIPALITIES.mbombela.number, { body: words });
  const { body } = await ok(
    (await person("manager")).supabase.from("inbound_messages").select("body").eq(
      "message_sid",
      sent.message_sid,
    ).single(),
  ) as { body: string };
  assertEquals(body, words);
});

test("what a resident wrote is never changed, by the database's owner neither; its clear words can only go", async () => {
  const { message_sid } = await conversation(MUNICIPALITIES.mbombela.number);
  const { database } = await import("../../support/functions.ts");
  for (
    const change of [
      "body = 'other'",
      "received_at = now()",
      "kind = 'contact'",
      "sender_refs = '{aaaaaaaaaaaaaaaaaaaa}'",
    ]
  ) {
    const code = await database((sql) =>
      sql.unsafe(`update public.inbound_messages set ${change} where message_sid = '${message_sid}'`)
        .then(() => "changed", (error) => error.code)
    );
    assertEquals(code, "42501", change);
  }
});
