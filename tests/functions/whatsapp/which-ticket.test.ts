// Which ticket a message joins.
import { assertEquals, assertNotEquals } from "../../support/assert.ts";
import { storesNothing } from "../../support/functions.ts";
import { makeTicket, MUNICIPALITIES, ok, service, type Slug, SLUGS } from "../../support/stack.ts";
import { accepted, newSender, send, settled, ticketOf, twilio } from "../../support/whatsapp.ts";
import { age, change, GBV, GENERAL, refused, sampleOf, WEBHOOK } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

/** The ticket of a first message, and what a second one finds after something happened to it. */
async function followUp(
  between: (ticketId: string) => Promise<void>,
  { slug = "mbombela" as Slug, from = newSender(), next = {} as { from?: string; to?: string } } = {},
): Promise<{ first: string; second: string }> {
  const { number } = MUNICIPALITIES[slug];
  const first = (await ticketOf((await accepted(from, number)).message_sid)).id;
  await between(first);
  const sent = await accepted(next.from ?? from, next.to ?? number);
  return { first, second: (await ticketOf(sent.message_sid)).id };
}

for (const slug of SLUGS) {
  test(`${slug}: a follow-up joins the sender's open ticket`, async () => {
    for (const status of ["open", "in_progress", "escalated"]) {
      const { first, second } = await followUp((id) => change(id, { status }), { slug });
      assertEquals(second, first, status);
    }
  });

  test(`${slug}: a follow-up to a resolved or closed ticket opens a new one`, async () => {
    for (const status of ["resolved", "closed"]) {
      const { first, second } = await followUp((id) => change(id, { status }), { slug });
      assertNotEquals(second, first, status);
    }
  });
}

test("a follow-up joins a ticket of nearly 7 days, and not one older", async () => {
  const young = await followUp((id) => age(id, "6 days 23 hours"));
  assertEquals(young.second, young.first);
  const old = await followUp((id) => age(id, "7 days 1 minute"));
  assertNotEquals(old.second, old.first);
});

test("of several open tickets a follow-up joins the youngest", async () => {
  const from = newSender();
  const older = await ticketOf((await accepted(from, GENERAL)).message_sid);
  await change(older.id, { status: "resolved" });
  const younger = await ticketOf((await accepted(from, GENERAL)).message_sid);
  assertNotEquals(younger.id, older.id);
  await change(older.id, { status: "open" });
  await age(older.id, "3 days");
  assertEquals((await ticketOf((await accepted(from, GENERAL)).message_sid)).id, younger.id);
});

test("a message never joins another sender's ticket, nor one of another municipality", async () => {
  const sender = await followUp(() => Promise.resolve(), { next: { from: newSender() } });
  assertNotEquals(sender.second, sender.first);
  const { number, id } = MUNICIPALITIES.polokwane;
  const municipality = await followUp(() => Promise.resolve(), { next: { to: number } });
  assertNotEquals(municipality.second, municipality.first);
  const { tenant_id } = await ok(
    service.from("tickets").select("tenant_id").eq("id", municipality.second).single(),
  );
  assertEquals(tenant_id, id);
});

test("SMS and WhatsApp are two channels, and two numbers two threads", async () => {
  const from = newSender();
  const whatsapp = await ticketOf((await accepted(from, GENERAL)).message_sid);
  const sms = await twilio.sendMessage({ body: "Pothole", from, to: GENERAL });
  assertEquals(sms.status, 200);
  assertNotEquals((await ticketOf(sms.message_sid)).id, whatsapp.id);
  assertEquals((await ticketOf((await accepted(from, GENERAL)).message_sid)).id, whatsapp.id);
});

test("a sender whose number WhatsApp hides from now on joins the same ticket, by the ids that came with both", async () => {
  const from = newSender(), id = `ZA.${newSender().slice(1)}`, parent = `ZA.9${newSender().slice(1)}`;
  const first = await ticketOf((await accepted(from, GENERAL)).message_sid);
  const both = { params: { ExternalUserId: id, ParentExternalUserId: parent } };
  assertEquals((await ticketOf((await accepted(from, GENERAL, both)).message_sid)).id, first.id);
  for (const hidden of [id, parent]) {
    assertEquals((await ticketOf((await accepted(hidden, GENERAL)).message_sid)).id, first.id);
  }
  // and of a thread at another number, whose messages had the number alone
  const other = newSender(), otherId = `ZA.${newSender().slice(1)}`;
  const report = await ticketOf((await accepted(other, GBV)).message_sid);
  await accepted(other, GENERAL, { params: { ExternalUserId: otherId } });
  assertEquals((await ticketOf((await accepted(otherId, GBV)).message_sid)).id, report.id);
});

for (const slug of SLUGS) {
  test(`${slug}: ?ticket_id= names the ticket, if it is the municipality's own and Twilio signed it`, async () => {
    const { number } = MUNICIPALITIES[slug];
    const other = slug === "mbombela" ? "polokwane" : "mbombela";
    const own = await makeTicket(slug);
    const from = newSender();
    const file = await sampleOf("image/jpeg");
    await accepted(from, number); // has an open ticket, which is not the one named
    const sent = await accepted(from, number, { ticket_id: own.id, files: [file] });
    assertEquals((await ticketOf(sent.message_sid)).id, own.id);
    const [record] = await settled(sent.message_sid, 1);
    assertEquals([record!.ticket_id, record!.bucket], [own.id, "evidence"]);

    const foreign = await makeTicket(other);
    const usual = (await ticketOf((await accepted(from, number)).message_sid)).id;
    for (const ticket_id of [foreign.id, crypto.randomUUID(), "TKT-20260101-ABCDEF", ""]) {
      const message = await accepted(from, number, { ticket_id });
      assertEquals((await ticketOf(message.message_sid)).id, usual, `taken in all the same: ${ticket_id}`);
    }
    await storesNothing(async () => {
      const options = { webhook_url: `${WEBHOOK}?ticket_id=${own.id}`, signed_url: WEBHOOK };
      await refused(await send(from, number, { options }), "invalid_signature", "an unsigned query");
      const swapped = {
        webhook_url: `${WEBHOOK}?ticket_id=${own.id}`,
        signed_url: `${WEBHOOK}?ticket_id=${foreign.id}`,
      };
      await refused(await send(from, number, { options: swapped }), "invalid_signature", "another ticket");
    });
  });
}
