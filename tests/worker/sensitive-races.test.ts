// A ticket turns sensitive while its upload, its transfer, its signing, its hash or its move is under way. At no moment
// after that is the file for anybody but admins and police liaison; at the end it lies in gbv-evidence, unchanged.
import type { KnownFile } from "../support/files.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { assertConsistent, letTimePass, whileTimePasses, workToTheEnd } from "../support/flood.ts";
import { between, killFunction, ownStack, pause } from "../support/own-stack.ts";
import type { Person } from "../support/stack.ts";

const own = await ownStack();
const { supabase, superuser: sql, files, functions, whatsapp } = own;
const { MUNICIPALITIES, everybody, makeTicket, ok, person, sample, service, sha256 } = own.stack;
const { id: TENANT, number: NUMBER } = MUNICIPALITIES.mbombela;

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

function work(): Promise<{ done: number; failed: number }> {
  return fetch(`${supabase.url}/functions/v1/media-worker`, {
    method: "POST",
    headers: { apikey: supabase.keys.secret, prefer: "wait=120" },
  }).then((response) => response.json());
}

/** Works to the end, calling the worker by hand. */
async function finish(): Promise<void> {
  let going = true;
  const timer = (async () => {
    while (going) {
      await work().catch(() => {});
      await pause(20);
    }
  })();
  try {
    await workToTheEnd(own, 30);
  } finally {
    going = false;
    await timer;
  }
}

async function turnSensitive(ticketId: string): Promise<void> {
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticketId).select());
}

function recordOf(fileId: string) {
  return ok(service.from("media_attachments").select("*").eq("file_id", fileId).single());
}

/** Looks in every way, with requests that began after the flip was committed, until told to stop; `stop` asserts. */
function watch(readers: Person[], file: { fileId: string; path: string }): { stop(): Promise<number> } {
  let going = true;
  let looks = 0;
  const seen: string[] = [];
  const running = Promise.all(readers.map(async (reader) => {
    while (going) {
      for (const bucket of ["evidence", "gbv-evidence"] as const) {
        const from = reader.supabase.storage.from(bucket);
        const download = await from.download(file.path);
        if (download.data) seen.push(`${reader.role} downloaded from ${bucket}`);
        if ((await from.createSignedUrl(file.path, 60)).data) seen.push(`${reader.role} signed in ${bucket}`);
        const [many] = (await from.createSignedUrls([file.path], 60)).data ?? [];
        if (many?.signedUrl) seen.push(`${reader.role} signed many in ${bucket}`);
      }
      const { token } = reader;
      const { status } = await functions.call("signed-url", { token, body: { file_id: file.fileId } });
      if (status !== 404) seen.push(`${reader.role}: signed-url answered ${status}`);
      const { data } = await reader.supabase.from("media_attachments").select("file_id").eq(
        "file_id",
        file.fileId,
      );
      if (data?.length) seen.push(`${reader.role} saw the record`);
      looks++;
    }
  }));
  return {
    async stop() {
      going = false;
      await running;
      assertEquals([...new Set(seen)], []);
      return looks;
    },
  };
}

const unprivileged = () =>
  everybody().then((people) =>
    people.filter(({ role, slug }) => slug === "mbombela" && !["admin", "saps_liaison"].includes(role))
  );

/** How it must end: moved, unchanged, recorded, for two roles of one municipality alone; old URLs are dead. */
async function assertMoved(file: { fileId: string; path: string; hash: string }, oldUrls: string[] = []) {
  const record = await recordOf(file.fileId);
  assertEquals(
    [
      record.status,
      record.bucket,
      record.sha256,
      record.moved_from,
      record.next_attempt_at,
      record.last_error,
    ],
    ["stored", "gbv-evidence", file.hash, null, null, null],
  );
  const objects = await sql`select bucket_id from storage.objects where name = ${file.path}`;
  assertEquals(objects.map(({ bucket_id }) => bucket_id), ["gbv-evidence"]);
  assertEquals(await sha256(await ok(service.storage.from("gbv-evidence").download(file.path))), file.hash);
  const events =
    await sql`select event, details from public.custody_records where file_id = ${file.fileId} order by recorded_at`;
  assertEquals(events.filter(({ event }) => event === "moved").length, 1, "moved once");
  assertEquals(events.find(({ event }) => event === "moved")!.details.sha256, file.hash);
  for (const url of oldUrls) {
    const response = await fetch(url);
    await response.body?.cancel();
    assert(!response.ok, "an old signed URL still works");
  }
  const blob = new Blob([new Uint8Array(record.file_size)]);
  const moved = { ...file, bucket: "gbv-evidence", slug: "mbombela", blob } as KnownFile;
  for (const reader of await everybody()) {
    const may = reader.slug === "mbombela" && ["admin", "saps_liaison"].includes(reader.role);
    const what = `${reader.role} of ${reader.slug}`;
    const { status } = await functions.call("signed-url", {
      token: reader.token,
      body: { file_id: file.fileId },
    });
    assertEquals(status, may ? 200 : 404, what);
    // now that the reading is recorded
    assertEquals(await files.canDownload(reader, moved), may, what);
    assertEquals(await files.canDownload(reader, { ...moved, bucket: "evidence" }), false, what);
  }
}

