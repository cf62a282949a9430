// What the resident's phone shows.
import { REPLIES } from "../../../shared/twilio/replies.ts";
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import { database } from "../../support/functions.ts";
import { MUNICIPALITIES, ok, service } from "../../support/stack.ts";
import {
  accepted,
  isSilent,
  newSender,
  post,
  replyOf,
  ticketOf,
  twilio,
  webhook,
} from "../../support/whatsapp.ts";
import { change, GBV, GENERAL } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

test("the reply is in the municipality's language, or the one the ticket was given since", async () => {
  const english = newSender();
  assertMatch(replyOf(await accepted(english, GENERAL)), /^Thank you.*TKT-/);
  assertMatch(replyOf(await accepted(newSender(), GBV)), /^Thank you/);
  const { number, gbvNumber } = MUNICIPALITIES.polokwane;
  const sent = await accepted(newSender(), number);
  assertMatch(replyOf(sent), /^Dankie.*TKT-/);
  assertEquals((await ticketOf(sent.message_sid)).language, "af");
  assertMatch(replyOf(await accepted(newSender(), gbvNumber)), /^Dankie/);

  for (const to of [GENERAL, GBV]) {
    const from = newSender();
    const first = await accepted(from, to);
    await change((await ticketOf(first.message_sid)).id, { language: "zu" });
    await minutesPass(first.message_sid);
    assertMatch(replyOf(await accepted(from, to)), /^Siyabonga/);
  }
});

/** Eleven minutes of the messages of who wrote last. */
async function minutesPass(messageSid: string): Promise<void> {
  await database((sql) =>
    sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update public.inbound_messages set received_at = received_at - interval '11 minutes'
        where sender_id = (select sender_id from public.inbound_messages where message_sid = ${messageSid})`;
    })
  );
}

test("only the message that opens a ticket is answered with the reference; follow-ups are thanked once in ten minutes", async () => {
  for (const made of ["ordinary", "sensitive"]) {
    const from = newSender();
    const atOnce = await Promise.all([1, 2, 3].map(() => accepted(from, GENERAL)));
    assertEquals(atOnce.filter((sent) => !isSilent(sent)).length, 1, "of three at once");
    const first = atOnce.find((sent) => !isSilent(sent))!;
    assertMatch(replyOf(first), /TKT-/);
    const { id } = await ticketOf(first.message_sid);
    if (made === "sensitive") await change(id, { is_sensitive: true });

    assert(isSilent(await accepted(from, GENERAL)), made);
    await minutesPass(first.message_sid);
    const later = await accepted(from, GENERAL);
    assertEquals([(await ticketOf(later.message_sid)).id, replyOf(later)], [id, REPLIES.en.received], made);
    assert(isSilent(await accepted(from, GENERAL)), made);
    for (const sent of [...atOnce, later]) {
      assertEquals((await twilio.replay(sent.message_sid)).body, sent.body, "a replay gets the same answer");
    }
  }
});

test("a GBV number only ever thanks, as a follow-up to any number is thanked", async () => {
  const from = newSender();
  const first = await accepted(from, GBV);
  assertEquals(replyOf(first), REPLIES.en.received);
  assert(isSilent(await accepted(from, GBV)));
  await minutesPass(first.message_sid);
  assertEquals(replyOf(await accepted(from, GBV)), REPLIES.en.received);
});

test("two machines that answer each other fall silent", async () => {
  const from = newSender();
  let answered = 0;
  for (let n = 0; n < 20; n++) if (!isSilent(await accepted(from, GENERAL))) answered++;
  assertEquals(answered, 1);
});

test("STOP and HELP open no ticket and are not answered", async () => {
  for (const OptOutType of ["STOP", "HELP"]) {
    const sent = await accepted(newSender(), GENERAL, { body: OptOutType, params: { OptOutType } });
    assert(isSilent(sent));
    const message = await ok(
      service.from("inbound_messages").select("ticket_id, kind").eq("message_sid", sent.message_sid).single(),
    );
    assertEquals(message, { ticket_id: null, kind: "opt_out" } as never);
  }
});

test("the database takes every language that we reply in, for tickets and municipalities, and no word that is none", async () => {
  const { id } = await ticketOf((await accepted(newSender(), GENERAL)).message_sid);
  for (const language of Object.keys(REPLIES)) await change(id, { language });
  const { error } = await service.from("tickets").update({ language: "english" }).eq("id", id);
  assertEquals(error?.code, "23514");
  const [tickets, municipalities] = await database((sql) =>
    sql`select pg_get_constraintdef(oid) as rule from pg_constraint
      where conname in ('tickets_language_check', 'municipalities_language_check')`
  );
  assertEquals(tickets!.rule, municipalities!.rule);
});

test("the reply is TwiML as Twilio reads it", async () => {
  const answer = await post(webhook(newSender(), GENERAL));
  assertMatch(answer.headers.get("content-type") ?? "", /^text\/xml/);
  assert(replyOf({ body: answer.text }));
});
