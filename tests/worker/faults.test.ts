// Storage, Postgres or Twilio fail for a while or for good: each medium ends stored whole, or failed with the reason that
// staff see, after eight tries over about a day, and can be tried again.
import type { Faults, MessageOptions } from "../../local/twilio-client.ts";
import type { Handler } from "../../local/types.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  assertConsistent,
  assertNothingLost,
  flood,
  letTimePass,
  whileTimePasses,
  workToTheEnd,
} from "../support/flood.ts";
import { between, isUp, killFunction, ownStack, pause } from "../support/own-stack.ts";
import { workerOf } from "../support/working.ts";

const own = await ownStack();
const { supabase, superuser: sql, whatsapp } = own;
const { MUNICIPALITIES, ok, person, service, sha256 } = own.stack;
const { accepted, mediaOf, newSender, sampleFile, settled } = whatsapp;
const { id: TENANT, number: NUMBER } = MUNICIPALITIES.mbombela;
// a crash of Postgres must not undo what it has acknowledged, as it would not on the platform
await sql`alter system set synchronous_commit = on`;
await sql`select pg_reload_conf()`;

Deno.test.afterAll(() => supabase.stop());

/** Each with a new worker of the webhook, which hashes only so many bytes in its life and leaves the rest to the media worker. */
function test(name: string, fn: () => Promise<void>): void {
  const withNewWorker = async () => {
    await killFunction(supabase, "twilio-media");
    await isUp(supabase, "twilio-media");
    await fn();
  };
  Deno.test({ name, fn: withNewWorker, sanitizeOps: false, sanitizeResources: false });
}
const { work, whileWorking } = workerOf(own);

/** A try's delays are passed over, but no more tries are used up than a day of them would. */
const PATIENCE = 6;

async function floodDuring(
  trouble: () => Promise<void>,
  options?: () => MessageOptions | undefined,
): Promise<string> {
  const { error } = console; // what breaks, the stand-in says
  console.error = () => {};
  return await whileWorking(async () => {
    const sent = await whileTimePasses(own, PATIENCE, async () => {
      const residents = flood(own, { senders: 2, pauses: [50, 300], media: 4, largeEvery: 6, options });
      try {
        await trouble();
      } finally {
        await residents.stop();
        supabase.faults.storage = undefined;
      }
      return await residents.stop();
    });
    await workToTheEnd(own);
    everythingSent.push(...sent);
    return await assertNothingLost(own, everythingSent);
  }).finally(() => console.error = error);
}
const everythingSent: Awaited<ReturnType<ReturnType<typeof flood>["stop"]>> = [];

function refuse(status: number): Promise<Response> {
  const body = { statusCode: String(status), error: "Pretended", message: "pretended" };
  return Promise.resolve(Response.json(body, { status }));
}

function brokenOff({ status, headers }: Response): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(1));
      controller.error(new Error("pretended"));
    },
  });
  return new Response(body, { status, headers });
}

// Storage -------------------------------------------------------------------------------------------------------------

test("Storage answers 500, 429 or nothing for random spells, before or after it did what it was asked", async () => {
  const spells = new Set<string>();
  const summary = await floodDuring(async () => {
    for (let spell = 0; spell < 21; spell++) {
      const over = Promise.withResolvers<void>();
      const kinds: [string, (request: Request, serve: Handler) => Promise<Response | undefined>][] = [
        ["500", () => refuse(500)],
        ["429", () => refuse(429)],
        ["a proxy's 502", () => Promise.resolve(new Response("<html>Bad gateway</html>", { status: 502 }))],
        // to the end of the spell, then it goes through after all
        ["hangs", () => over.promise.then(() => undefined)],
        ["answer lost", (request, serve) => serve(request).then(() => refuse(504))],
        ["answer broken off", (request, serve) => serve(request).then(brokenOff)],
        ["well", () => Promise.resolve(undefined)],
      ];
      const [kind, answer] = kinds[spell % kinds.length]!;
      spells.add(kind);
      supabase.faults.storage = answer;
      await pause(between(100, 900));
      over.resolve();
    }
  });
  console.log(`${[...spells].join(", ")}; ${summary}`);
});

// Postgres ------------------------------------------------------------------------------------------------------------

test("Postgres crashes four times", async () => {
  const summary = await floodDuring(async () => {
    for (let crash = 0; crash < 4; crash++) {
      await pause(between(800, 2000));
      await supabase.restartDatabase();
    }
    await pause(1000);
  });
  console.log(summary);
});

// Twilio --------------------------------------------------------------------------------------------------------------