/** A stored, hashed file on a ticket of its own. */
async function storedFile(size = 2000) {
  const owner = await person("field_worker");
  const ticket = await makeTicket("mbombela");
  const blob = sample("image/jpeg", size);
  const slot = await files.announce(owner, { ticket_id: ticket.id, file_size: size });
  await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  return { ticketId: ticket.id, fileId: slot.file_id, path: slot.path, hash: await sha256(blob), blob, slot };
}

// Uploads -------------------------------------------------------------------------------------------------------------

for (const role of ["citizen", "manager"] as const) {
  test(`a ${role}'s slot made before, the upload after`, async () => {
    const owner = await person(role);
    const ticket = await makeTicket("mbombela", { reporter_id: owner.userId });
    const blob = sample();
    const slot = await files.announce(owner, { ticket_id: ticket.id });
    await turnSensitive(ticket.id);
    const file = { fileId: slot.file_id, path: slot.path, hash: await sha256(blob) };
    const watching = watch(await unprivileged(), file);
    await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    await finish();
    await watching.stop();
    await assertMoved(file);
    // the place it was uploaded to is free again, and stays so
    const { error } = await owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(
      slot.path,
      slot.token,
      sample(),
    );
    assert(error, "the old slot took another file");
    await assertMoved(file);
  });
}

test("the flip at a random moment of ten uploads", async () => {
  const owner = await person("field_worker");
  for (let n = 0; n < 10; n++) {
    const ticket = await makeTicket("mbombela");
    const blob = sample("image/jpeg", between(1, 3) * 1_000_000);
    const slot = await files.announce(owner, { ticket_id: ticket.id, file_size: blob.size });
    const uploading = ok(
      owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob),
    );
    await pause(between(0, 40));
    const working = work();
    await turnSensitive(ticket.id);
    await Promise.all([uploading, working]);
    await finish();
    await assertMoved({ fileId: slot.file_id, path: slot.path, hash: await sha256(blob) });
  }
});

// A transaction that is still open: what another statement, begun before, saw of it ----------------------------------

/** The flip holds the file's record, `step` waits for it, and the flip is committed. */
async function flipDuring(ticketId: string, step: () => PromiseLike<unknown>): Promise<void> {
  let stepping: PromiseLike<unknown> | undefined;
  await sql.begin(async (tx) => {
    await tx`update public.tickets set is_sensitive = true where id = ${ticketId}`;
    stepping = step();
    stepping.then(() => {}, () => {}); // begins it
    for (let n = 0; n < 100; n++) {
      const [{ waiting }] = await sql`select count(*)::integer as waiting from pg_stat_activity
        where wait_event_type = 'Lock' and state = 'active'` as unknown as [{ waiting: number }];
      if (waiting > 0) return;
      await pause(10);
    }
    assert(false, "the step did not meet the flip");
  });
  await stepping;
}

test("a hash written while the flip is being committed leaves the file due to be moved", async () => {
  const file = await storedFile();
  await flipDuring(
    file.ticketId,
    () =>
      service.rpc("complete_media_hash", {
        file_id: file.fileId,
        sha256: file.hash,
        sniffed_type: "image/jpeg",
      }).throwOnError(),
  );
  assert((await recordOf(file.fileId)).next_attempt_at, "nobody will move it");
  await finish();
  await assertMoved(file);
});

test("a transfer completed while the flip is being committed leaves the file due to be moved", async () => {
  const bytes = await whatsapp.sampleFile("burst-pipe.jpg");
  supabase.faults.storage = cutOff;
  const sent = await whatsapp.accepted(whatsapp.newSender(), NUMBER, { files: [bytes] });
  const [record] = await whatsapp.settled(sent.message_sid, 1);
  supabase.faults.storage = undefined;
  const file = { fileId: record!.file_id, path: record!.path, hash: await sha256(bytes.bytes) };
  // an object whose record is yet to be written
  await ok(service.storage.from("evidence").upload(file.path, bytes.bytes, { contentType: "image/jpeg" }));
  await flipDuring(record!.ticket_id, () =>
    service.rpc("complete_media_transfer", {
      file_id: file.fileId,
      sha256: file.hash,
      file_size: bytes.bytes.length,
    }).throwOnError());
  assert((await recordOf(file.fileId)).next_attempt_at, "nobody will move it");
  await finish();
  await assertMoved(file);
});

