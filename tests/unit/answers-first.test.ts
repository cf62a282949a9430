import { assert, assertEquals } from "../support/assert.ts";
import { AnswersFirst } from "../../shared/request/answers-first.ts";

const answer = () => Promise.resolve(new Response());
/** An answer that somebody else ends. */
function held(): { work: () => Promise<Response>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<Response>();
  return { work: () => promise, end: () => resolve(new Response()) };
}

Deno.test("answers first: slow work waits for the request that asked for it, and for all others", async () => {
  const answers = new AnswersFirst();
  const [one, other] = [held(), held()];
  const both = [answers.answer(one.work), answers.answer(other.work)];
  let begun = false;
  const work = answers.given().then(() => begun = true);
  one.end();
  await both[0];
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert(!begun, "begun while a request was being answered");
  other.end();
  await work;
});

Deno.test("answers first: a request that fails is no longer waited for", async () => {
  const answers = new AnswersFirst();
  await answers.answer(() => Promise.reject(new Error("no"))).catch(() => {});
  await answers.given();
});

Deno.test("answers first: work begins after three seconds though requests keep coming", async () => {
  const answers = new AnswersFirst();
  const stuck = held();
  const answered = answers.answer(stuck.work);
  const started = Date.now();
  await answers.given();
  assert(Date.now() - started >= 2_900);
  stuck.end();
  assertEquals((await answered).status, 200);
  assertEquals((await answers.answer(answer)).status, 200);
});
