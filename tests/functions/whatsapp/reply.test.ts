// What the resident's phone shows.
import { REPLIES } from "../../../shared/twilio/replies.ts";
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import { database } from "../../support/functions.ts";
import { MUNICIPALITIES, service } from "../../support/stack.ts";
import { accepted, newSender, post, replyOf, ticketOf, twilio, webhook } from "../../support/whatsapp.ts";
import { change, GBV, GENERAL } from "./support.ts";

Deno.test("the reply is in the municipality's language, or the one the ticket was given since", async () => {
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
    const { id } = await ticketOf((await accepted(from, to)).message_sid);
    await change(id, { language: "zu" });
    assertMatch(replyOf(await accepted(from, to)), /^Siyabonga/);
  }
});

Deno.test("only a ticket's first message is answered with the reference, a replay of it as well", async () => {
  const from = newSender();
  const atOnce = await Promise.all([1, 2, 3].map(() => accepted(from, GENERAL)));
  assertEquals(atOnce.filter((sent) => replyOf(sent).includes("TKT-")).length, 1, "of three at once");
  const later = await accepted(from, GENERAL);
  for (const sent of [...atOnce, later]) {
    assertEquals((await twilio.replay(sent.message_sid)).body, sent.body);
  }

  // what a partner reads: nothing in the replies says that the second thread is another matter than the first
  const report = newSender();
  const thread = [await accepted(report, GBV), await accepted(report, GBV), await accepted(report, GENERAL)];
  for (const sent of thread) assertEquals(sent.body, later.body);

  const { id } = await ticketOf(later.message_sid);
  await change(id, { is_sensitive: true });
  assertEquals(
    (await accepted(from, GENERAL)).body,
    later.body,
    "it shows that the ticket was made sensitive",
  );
});

Deno.test("the database takes every language that we reply in, for tickets and municipalities, and no word that is none", async () => {
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

Deno.test("the reply is TwiML as Twilio reads it", async () => {
  const answer = await post(webhook(newSender(), GENERAL));
  assertMatch(answer.headers.get("content-type") ?? "", /^text\/xml/);
  assert(replyOf({ body: answer.text }));
});