test("Twilio's own troubles, over in time: 404 at first, cut short, stalled, too long, expired links, 500", async () => {
  const troubles: Faults[] = [
    { not_found_first: 1 },
    { not_found_first: 6 }, // longer than one try waits
    { truncate: 1000, times: 1 },
    { truncate: 1, times: 2 },
    { oversize: 17 * 1024 * 1024, times: 0 },
    { stall_ms: 300, times: 1 },
    { status: 500, times: 2 },
    { cdn_status: 503, times: 1 },
    { link_seconds: -1, times: 1 },
    { content_type: "text/html" }, // what the CDN says does not count
  ];
  let next = 0;
  const summary = await floodDuring(
    () => pause(3000),
    () => ({ media_faults: Array.from({ length: 10 }, () => troubles[next++ % troubles.length]!) }),
  );
  console.log(summary);
});

const jpeg = () => sampleFile("burst-pipe.jpg");
const MiB = 1024 * 1024;
const FOR_GOOD: {
  what: string;
  faults?: Faults;
  file?: () => ReturnType<typeof jpeg>;
  reasons: string[];
  tries: number;
}[] = [
  {
    what: "always cut short",
    faults: { truncate: 500 },
    reasons: ["length_mismatch", "media_unavailable"],
    tries: 8,
  },
  { what: "never found", faults: { status: 404 }, reasons: ["media_not_found"], tries: 8 },
  { what: "larger than 16 MiB", faults: { oversize: 17 * MiB }, reasons: ["payload_too_large"], tries: 1 },
];
const DELAYS = [1, 5, 15, 60, 180, 360, 720]; // minutes

for (const { what, faults, file = jpeg, reasons, tries } of FOR_GOOD) {
  test(`a medium ${what} is never stored: failed after ${tries} of 8 tries, and staff are told why`, async () => {
    const from = newSender();
    const sent = await accepted(from, NUMBER, { files: [await file()], options: { faults } });
    let [record] = await settled(sent.message_sid, 1);
    const { file_id, path } = record!;
    if (what === "never found") { // each of its tries waits for some 4 s
      await sql`update public.media_attachments set attempts = 6, next_attempt_at = now() + interval '6 hours'
        where file_id = ${file_id}`;
      [record] = await mediaOf(sent.message_sid);
    }
    for (let n = record!.attempts; n < tries; n++) {
      assertEquals([record!.status, record!.attempts], ["pending", n], `after ${n} tries`);
      const minutes = (Date.parse(record!.next_attempt_at!) - Date.now()) / 60_000;
      assert(
        minutes > DELAYS[n - 1]! * 0.75 && minutes < DELAYS[n - 1]! * 1.25,
        `${minutes} after ${n} tries`,
      );
      assertEquals(await work(), { done: 0, failed: 0 }, "tried before its time");
      await letTimePass(own);
      // 404 is waited for in every try, some 4 s
      assertEquals(await work(), { done: 0, failed: 1 });
      [record] = await mediaOf(sent.message_sid);
    }
    assertEquals([record!.status, record!.attempts, record!.next_attempt_at], ["failed", tries, null]);
    await letTimePass(own);
    assertEquals(await work(), { done: 0, failed: 0 }, "tried after it had failed");
    assertEquals((await sql`select from storage.objects where name = ${path}`).length, 0);

    const { supabase: staff } = await person("field_worker");
    const [seen] = await ok(
      staff.from("media_attachments").select("status, last_error, sha256").eq("file_id", file_id),
    );
    assert(reasons.includes(seen!.last_error), seen!.last_error);
    assertEquals([seen!.status, seen!.sha256], ["failed", null]);
    const told = await sql`select topic, payload from realtime.messages
      where event = 'media_event' and payload ->> 'file_id' = ${file_id}`;
    assertEquals(told.map(({ topic, payload }) => [topic, payload.status]), [[
      `municipality:${TENANT}`,
      "failed",
    ]]);
    const events =
      await sql`select event, details from public.custody_records where file_id = ${file_id} order by recorded_at`;
    assertEquals(events.map(({ event }) => event), ["received", "failed"]);
    assertEquals(events[1]!.details, { reason: seen!.last_error, attempts: tries });
  });
}

test("a try that stored a file and died: the next one sends no body to the taken place", async () => {
  const file = await sampleFile("burst-pipe.jpg");
  const sent = await accepted(newSender(), NUMBER, {
    files: [file],
    options: { faults: { status: 500, times: 1 } },
  });
  const { path } = (await settled(sent.message_sid, 1))[0]!;
  await ok(
    service.storage.from("evidence").upload(path, file.bytes as BodyInit as Blob, {
      contentType: "image/jpeg",
    }),
  );
  await letTimePass(own);
  let bodies = 0;
  supabase.faults.storage = (request) => {
    if (request.method !== "GET" && request.url.includes(path)) bodies++;
    return Promise.resolve(undefined);
  };
  assertEquals(await work(), { done: 1, failed: 0 });
  supabase.faults.storage = undefined;
  assertEquals(bodies, 0, "a refused body leaves its connection unusable");
  assertEquals((await mediaOf(sent.message_sid))[0]!.sha256, await sha256(file.bytes));
});

test("after all this nothing is in Storage without its record, and the log is whole", async () => {
  await assertConsistent(own);
});
