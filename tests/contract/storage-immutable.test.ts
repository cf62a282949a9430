// A stored file never changes, by any route of the Storage API; each attempt leaves the old file and its record.
import { Buffer } from "node:buffer";
import { Upload } from "tus-js-client";
import { assert, assertEquals } from "../support/assert.ts";
import { assertRefusal, freshPath, type KnownFile, ownFile } from "../support/files.ts";
import {
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  PUBLISHABLE_KEY,
  sample,
  service,
  sha256,
  SLUGS,
  URL_BASE,
} from "../support/stack.ts";

const STORAGE = `${URL_BASE}/storage/v1`;

interface Snapshot {
  hash: string;
  record: unknown;
}

async function snapshot(file: KnownFile): Promise<Snapshot> {
  return {
    hash: await sha256(await ok(service.storage.from(file.bucket).download(file.path))),
    record: await ok(service.from("media_attachments").select("*").eq("file_id", file.fileId).single()),
  };
}

/** Runs an attack on a file and asserts that bytes and record are what they were. */
async function unchanged(file: KnownFile, attack: () => Promise<unknown>): Promise<void> {
  const before = await snapshot(file);
  assertEquals(before.hash, await sha256(file.blob));
  await attack();
  assertEquals(await snapshot(file), before);
}

function as(who: Person, headers: Record<string, string> = {}): Record<string, string> {
  return { apikey: PUBLISHABLE_KEY, authorization: `Bearer ${who.token}`, ...headers };
}

async function refusedWith(response: Response, statusCodes: string[]): Promise<void> {
  const body = await response.json();
  assert(statusCodes.includes(String(body.statusCode)), `refused with ${JSON.stringify(body)}`);
}

Deno.test("overwrite by upsert and by update is refused", async () => {
  for (const role of ["citizen", "admin"] as const) {
    const who = await person(role);
    const file = await ownFile(who, "evidence");
    const storage = who.supabase.storage.from("evidence");
    await unchanged(file, async () => {
      assertRefusal((await storage.upload(file.path, sample(), { upsert: true })).error, ["403", "409"]);
      assertRefusal((await storage.update(file.path, sample())).error, ["403", "404", "409"]);
      assertRefusal((await storage.upload(file.path, sample())).error, ["409", "403"]);
    });
  }
});

Deno.test("overwrite route a: a signed upload token minted with x-upsert, used twice", async () => {
  const who = await person("citizen");
  const { path, fileId } = freshPath(who.tenant);
  const storage = who.supabase.storage.from("evidence");
  const slot = await storage.createSignedUploadUrl(path, { upsert: true });
  if (slot.error) return assertRefusal(slot.error, ["403"]);
  const blob = sample();
  await ok(storage.uploadToSignedUrl(path, slot.data.token, blob));
  await unchanged({ bucket: "evidence", path, fileId, slug: "mbombela", blob }, async () => {
    assertRefusal((await storage.uploadToSignedUrl(path, slot.data.token, sample())).error, ["403", "409"]);
  });
});

Deno.test("overwrite route b: uploads of one name racing each other leave the first that landed", async () => {
  const who = await person("field_worker");
  for (let round = 0; round < 5; round++) {
    const { path, fileId } = freshPath(who.tenant);
    const blobs = Array.from({ length: 4 }, () => sample("image/jpeg", 200_000));
    const results = await Promise.all(
      blobs.map((blob) => who.supabase.storage.from("evidence").upload(path, blob)),
    );
    const winners = results.flatMap(({ error }, index) => error ? [] : [index]);
    assertEquals(winners.length, 1);
    for (const { error } of results) if (error) assertRefusal(error, ["403", "409"]);
    const blob = blobs[winners[0]!]!;
    await unchanged({ bucket: "evidence", path, fileId, slug: "mbombela", blob }, () => Promise.resolve());
  }
});

Deno.test("overwrite route c: a token that may not upsert, at the resumable route", async () => {
  const who = await person("citizen");
  const storage = who.supabase.storage.from("evidence");
  const { path, fileId } = freshPath(who.tenant);
  const slot = await ok(storage.createSignedUploadUrl(path));
  const blob = sample();
  await ok(storage.uploadToSignedUrl(path, slot.token, blob));
  await unchanged({ bucket: "evidence", path, fileId, slug: "mbombela", blob }, async () => {
    const result = await resumable(
      `${STORAGE}/upload/resumable/sign`,
      { "x-signature": slot.token },
      path,
      sample(),
    );
    assert(!result.ok, "the overwrite went through");
  });
});

