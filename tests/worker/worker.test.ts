// The media worker's door, and its rounds: who may start one, what nothing due costs, what a job may do to another.
import { mediaWorker } from "../../functions/media-worker/index.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { announce, freshPath, ticketFile } from "../support/files.ts";
import { assertRefused, call, callHandler, database, until } from "../support/functions.ts";
import { functionEnvironment } from "../support/handlers.ts";
import {
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  PUBLISHABLE_KEY,
  sample,
  SECRET_KEY,
  service,
  sha256,
  URL_BASE,
} from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled } from "../support/whatsapp.ts";

const WORKER_KEY = Deno.env.get("MEDIA_WORKER_KEY")!;

const worker = (headers: Record<string, string | null> = {}, method = "POST") =>
  call("media-worker", { method, headers: { apikey: SECRET_KEY, prefer: "wait=120", ...headers } });

/** Works until nothing is due. */
async function finish(): Promise<void> {
  await until("nothing is due", async () => {
    const { body } = await worker();
    return body.done === 0 && body.failed === 0;
  });
}

/** The migrations' role, past the API: the clock of a row is turned. */
function turnClock(fileId: string, minutes: number): Promise<unknown> {
  return database((sql) =>
    sql`update public.media_attachments set next_attempt_at = now() + ${minutes} * interval '1 minute'
      where file_id = ${fileId}`
  );
}

function recordOf(fileId: string) {
  return ok(service.from("media_attachments").select("*").eq("file_id", fileId).single());
}

function eventsOf(fileId: string): Promise<string[]> {
  return ok(service.from("custody_records").select("event").eq("file_id", fileId).order("recorded_at"))
    .then((rows) => rows.map(({ event }) => event));
}

async function upload(
  size?: number,
): Promise<{ fileId: string; bucket: "evidence"; path: string; hash: string }> {
  const blob = sample("image/jpeg", size);
  const { path, fileId } = freshPath(MUNICIPALITIES.mbombela.id);
  await ok(service.storage.from("evidence").upload(path, blob));
  return { fileId, bucket: "evidence", path, hash: await sha256(blob) };
}

Deno.test("nobody but the worker's key and a secret key starts a round", async () => {
  const serviceToken = Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!;
  const refused: [string, Record<string, string | null>][] = [
    ["no key", { apikey: null }],
    ["a part of the worker's key", { apikey: WORKER_KEY.slice(0, -1) }],
    ["the publishable key", { apikey: PUBLISHABLE_KEY }],
    ["the publishable key as Bearer", { apikey: null, authorization: `Bearer ${PUBLISHABLE_KEY}` }],
    ["a wrong key", { apikey: SECRET_KEY.slice(0, -1) + (SECRET_KEY.endsWith("A") ? "B" : "A") }],
    ["a shorter key", { apikey: SECRET_KEY.slice(0, -1) }],
    ["an empty key", { apikey: "" }],
    ["the anon token", { apikey: Deno.env.get("SUPABASE_ANON_KEY")! }],
    ["a publishable key over a secret Bearer", {
      apikey: PUBLISHABLE_KEY,
      authorization: `Bearer ${SECRET_KEY}`,
    }],
  ];
  for (const { role, slug, token } of await everybody()) {
    refused.push([`${role} of ${slug}`, { apikey: PUBLISHABLE_KEY, authorization: `Bearer ${token}` }]);
    refused.push([`${role} of ${slug}, token as key`, { apikey: token }]);
  }
  const { fileId } = await upload();
  for (const [what, headers] of refused) assertRefused(await worker(headers), "unauthorized", what);
  assertEquals((await recordOf(fileId)).sha256, null, "somebody started a round");

  const accepted: Record<string, string | null>[] = [
    { apikey: SECRET_KEY },
    { apikey: WORKER_KEY },
    { apikey: null, authorization: `Bearer ${SECRET_KEY}` },
    { apikey: serviceToken },
    { apikey: null, authorization: `Bearer ${serviceToken}` },
  ];
  for (const headers of accepted) assertEquals((await worker(headers)).status, 200);
  assert((await recordOf(fileId)).sha256);
});

Deno.test("the key that lies in pg_net's queue opens nothing but the worker", async () => {
  for (
    const path of ["rest/v1/inbound_messages", "rest/v1/tickets", "storage/v1/bucket", "auth/v1/admin/users"]
  ) {
    for (const bearer of [[], [["authorization", `Bearer ${WORKER_KEY}`]]] as [string, string][][]) {
      const response = await fetch(`${URL_BASE}/${path}`, { headers: [["apikey", WORKER_KEY], ...bearer] });
      assertEquals(response.status, 401, `${path}: ${await response.text()}`);
    }
  }
  for (const name of ["upload-url", "signed-url", "open-report"]) {
    assertEquals(
      (await call(name, { headers: { apikey: WORKER_KEY }, token: WORKER_KEY })).status,
      401,
      name,
    );
  }
});

