// Files of a ticket that turned sensitive are moved to gbv-evidence, whole and once, whoever dies on the way.
import { assert, assertEquals } from "../support/assert.ts";
import { assertConsistent, letTimePass, whileTimePasses } from "../support/flood.ts";
import { between, killFunction, ownStack, pause } from "../support/own-stack.ts";
import { sensitiveTools } from "../support/sensitive.ts";

const own = await ownStack();
const TENANT = own.stack.MUNICIPALITIES.mbombela.id;
const { supabase, superuser: sql, files } = own;
const { makeTicket, ok, person, sample, service, sha256 } = own.stack;

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
const { work, finish, turnSensitive, recordOf, watch, unprivileged, assertMoved, storedFile } =
  sensitiveTools(own);

// deno-lint-ignore require-await
async function cutOff(): Promise<Response> {
  return Response.json({ statusCode: "500", error: "Internal", message: "down" }, { status: 500 });
}

/** The steps of a move, and what is there when it dies after so many of them. */
const STEPS: [string, (file: { fileId: string; path: string; hash: string }) => Promise<unknown>][] = [
  [
    "the copy",
    ({ path }) =>
      ok(service.storage.from("evidence").copy(path, path, { destinationBucket: "gbv-evidence" })),
  ],
  [
    "the record's switch",
    ({ fileId, hash }) => ok(service.rpc("complete_media_move", { file_id: fileId, sha256: hash })),
  ],
  ["the old object's deletion", ({ path }) => ok(service.storage.from("evidence").remove([path]))],
];

for (const [index, [name]] of STEPS.entries()) {
  test(`a worker dead after ${name}: another ends the move`, async () => {
    const file = await storedFile();
    await finish();
    const reader = await person("field_worker");
    const { data } = await reader.supabase.storage.from("evidence").createSignedUrl(file.path, 3600);
    await turnSensitive(file.ticketId);
    const watching = watch(await unprivileged(), file);
    for (const [, step] of STEPS.slice(0, index + 1)) await step(file);
    await finish();
    await watching.stop();
    await assertMoved(file, [data!.signedUrl]);
  });
}

test("a copy in gbv-evidence that is not the file is neither used nor handed out", async () => {
  const file = await storedFile();
  await finish();
  await turnSensitive(file.ticketId);
  // of the same size, as a superuser's or Storage's own mistake would leave it
  await ok(service.storage.from("gbv-evidence").upload(file.path, sample("image/jpeg", 2000)));
  for (let n = 0; n < 3; n++) {
    await work();
    await letTimePass(own);
  }
  const record = await recordOf(file.fileId);
  assertEquals([record.bucket, record.last_error, record.sha256], ["evidence", "hash_mismatch", file.hash]);
  assertEquals(
    (await sql`select 1 from storage.objects where name = ${file.path}`).length,
    2,
    "the file itself is gone",
  );
  await ok(service.storage.from("gbv-evidence").remove([file.path]));
  await finish();
  await assertMoved(file);
});

for (const declared of ["rightly", "wrongly"]) {
  test(`an old object that could not be deleted at once, of a file declared ${declared}: the error does not stay`, async () => {
    const owner = await person("field_worker");
    const ticket = await makeTicket("mbombela");
    const blob = sample();
    const hash = await sha256(declared === "rightly" ? blob : sample());
    const slot = await files.announce(owner, { ticket_id: ticket.id, sha256: hash });
    await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    await finish();
    supabase.faults.storage = (request) =>
      request.method === "DELETE" ? cutOff() : Promise.resolve(undefined);
    await turnSensitive(ticket.id);
    await work();
    supabase.faults.storage = undefined;
    const { bucket, moved_from, last_error } = await recordOf(slot.file_id);
    assertEquals([bucket, moved_from, last_error], ["gbv-evidence", "evidence", "storage_unavailable"]);
    await finish();
    const after = await recordOf(slot.file_id);
    assertEquals(after.last_error, declared === "rightly" ? null : "declared_hash_differs");
    assertEquals([after.moved_from, after.sha256], [null, await sha256(blob)]);
  });
}

test("what Storage hands back cut short is not taken for the file, neither hashed nor moved", async () => {
  const file = await storedFile(2000);
  const part = new Uint8Array(await file.blob.slice(0, 1000).arrayBuffer());
  const cutShort = (request: Request) =>
    Promise.resolve(
      request.method === "GET" && request.url.includes(file.path)
        ? new Response(part, { headers: { "content-type": "image/jpeg" } })
        : undefined,
    );
  for (const flip of [false, true]) {
    if (flip) await turnSensitive(file.ticketId);
    supabase.faults.storage = cutShort;
    await letTimePass(own);
    await work();
    supabase.faults.storage = undefined;
    const { bucket, sha256: hash, last_error } = await recordOf(file.fileId);
    assertEquals([bucket, hash, last_error], ["evidence", null, "hash_mismatch"]);
  }
  await finish();
  await assertMoved(file);
});

test("moves with the worker killed 30 times and Storage cut off at times: each file ends moved, once, unchanged", async () => {
  const moved: Awaited<ReturnType<typeof storedFile>>[] = [];
  let going = true;
  const working = (async () => {
    while (going) {
      await work().catch(() => {});
      await pause(10);
    }
  })();
  await whileTimePasses(own, 1000, async () => {
    const killing = (async () => {
      for (let kill = 0; kill < 30; kill++) {
        await pause(between(100, 350));
        assert(await killFunction(supabase, "media-worker"));
        supabase.faults.storage = kill % 5 === 4 ? cutOff : undefined;
        if (kill % 5 === 4) await pause(50);
        supabase.faults.storage = undefined;
      }
    })();
    let killed = false;
    killing.finally(() => killed = true).catch(() => {});
    while (!killed) {
      const file = await storedFile(between(1, 20) * 100_000).catch(() => undefined); // Storage was cut off
      if (!file) continue;
      moved.push(file);
      await pause(between(0, 150));
      await turnSensitive(file.ticketId);
    }
    await killing;
  });
  going = false;
  await working;
  await finish();
  for (const [index, file] of moved.entries()) {
    const { bucket, sha256: hash, moved_from, next_attempt_at, last_error } = await recordOf(file.fileId);
    assertEquals([bucket, hash, moved_from, next_attempt_at, last_error], [
      "gbv-evidence",
      file.hash,
      null,
      null,
      null,
    ]);
    if (index % 10 === 0) await assertMoved(file);
  }
  const [tries] =
    await sql`select max(attempts) as most, count(*) filter (where attempts > 2)::integer as again
    from public.media_attachments where file_id = any (${moved.map(({ fileId }) => fileId)})`;
  console.log(`${moved.length} files moved; ${tries!.again} needed more than two tries, one ${tries!.most}`);
});

test("in the end no object is without its record, no record without its object, and the log is whole", async () => {
  await sql`update public.media_attachments set status = 'expired', next_attempt_at = null, last_error = 'never_came'
    where status = 'pending' and source = 'web' and tenant_id = ${TENANT}`;
  await assertConsistent(own);
});
