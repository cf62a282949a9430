// A ticket turns sensitive while its upload, its transfer, its signing or its hash is under way. At no moment after that is the
// file for anybody but admins and police liaison; at the end it lies in gbv-evidence, unchanged.
import { assert, assertEquals } from "../support/assert.ts";
import { assertConsistent } from "../support/flood.ts";
import { between, ownStack, pause } from "../support/own-stack.ts";
import { sensitiveTools } from "../support/sensitive.ts";

const own = await ownStack();
const { supabase, superuser: sql, files, functions, whatsapp } = own;
const { MUNICIPALITIES, makeTicket, ok, person, sample, service, sha256 } = own.stack;
const { id: TENANT, number: NUMBER } = MUNICIPALITIES.mbombela;

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
const { work, finish, turnSensitive, recordOf, watch, unprivileged, assertMoved, storedFile } =
  sensitiveTools(own);

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

test("in the end no object is without its record, no record without its object, and the log is whole", async () => {
  await sql`update public.media_attachments set status = 'expired', next_attempt_at = null, last_error = 'never_came'
    where status = 'pending' and source = 'web' and tenant_id = ${TENANT}`;
  await assertConsistent(own);
});