Deno.test("the worker answers at once, and works on: pg_net holds everybody's calls until it has", async () => {
  await finish();
  const files = await Promise.all(Array.from({ length: 8 }, () => upload(2_000_000)));
  const begun = await Promise.all([worker({ prefer: null }), worker({ prefer: null })]);
  for (const { status, body, headers } of begun) {
    assertEquals([status, Object.keys(body)], [202, ["request_id"]]);
    assertEquals(body.request_id, headers.get("x-request-id"));
  }
  const hashes = () => Promise.all(files.map(async ({ fileId }) => (await recordOf(fileId)).sha256));
  assert((await hashes()).includes(null), "it answered when all was done");
  await until("all are hashed", async () => !(await hashes()).includes(null));
  // two rounds at once did nothing twice
  for (const { fileId } of files) assertEquals(await eventsOf(fileId), ["received", "hashed"]);
});

Deno.test("who would rather wait for the round is told what it did, unless it takes longer", async () => {
  await finish();
  await upload();
  assertEquals((await worker({ prefer: "respond-async, wait=60" })).body, { done: 1, failed: 0 });
  for (const prefer of ["wait=0", "wait=x", "wait", "return=minimal", ""]) {
    assertEquals((await worker({ prefer })).status, 202, prefer);
  }
  await finish();
});

Deno.test("any method but POST is refused, with a key too", async () => {
  for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
    assertRefused(await worker({}, method), "method_not_allowed");
  }
});

Deno.test("a round with a secret missing is refused before it begins", async () => {
  const { fileId } = await upload();
  for (
    const [name, code] of [
      ["ENCRYPTION_KEY_CURRENT", "not_configured"],
      ["MEDIA_WORKER_KEY", "not_configured"],
      ["TWILIO_ACCOUNT_SID", "not_configured"],
      ["TWILIO_AUTH_TOKEN", "not_configured"],
      ["SUPABASE_URL", "storage_not_configured"],
      ["SUPABASE_SECRET_KEYS", "storage_not_configured"],
    ] as const
  ) {
    for (const value of [undefined, ""]) {
      const handler = mediaWorker(functionEnvironment({ [name]: value }));
      assertRefused(await callHandler(handler, { headers: { apikey: SECRET_KEY } }), code, name);
    }
  }
  assertEquals((await recordOf(fileId)).sha256, null);
  await finish();
});

Deno.test("nothing due: nothing done, one look at the index of what is due", async () => {
  await finish();
  assertEquals((await worker()).body, { done: 0, failed: 0 });
  await database((sql) =>
    sql.begin(async (tx) => {
      // as many as a busy year leaves
      await tx`insert into public.media_attachments
          (tenant_id, file_id, bucket, path, filename, content_type, purpose, next_attempt_at)
        select t, f, 'evidence', t || '/' || f || '/a.jpg', 'a.jpg', 'image/jpeg', 'evidence',
          case when i <= 200 then now() + interval '1 day' end
        from generate_series(1, 10000) i,
          lateral (select ${MUNICIPALITIES.mbombela.id}::uuid as t, gen_random_uuid() as f where i > 0) x`;
      await tx`analyze public.media_attachments`;
      // the queries of claim_media_work, each answered by its own index
      const [{ definition }] = await tx`
        select pg_get_functiondef('public.claim_media_work(integer)'::regprocedure) as definition` as [
        { definition: string },
      ];
      const queries = [...definition.matchAll(/select m\.\* into file (from [\s\S]*?skip locked);/g)];
      const indexes = ["moves", "transfers", "hashes"];
      assertEquals(queries.length, indexes.length);
      for (const [index, [, query]] of queries.entries()) {
        const plan = (await tx.unsafe(`explain select m.* ${query}`)).map((row) => row["QUERY PLAN"]).join(
          "\n",
        );
        assertMatch(plan, new RegExp(`Index Scan using media_attachments_due_${indexes[index]}_idx`));
        assert(!/Seq Scan|Sort/.test(plan), plan);
      }
      throw new Rollback();
    }).catch((error) => {
      if (!(error instanceof Rollback)) throw error;
    })
  );
});

class Rollback extends Error {}

Deno.test("an upload that never came expires after 24 hours, and not before", async () => {
  const owner = await person("field_worker");
  const slot = await announce(owner);
  const { next_attempt_at, created_at } = await recordOf(slot.file_id);
  assertEquals(Date.parse(next_attempt_at) - Date.parse(created_at), 24 * 3600 * 1000);
  await turnClock(slot.file_id, 1);
  await finish();
  assertEquals((await recordOf(slot.file_id)).status, "pending");

  await turnClock(slot.file_id, -1);
  await finish();
  const { status, last_error, next_attempt_at: next } = await recordOf(slot.file_id);
  assertEquals([status, last_error, next], ["expired", "never_came", null]);
  assertEquals(await eventsOf(slot.file_id), [], "nothing was received, so nothing is recorded");
});

