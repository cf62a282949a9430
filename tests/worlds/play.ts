/**
 * Plays a trace on a stack of its own and prints what each actor got, a line a step: `play.ts SEED STEPS with|without`.
 * `with`: GBV reports, their files and flips happen beside it.
 */
import { somethingHidden } from "./beside.ts";
import { ACTORS, drawFrom, traceOf } from "./trace.ts";
import {
  hidden,
  learn,
  length,
  mbombela,
  MUNICIPALITIES,
  names,
  ok,
  own,
  polokwane,
  seed,
  senders,
  service,
  someone,
  stack,
  THIRD,
  whatsapp,
} from "./world.ts";
import { clients, comparable, heardAll, listen } from "./heard.ts";
import { begun, everyone, inOrder, take, without } from "./steps.ts";

try {
  for (const actor of ACTORS) everyone.set(actor, await someone(actor));
  names.name((await stack.person("admin")).userId, "admin of mbombela");
  for (const [slug, { id }] of Object.entries(MUNICIPALITIES)) names.name(id, slug);
  names.name(THIRD, "third");
  await ok(
    service.from("municipalities").insert({ id: THIRD, slug: "third", name: "Third", language: "en" })
      .select(),
  );
  // no table is empty: the planner knows that of one
  await own.files.serviceFile("evidence", "polokwane");
  await whatsapp.accepted(whatsapp.newSender(), polokwane.number);
  await learn();
  for (let n = 0; n < 2; n++) names.desk.push((await stack.makeTicket("mbombela")).id);
  const listeners = await Promise.all(
    (["field_worker of mbombela", "manager of mbombela", "admin of polokwane"] as const).map(async (
      actor,
    ) => ({
      actor,
      tenant: everyone.get(actor)!.tenant,
      ...await listen(everyone.get(actor)!, `municipality:${everyone.get(actor)!.tenant}`),
    })),
  );
  const draw = drawFrom(seed + 1);
  const answers: unknown[] = [];
  for (const step of traceOf(seed, length)) {
    begun.push(Date.now());
    for (let acts = Math.floor(draw() * 3); hidden && acts > 0; acts--) {
      await somethingHidden(own, names, draw, senders);
    }
    const answer = await take(step);
    await learn();
    answers.push({ step, answer: names.plain(answer) });
  }
  for (const tenant of [mbombela.id, polokwane.id]) {
    await heardAll(listeners.filter((one) => one.tenant === tenant), tenant);
  }
  for (const { actor, heard } of listeners) {
    answers.push({
      step: { do: "listened", actor },
      answer: inOrder(comparable(heard, false).map(without("id"))),
    });
  }
  console.log(JSON.stringify(answers));
} finally {
  await Promise.all(clients.map((client) => client.removeAllChannels()));
  await own.superuser.end();
  await own.supabase.stop();
}
Deno.exit(0);
