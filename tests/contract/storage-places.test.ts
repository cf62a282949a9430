// One file_id is one file in one place, evidence lies in no cache, and its buckets stay private: asked of any Supabase.
import { assert, assertEquals } from "../support/assert.ts";
import { announce, freshPath, ownFile } from "../support/files.ts";
import { ok, person, PUBLISHABLE_KEY, sample, service, SLUGS, URL_BASE } from "../support/stack.ts";

function placesOf(fileId: string): Promise<{ bucket: string }[]> {
  return ok(
    service.from("media_attachments").select("bucket, path, file_size, sha256").eq("file_id", fileId),
  ) as never;
}

for (const slug of SLUGS) {
  Deno.test(`uploads of one file_id into two buckets of ${slug}, racing each other, leave one file and one record`, async () => {
    const manager = await person("manager", slug), citizen = await person("citizen", slug);
    for (let round = 0; round < 5; round++) {
      const { path, fileId } = freshPath(manager.tenant);
      const places = [
        { who: manager, bucket: "evidence", path },
        { who: manager, bucket: "documents", path },
        { who: manager, bucket: "gbv-evidence", path },
        { who: citizen, bucket: "documents", path: path.replace("photo", "other") },
        { who: citizen, bucket: "evidence", path: path.replace("photo", "other") },
      ];
      const answers = await Promise.all(
        places.map(({ who, bucket, path }, i) =>
          who.supabase.storage.from(bucket).upload(path, sample("image/jpeg", 1000 + i))
        ),
      );
      assertEquals(
        answers.filter(({ error }) => !error).length,
        1,
        JSON.stringify(answers.map(({ error }) => error?.message)),
      );
      const [record] = await placesOf(fileId);
      const landed = places[answers.findIndex(({ error }) => !error)]!;
      assertEquals(record!.bucket, landed.bucket);
      const present = await Promise.all(
        places.map(({ bucket, path }) => service.storage.from(bucket).exists(path).then(({ data }) => data)),
      );
      assertEquals(present.filter(Boolean).length, 1);
    }
  });
}

Deno.test("a stored file has no second object, in any bucket, by nobody", async () => {
  const manager = await person("manager"), liaison = await person("saps_liaison");
  const file = await ownFile(manager, "evidence");
  for (const who of [manager, liaison, { supabase: service }]) {
    for (const bucket of ["documents", "gbv-evidence"]) {
      const { error } = await who.supabase.storage.from(bucket).upload(file.path, sample());
      assert(error, bucket);
    }
  }
  assertEquals((await placesOf(file.fileId)).map(({ bucket }) => bucket), ["evidence"]);
});

Deno.test("a place announced by a person takes a file from that person, not from the service", async () => {
  const citizen = await person("citizen");
  const slot = await announce(citizen);
  const { error } = await service.storage.from(slot.bucket).upload(slot.path, sample());
  assert(error);
  await ok(citizen.supabase.storage.from(slot.bucket).upload(slot.path, sample()));
});

Deno.test("nobody stores evidence in a way that a cache would keep it", async () => {
  const citizen = await person("citizen");
  for (
    const cacheControl of ["public, max-age=31536000, immutable", "max-age=31536000", "private, s-maxage=600"]
  ) {
    const { path } = freshPath(citizen.tenant);
    const response = await fetch(`${URL_BASE}/storage/v1/object/evidence/${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${citizen.token}`,
        apikey: PUBLISHABLE_KEY,
        "content-type": "image/jpeg",
        "cache-control": cacheControl,
      },
      body: sample(),
    });
    const answer = await response.json();
    assertEquals(String(answer.statusCode), "403", cacheControl);
    assert(String(answer.message).includes("cacheControl"), answer.message);
  }
  // the default of supabase-js is taken, and what the database keeps of it is not cacheable
  const file = await ownFile(citizen, "evidence");
  assertEquals((await ok(service.storage.from("evidence").info(file.path)))!.cacheControl, "max-age=0");
  for (const [method, route] of [["HEAD", "authenticated"], ["GET", "info/authenticated"]]) {
    const { headers, body } = await fetch(`${URL_BASE}/storage/v1/object/${route}/evidence/${file.path}`, {
      method,
      headers: { authorization: `Bearer ${citizen.token}`, apikey: PUBLISHABLE_KEY },
    });
    await body?.cancel();
    assertEquals(headers.get("cache-control"), "max-age=0", route);
  }
});

Deno.test("a file that exists is told by HEAD to those who may read it, and to nobody else", async () => {
  const citizen = await person("citizen"), stranger = await person("admin", "polokwane");
  const file = await ownFile(citizen, "evidence");
  for (const [who, there] of [[citizen, true], [stranger, false]] as const) {
    assertEquals((await who.supabase.storage.from("evidence").exists(file.path)).data, there);
    const { ok } = await fetch(`${URL_BASE}/storage/v1/object/authenticated/evidence/${file.path}`, {
      method: "HEAD",
      headers: { authorization: `Bearer ${who.token}`, apikey: PUBLISHABLE_KEY },
    });
    assertEquals(ok, there, "HEAD");
  }
});

Deno.test("no key makes a bucket of evidence public", async () => {
  for (const id of ["evidence", "documents", "gbv-evidence"]) {
    assert((await service.storage.updateBucket(id, { public: true })).error, id);
    assertEquals((await ok(service.storage.getBucket(id)))!.public, false);
  }
});

Deno.test("the deploy's trial folder is the secret key's alone, and keeps no record", async () => {
  const path = `00000000-0000-0000-0000-000000000000/${crypto.randomUUID()}/trial.pdf`;
  const admin = await person("admin");
  assert((await admin.supabase.storage.from("documents").upload(path, sample("application/pdf"))).error);
  await ok(service.storage.from("documents").upload(path, sample("application/pdf")));
  try {
    await ok(service.storage.from("documents").download(path));
    assert((await admin.supabase.storage.from("documents").download(path)).error);
    assertEquals(await ok(service.from("media_attachments").select("file_id").eq("path", path)), []);
  } finally {
    await ok(service.storage.from("documents").remove([path]));
  }
  assertEquals((await service.storage.from("documents").exists(path)).data, false);
});