Deno.test("thousands of uploads that never came hold nothing up: at most 200 expire in a call", async () => {
  await finish();
  await database(async (sql) => {
    const t = MUNICIPALITIES.mbombela.id;
    const pending = () =>
      sql`select count(*)::integer as n from public.media_attachments where next_attempt_at < now()`
        .then(([row]) => row!.n as number);
    await sql`insert into public.media_attachments
        (tenant_id, file_id, bucket, path, filename, content_type, purpose, next_attempt_at)
      select ${t}::uuid, f, 'evidence', ${t} || '/' || f || '/a.jpg', 'a.jpg', 'image/jpeg', 'evidence',
        now() - interval '1 hour'
      from generate_series(1, 1000) i, lateral (select gen_random_uuid() as f where i > 0) x`;
    const { fileId } = await upload();
    const first = await ok(service.rpc("claim_media_work", {}));
    assertEquals([first.work, first.file_id], ["hash", fileId], "real work does not wait behind them");
    assertEquals(await pending(), 800);
    assertEquals(await ok(service.rpc("claim_media_work", {})), { work: "more" });
    await turnClock(fileId, -1);
    assertEquals((await worker()).body, { done: 1, failed: 0 });
    assert((await recordOf(fileId)).sha256);
    assertEquals(await pending(), 0);
  });
});

Deno.test("a flood of uploads to hash holds up neither what Twilio keeps nor a sensitive file that is to be moved", async () => {
  await finish();
  const hashes = await Promise.all(Array.from({ length: 3 }, () => upload()));
  for (const { fileId } of hashes) await turnClock(fileId, -600); // due for ten hours
  const sent = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    files: [await sampleFile("burst-pipe.jpg")],
    options: { faults: { status: 500, times: 1 } },
  });
  const [transfer] = await settled(sent.message_sid, 1);
  await turnClock(transfer!.file_id, -1);
  const ticket = await makeTicket("mbombela");
  const moved = await ticketFile(await person("admin"), ticket.id);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  const order = [];
  for (let i = 0; i < 5; i++) order.push((await ok(service.rpc("claim_media_work", {})))!.work);
  assertEquals(order, ["move", "transfer", "hash", "hash", "hash"]);
  for (const fileId of [transfer!.file_id, moved.fileId, ...hashes.map(({ fileId }) => fileId)]) {
    await turnClock(fileId, -1);
  }
  await finish();
});

Deno.test("an upload that comes after all, on a token that is still good, lands and is hashed", async () => {
  const owner = await person("field_worker");
  const blob = sample();
  const slot = await announce(owner, { sha256: await sha256(blob) });
  await turnClock(slot.file_id, -1);
  await finish();
  await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  await finish();
  const { status, last_error, sha256: hash } = await recordOf(slot.file_id);
  assertEquals([status, last_error, hash], ["stored", null, await sha256(blob)]);
  assertEquals(await eventsOf(slot.file_id), ["received", "hashed"]);
});

Deno.test("rounds at once never do the same job", async () => {
  await finish();
  const files = await Promise.all(Array.from({ length: 24 }, () => upload()));
  const rounds = await Promise.all(Array.from({ length: 6 }, () => worker()));
  assertEquals(rounds.reduce((sum, { body }) => sum + body.done, 0), files.length);
  assert(rounds.filter(({ body }) => body.done > 0).length > 1, "they did not run at once");
  for (const { fileId, hash } of files) {
    const { sha256, attempts, next_attempt_at } = await recordOf(fileId);
    assertEquals([sha256, attempts, next_attempt_at], [hash, 1, null]);
    assertEquals(await eventsOf(fileId), ["received", "hashed"]);
  }
});

Deno.test("claims at once never give the same file twice", async () => {
  await finish();
  const files = await Promise.all(Array.from({ length: 12 }, () => upload()));
  const claims = await Promise.all(
    Array.from({ length: 16 }, () => ok(service.rpc("claim_media_work", { lease_seconds: 60 }))),
  );
  const claimed = claims.filter((work) => work?.file_id).map((work) => work.file_id);
  assertEquals(claimed.toSorted(), files.map(({ fileId }) => fileId).toSorted());
  assertEquals((await worker()).body, { done: 0, failed: 0 }, "a lease was broken");
  for (const { fileId } of files) await turnClock(fileId, -1);
  await finish();
});

Deno.test("a job that fails does not stop the others, and says why", async () => {
  await finish();
  const [first, bad, last] = [await upload(), await upload(), await upload()];
  // as if Storage had lost a byte
  await database((sql) =>
    sql`update public.media_attachments set file_size = file_size + 1 where file_id = ${bad.fileId}`
  );
  assertEquals((await worker()).body, { done: 2, failed: 1 });
  for (const { fileId, hash } of [first, last]) assertEquals((await recordOf(fileId)).sha256, hash);
  const { status, sha256: hash, last_error, next_attempt_at } = await recordOf(bad.fileId);
  assertEquals([status, hash, last_error], ["stored", null, "hash_mismatch"]);
  assert(Date.parse(next_attempt_at) > Date.now());
  await database((sql) =>
    sql`update public.media_attachments set next_attempt_at = null where file_id = ${bad.fileId}`
  );
});
