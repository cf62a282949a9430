// Tries of a file: their delays, the last one, those by staff, and none that counts twice or without its bytes.
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { letTimePass } from "../support/flood.ts";
import { ownStack } from "../support/own-stack.ts";
import { workerOf } from "../support/working.ts";

const own = await ownStack();
const { supabase, superuser: sql, whatsapp } = own;
const { everybody, makeTicket, MUNICIPALITIES, ok, service, sha256 } = own.stack;
const { accepted, mediaOf, newSender, sampleFile, settled } = whatsapp;
const { number: NUMBER } = MUNICIPALITIES.mbombela;
const { work } = workerOf(own);

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

const jpeg = () => sampleFile("burst-pipe.jpg");

const DELAYS = [1, 5, 15, 60, 180, 360, 720]; // minutes

test("delays grow, each with a jitter of its own", async () => {
  for (const [index, minutes] of DELAYS.entries()) {
    const rows = await sql`select extract(epoch from private.retry_delay(${
      index + 1
    }))::float8 / 60 as minutes
      from generate_series(1, 40)`;
    const all = rows.map((row) => row.minutes as number);
    assert(Math.min(...all) >= minutes * 0.8 && Math.max(...all) <= minutes * 1.2, all.join(" "));
    assertGreater(new Set(all).size, 35);
  }
  const day = DELAYS.reduce((sum, minutes) => sum + minutes, 0) / 60;
  assert(day > 20 && day < 28, `${day} hours in all`);
});

test("a last try that dies without a word has failed all the same", async () => {
  const sent = await accepted(newSender(), NUMBER, {
    files: [await jpeg()],
    options: { faults: { status: 500 } },
  });
  const [record] = await settled(sent.message_sid, 1);
  await sql`update public.media_attachments set attempts = 7, next_attempt_at = now() where file_id = ${
    record!.file_id
  }`;
  const claimed = await ok(service.rpc("claim_media_work", { lease_seconds: 60 }));
  assertEquals([claimed.file_id, claimed.work], [record!.file_id, "transfer"]);
  await letTimePass(own);
  assertEquals(await work(), { done: 0, failed: 1 });
  const [after] = await mediaOf(sent.message_sid);
  assertEquals([after!.status, after!.last_error], ["failed", "media_unavailable"]);
});

test("a failed medium is tried again by staff who may see it, by nobody else, and arrives", async () => {
  const file = await jpeg();
  const options = { faults: { status: 500, times: 1 } };
  for (const sensitive of [false, true]) {
    const ticket = await makeTicket("mbombela", { is_sensitive: sensitive });
    for (const { role, slug, supabase: client } of await everybody()) {
      const sent = await accepted(newSender(), NUMBER, { files: [file], ticket_id: ticket.id, options });
      const { file_id } = (await settled(sent.message_sid, 1))[0]!;
      // pending: there is nothing to try again
      assertEquals((await client.rpc("retry_media", { file_id })).error?.message, "not_found");
      await ok(
        service.rpc("fail_media_work", { file_id, reason: "media_unavailable", final: true }).then(
          ({ error }) => ({ data: true, error }),
        ),
      );
      const may = slug === "mbombela" && role !== "citizen" &&
        (!sensitive || role === "admin" || role === "saps_liaison");
      const what = `${role} of ${slug}, ${sensitive ? "sensitive" : "ordinary"}`;
      const { error } = await client.rpc("retry_media", { file_id });
      assertEquals(error?.message, may ? undefined : "not_found", what);
      const [record] = await mediaOf(sent.message_sid);
      assertEquals([record!.status, record!.attempts], may ? ["pending", 0] : ["failed", 1], what);
      if (!may) continue;
      assertEquals(await work(), { done: 1, failed: 0 });
      const [after] = await mediaOf(sent.message_sid);
      assertEquals([after!.status, after!.sha256, after!.last_error], [
        "stored",
        await sha256(file.bytes),
        null,
      ]);
      const events =
        await sql`select event, user_role from public.custody_records where file_id = ${file_id} order by recorded_at`;
      assertEquals(events.map(({ event }) => event), ["received", "failed", "retried", "stored"]);
      assertEquals(events[2]!.user_role, role);
    }
  }
  for (const client of [own.stack.anonymous, service]) {
    assert((await client.rpc("retry_media", { file_id: crypto.randomUUID() })).error);
  }
});

test("a worker whose lease ran out changes nothing of what another has done since", async () => {
  const file = await jpeg();
  const sent = await accepted(newSender(), NUMBER, {
    files: [file],
    options: { faults: { status: 500, times: 1 } },
  });
  const [record] = await settled(sent.message_sid, 1);
  const { file_id } = record!;
  await letTimePass(own);
  await ok(service.rpc("claim_media_work", { lease_seconds: 60 })); // the slow one
  await letTimePass(own);
  assertEquals(await work(), { done: 1, failed: 0 });
  for (const final of [false, true]) {
    await service.rpc("fail_media_work", { file_id, reason: "internal", final });
  }
  const { error } = await service.rpc("complete_media_transfer", {
    file_id,
    sha256: "0".repeat(64),
    file_size: 1,
  });
  assert(error, "other bytes were recorded");
  await service.rpc("complete_media_hash", { file_id, sha256: "0".repeat(64) });
  await service.rpc("complete_media_move", { file_id, sha256: "0".repeat(64) });
  await ok(
    service.rpc("complete_media_transfer", {
      file_id,
      sha256: await sha256(file.bytes),
      file_size: file.bytes.length,
    }).then(({ error }) => ({ data: true, error })),
  );
  const [after] = await mediaOf(sent.message_sid);
  assertEquals([after!.status, after!.sha256, after!.last_error, after!.bucket], [
    ...["stored", await sha256(file.bytes), null, "evidence"],
  ]);
  const events = await sql`select event from public.custody_records where file_id = ${file_id}`;
  assertEquals(events.length, 2);
});

test("a medium is never recorded as stored when no object, or one of another size, lies in its place", async () => {
  const file = await jpeg();
  const sent = await accepted(newSender(), NUMBER, {
    files: [file],
    options: { faults: { status: 500, times: 1 } },
  });
  const { file_id, path } = (await settled(sent.message_sid, 1))[0]!;
  const claim = async () => {
    const hash = await sha256(file.bytes);
    const { error } = await service.rpc("complete_media_transfer", {
      file_id,
      sha256: hash,
      file_size: file.bytes.length,
    });
    assert(error);
    assertEquals((await mediaOf(sent.message_sid))[0]!.status, "pending");
  };
  await claim();
  // an upload that was cut off where Storage did not see it
  const part = file.bytes.slice(0, 1000);
  await ok(service.storage.from("evidence").upload(path, part, { contentType: "image/jpeg" }));
  await claim();
  await letTimePass(own);
  assertEquals(await work(), { done: 0, failed: 1 });
  const [record] = await mediaOf(sent.message_sid);
  assertEquals([record!.status, record!.last_error, record!.sha256], ["pending", "hash_mismatch", null]);
  await ok(service.storage.from("evidence").remove([path]));
  await letTimePass(own);
  assertEquals(await work(), { done: 1, failed: 0 });
  assertEquals((await mediaOf(sent.message_sid))[0]!.sha256, await sha256(file.bytes));
});