test("a failed try noted while the flip is being committed leaves the file due to be moved at once", async () => {
  const file = await storedFile();
  await flipDuring(
    file.ticketId,
    () =>
      service.rpc("fail_media_work", { file_id: file.fileId, reason: "storage_unavailable", final: false })
        .throwOnError(),
  );
  await finish();
  await assertMoved(file);
});

test("an upload that lands while the flip is being committed is moved", async () => {
  const owner = await person("field_worker");
  const ticket = await makeTicket("mbombela");
  const blob = sample();
  const slot = await files.announce(owner, { ticket_id: ticket.id });
  await flipDuring(
    ticket.id,
    () => ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob)),
  );
  await finish();
  await assertMoved({ fileId: slot.file_id, path: slot.path, hash: await sha256(blob) });
});

// Transfers -----------------------------------------------------------------------------------------------------------

// deno-lint-ignore require-await
async function cutOff(): Promise<Response> {
  return Response.json({ statusCode: "500", error: "Internal", message: "down" }, { status: 500 });
}

type Stage = "before the download" | "before the upload" | "before the record" | "after all";

for (
  const stage of ["before the download", "before the upload", "before the record", "after all"] as Stage[]
) {
  test(`the flip during a transfer, ${stage}`, async () => {
    const ticket = await makeTicket("mbombela");
    const bytes = await whatsapp.sampleFile("burst-pipe.jpg");
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    supabase.faults.storage = async (request) => {
      if (
        request.method === "POST" && request.url.includes("/whatsapp-1.jpg") && stage === "before the upload"
      ) {
        reached.resolve();
        await go.promise;
      }
      return undefined;
    };
    const sent = await whatsapp.accepted(whatsapp.newSender(), NUMBER, {
      files: [bytes],
      ticket_id: ticket.id,
      options: stage === "before the download" ? { faults: { hang_ms: 400, times: 1 } } : {},
    });
    const [first] = await whatsapp.mediaOf(sent.message_sid);
    const file = { fileId: first!.file_id, path: first!.path, hash: await sha256(bytes.bytes) };
    if (stage === "before the upload") await reached.promise;
    if (stage === "after all") await whatsapp.settled(sent.message_sid, 1);
    if (stage === "before the record") {
      // the object has landed, whoever was to record it waits for the row
      const flip = async () => {
        await functions.until(
          "the object is there",
          async () => (await sql`select 1 from storage.objects where name = ${file.path}`).length > 0,
        );
        await turnSensitive(ticket.id);
      };
      await flip();
    } else await turnSensitive(ticket.id);
    const watching = watch(await unprivileged(), file);
    go.resolve();
    await whatsapp.settled(sent.message_sid, 1);
    await finish();
    await watching.stop();
    supabase.faults.storage = undefined;
    await assertMoved(file);
  });
}

// Signing -------------------------------------------------------------------------------------------------------------

test("many signings race the flip: none that began after it gives a URL, all that were given are dead in the end", async () => {
  const people = await unprivileged();
  for (let n = 0; n < 3; n++) {
    const file = await storedFile();
    await finish();
    let flipped = false;
    let going = true;
    const late: string[] = [];
    const urls: string[] = [];
    const signing = Promise.all(
      people.filter(({ role }) => role !== "citizen").flatMap((reader) =>
        [1, 2].map(async (kind) => {
          while (going) {
            const after = flipped;
            let url: string | undefined;
            if (kind === 1) {
              const { token } = reader;
              url = (await functions.call("signed-url", { token, body: { file_id: file.fileId } })).body
                .signed_url;
            } else {
              url = (await reader.supabase.storage.from("evidence").createSignedUrl(file.path, 3600)).data
                ?.signedUrl;
            }
            if (url) urls.push(url);
            if (url && after) late.push(`${reader.role} ${kind}`);
          }
        })
      ),
    );
    await pause(150);
    await turnSensitive(file.ticketId);
    flipped = true;
    await Promise.all([finish(), pause(150)]);
    going = false;
    await signing;
    assertEquals(late, []);
    assert(urls.length > 10, `${urls.length} signings only`);
    await assertMoved(file, urls.filter((_, index) => index % 5 === 0).concat(urls.slice(-10)));
  }
});

// Moves ---------------------------------------------------------------------------------------------------------------

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