/** A resumable upload (TUS 1.0): create, then the bytes. The first answer that is no success, else the last. */
async function resumable(
  url: string,
  headers: Record<string, string>,
  path: string,
  blob: Blob,
  contentType: string | null = "image/jpeg",
): Promise<Response> {
  const metadata = { bucketName: "evidence", objectName: path, ...contentType ? { contentType } : {} };
  const encoded = Object.entries(metadata).map(([key, value]) => `${key} ${btoa(value)}`).join(",");
  const common = { apikey: PUBLISHABLE_KEY, ...headers, "tus-resumable": "1.0.0" };
  const created = await fetch(url, {
    method: "POST",
    headers: { ...common, "upload-length": String(blob.size), "upload-metadata": encoded },
  });
  await created.body?.cancel();
  if (created.status !== 201) return created;
  const patched = await fetch(new URL(created.headers.get("location")!, url), {
    method: "PATCH",
    headers: { ...common, "upload-offset": "0", "content-type": "application/offset+octet-stream" },
    body: blob,
  });
  await patched.body?.cancel();
  return patched;
}

async function assertAbsent(path: string): Promise<void> {
  const { error } = await service.storage.from("evidence").download(path);
  assertRefusal(error, ["404"]);
  assertEquals(await ok(service.from("media_attachments").select("file_id").eq("path", path)), []);
}

Deno.test("a resumable upload of an allowed type lands and is recorded; without a type it does not", async () => {
  const who = await person("citizen");
  const good = freshPath(who.tenant);
  const url = `${STORAGE}/upload/resumable`;
  assert((await resumable(url, as(who), good.path, sample())).ok);
  const record = await ok(
    service.from("media_attachments").select("status, file_size").eq("file_id", good.fileId).single(),
  );
  assertEquals(record, { status: "stored", file_size: 2000 });

  const typeless = freshPath(who.tenant);
  assert(!(await resumable(url, as(who), typeless.path, sample(), null)).ok);
  await assertAbsent(typeless.path);
});

Deno.test("a resumable upload by tus-js-client, in parts and broken off in between, lands with a user's own token", async () => {
  for (const slug of SLUGS) {
    const who = await person("field_worker", slug);
    const { path, fileId } = freshPath(who.tenant);
    // in Node and Deno it takes a Buffer; parts are of 6 MiB, as Supabase wants them
    const bytes = Buffer.from(await sample("image/jpeg", 7 * 1024 * 1024).arrayBuffer());
    const begin = (previous?: string) =>
      new Promise<string>((resolve, reject) => {
        const upload = new Upload(bytes, {
          endpoint: `${STORAGE}/upload/resumable`,
          uploadUrl: previous,
          headers: as(who),
          chunkSize: 6 * 1024 * 1024,
          retryDelays: null,
          metadata: { bucketName: "evidence", objectName: path, contentType: "image/jpeg" },
          // the first time it is given up after a part
          onChunkComplete: () => {
            if (previous) return;
            upload.abort();
            resolve(upload.url!);
          },
          onSuccess: () => resolve(""),
          onError: reject,
        });
        upload.start();
      });
    await begin(await begin());
    const record = await ok(
      service.from("media_attachments").select("status, file_size, created_by").eq("file_id", fileId)
        .single(),
    );
    assertEquals(record, { status: "stored", file_size: bytes.length, created_by: who.userId });
  }
});

Deno.test("a raw upload without a type, or of a type with parameters, does not land", async () => {
  const who = await person("citizen");
  for (const type of [undefined, "text/html", "image/jpeg;charset=UTF-8"]) {
    const { path } = freshPath(who.tenant);
    const response = await fetch(`${STORAGE}/object/evidence/${path}`, {
      method: "POST",
      headers: as(who, type ? { "content-type": type } : {}),
      body: new Uint8Array(100),
    });
    await refusedWith(response, ["415", "403", "400"]);
    await assertAbsent(path);
  }
});

Deno.test("a chunked upload over the bucket's limit does not land, though Storage does not count it", async () => {
  const who = await person("citizen");
  for (const [bucket, limit] of [["evidence", 50], ["documents", 10]] as const) {
    const { path } = freshPath(who.tenant);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ <= limit) controller.enqueue(new Uint8Array(1024 * 1024));
        else controller.close();
      },
    });
    const response = await fetch(`${STORAGE}/object/${bucket}/${path}`, {
      method: "POST",
      headers: as(who, { "content-type": "image/jpeg" }),
      body,
    });
    await refusedWith(response, ["413", "403"]);
    assertRefusal((await service.storage.from(bucket).download(path)).error, ["404"]);
    assertEquals(await ok(service.from("media_attachments").select("file_id").eq("path", path)), []);
  }
});

Deno.test("an empty file does not land", async () => {
  const who = await person("citizen");
  const { path } = freshPath(who.tenant);
  const { error } = await who.supabase.storage.from("evidence").upload(
    path,
    new Blob([], { type: "image/jpeg" }),
  );
  assertRefusal(error, ["403"]);
  await assertAbsent(path);
});

Deno.test("no user copies or moves a file, within a bucket, between ours, or into a bucket of another app", async () => {
  const open = `open-${crypto.randomUUID().slice(0, 8)}`;
  await ok(service.storage.createBucket(open, { public: false }));
  try {
    for (
      const [role, bucket] of [["citizen", "evidence"], ["admin", "evidence"], [
        "admin",
        "gbv-evidence",
      ]] as const
    ) {
      const who = await person(role);
      const file = await ownFile(who, bucket);
      const storage = who.supabase.storage.from(bucket);
      await unchanged(file, async () => {
        for (const destinationBucket of ["evidence", "documents", "gbv-evidence", open]) {
          const target = freshPath(who.tenant).path;
          assertRefusal((await storage.copy(file.path, target, { destinationBucket })).error, ["403", "404"]);
          assertRefusal((await storage.move(file.path, target, { destinationBucket })).error, ["403", "404"]);
          assertRefusal((await service.storage.from(destinationBucket).download(target)).error, ["404"]);
        }
      });
    }
  } finally {
    await service.storage.emptyBucket(open);
    await service.storage.deleteBucket(open);
  }
});

Deno.test("not even the service replaces, moves or retypes a file", async () => {
  const file = await ownFile(await person("citizen"), "evidence");
  const storage = service.storage.from("evidence");
  await unchanged(file, async () => {
    assertRefusal((await storage.upload(file.path, sample(), { upsert: true })).error, ["403", "409"]);
    assertRefusal((await storage.update(file.path, sample("image/png"))).error, ["403", "409"]);
    assertRefusal((await storage.move(file.path, freshPath(MUNICIPALITIES.mbombela.id).path)).error, ["403"]);
  });
});

Deno.test("no user deletes a file, an admin neither", async () => {
  for (const role of ["citizen", "admin", "saps_liaison"] as const) {
    const who = await person(role);
    const file = await ownFile(who, "evidence");
    await unchanged(file, async () => {
      const { data } = await who.supabase.storage.from("evidence").remove([file.path]);
      assertEquals(data ?? [], []);
    });
  }
});

Deno.test("a path that is not municipality/file_id/name is refused, an encoded .. too", async () => {
  const who = await person("admin");
  const other = MUNICIPALITIES.polokwane.id;
  const id = crypto.randomUUID();
  const paths = [
    "photo.jpg",
    `${who.tenant}/photo.jpg`,
    `${who.tenant}/not-a-uuid/photo.jpg`,
    `${who.tenant}/${id}/a/b.jpg`,
    `${who.tenant}/${id}/.hidden`,
    `${who.tenant}/${id}/..%2f..%2f${other}%2fphoto.jpg`,
    `${who.tenant}/%2e%2e/${other}/${id}/photo.jpg`,
    `${who.tenant.toUpperCase()}/${id}/photo.jpg`,
    `${who.tenant}/${id}/a b.jpg`,
    `${other}/${id}/photo.jpg`,
  ];
  for (const path of paths) {
    const response = await fetch(`${STORAGE}/object/evidence/${path}`, {
      method: "POST",
      headers: as(who, { "content-type": "image/jpeg" }),
      body: sample(),
    });
    const body = await response.json();
    assert(!response.ok, `${path} went through`);
    assert(["400", "403", "404"].includes(String(body.statusCode)), `${path}: ${JSON.stringify(body)}`);
  }
});

Deno.test("nobody uploads into a place that somebody else announced", async () => {
  const owner = await person("manager");
  const { data: slot } = await owner.supabase.functions.invoke("upload-url", {
    body: { purpose: "evidence", filename: "a.jpg", content_type: "image/jpeg", file_size: 2000 },
  });
  for (const role of ["citizen", "admin"] as const) {
    const thief = (await person(role)).supabase.storage.from("evidence");
    assertRefusal((await thief.upload(slot.path, sample())).error, ["403"]);
    // the same file_id under another name
    assertRefusal((await thief.upload(slot.path.replace("a.jpg", "b.jpg"), sample())).error, ["403"]);
  }
  await ok(owner.supabase.storage.from("evidence").upload(slot.path, sample()));
});
