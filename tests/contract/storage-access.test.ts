// The access table through the Storage API, with supabase-js as a dashboard has it, for both municipalities.
import { assert, assertEquals } from "../support/assert.ts";
import { BUCKETS, MAY_READ, MAY_UPLOAD, SEE_SENSITIVE } from "../support/access.ts";
import {
  assertRefusal,
  canDownload,
  canList,
  canSign,
  freshPath,
  open,
  ownFile,
  serviceFile,
  ticketFile,
} from "../support/files.ts";
import {
  anonymous,
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  sample,
  service,
  SLUGS,
} from "../support/stack.ts";

for (const bucket of BUCKETS) {
  for (const slug of SLUGS) {
    const tenant = MUNICIPALITIES[slug].id;

    Deno.test(`${bucket} of ${slug}: who uploads, directly and by a signed upload`, async () => {
      for (const uploader of await everybody()) {
        const allowed = uploader.slug === slug && MAY_UPLOAD[bucket].includes(uploader.role);
        const who = `${uploader.role} of ${uploader.slug}`;
        const storage = uploader.supabase.storage.from(bucket);

        const direct = freshPath(tenant);
        const uploaded = await storage.upload(direct.path, sample());
        assertEquals(uploaded.error === null, allowed, `${who}, directly: ${uploaded.error?.message}`);
        if (!allowed) assertRefusal(uploaded.error, ["403"]);

        const signed = freshPath(tenant);
        const slot = await storage.createSignedUploadUrl(signed.path);
        assertEquals(slot.error === null, allowed, `${who}, signed: ${slot.error?.message}`);
        if (!allowed) assertRefusal(slot.error, ["403"]);
        if (slot.data) await ok(storage.uploadToSignedUrl(signed.path, slot.data.token, sample()));

        const stored = await ok(
          service.from("media_attachments").select("status, created_by").in("file_id", [
            direct.fileId,
            signed.fileId,
          ]),
        );
        const expected = { status: "stored", created_by: uploader.userId };
        assertEquals(stored, allowed ? [expected, expected] : [], `${who}: what the records say`);
      }
    });

    Deno.test(`${bucket} of ${slug}: who reads a file of others`, async () => {
      const file = await serviceFile(bucket, slug);
      for (const reader of await everybody()) {
        const allowed = reader.slug === slug && MAY_READ[bucket].includes(reader.role);
        const who = `${reader.role} of ${reader.slug}`;
        if (bucket === "gbv-evidence") {
          assert(!await canDownload(reader, file), `${who} downloads, and it is not recorded`);
          await open(reader, file);
        }
        assertEquals(await canDownload(reader, file), allowed, `${who} downloads`);
        assertEquals(await canList(reader, file), allowed, `${who} lists`);
        // GBV evidence is signed by the signed-url function alone, which records it first
        assertEquals(await canSign(reader, file), allowed && bucket !== "gbv-evidence", `${who} signs`);
      }
    });
  }
}

for (const bucket of ["evidence", "documents"] as const) {
  Deno.test(`${bucket}: a citizen reads what he uploaded himself, another citizen does not`, async () => {
    for (const slug of SLUGS) {
      const citizen = await person("citizen", slug);
      const file = await ownFile(citizen, bucket);
      assert(await canDownload(citizen, file));
      assert(await canSign(citizen, file));
      const stranger = await person("citizen", slug === "mbombela" ? "polokwane" : "mbombela");
      assert(!await canDownload(stranger, file));
    }
  });
}

Deno.test("a manager cannot read back the GBV evidence he uploaded", async () => {
  const manager = await person("manager");
  const file = await ownFile(manager, "gbv-evidence");
  assert(!await canDownload(manager, file));
  assert(!await canList(manager, file));
  assertEquals(
    await ok(manager.supabase.from("media_attachments").select("*").eq("file_id", file.fileId)),
    [],
  );
});

for (const [bucket, purpose] of [["evidence", "evidence"], ["documents", "proof_of_residence"]] as const) {
  Deno.test(`a ticket turned sensitive hides its files in ${bucket} at once`, async () => {
    for (const slug of SLUGS) {
      const ticket = await makeTicket(slug, { reporter_id: (await person("citizen", slug)).userId });
      const files = [
        await ticketFile(await person("manager", slug), ticket.id, { purpose }),
        await ticketFile(await person("citizen", slug), ticket.id, { purpose }),
      ];
      for (const file of files) assertEquals(file.bucket, bucket);
      await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());

      for (const reader of await everybody()) {
        const allowed = reader.slug === slug && SEE_SENSITIVE.includes(reader.role);
        const who = `${reader.role} of ${reader.slug}`;
        for (const file of files) {
          assert(!await canDownload(reader, file), `${who} downloads, and it is not recorded`);
          await open(reader, file);
          assertEquals(await canDownload(reader, file), allowed, `${who} downloads`);
          assertEquals(await canList(reader, file), allowed, `${who} lists`);
          assert(!await canSign(reader, file), `${who} signs without a record`);
          const records = await ok(
            reader.supabase.from("media_attachments").select("path").eq("file_id", file.fileId),
          );
          assertEquals(records.length > 0, allowed, `${who} sees the record`);
        }
      }
    }
  });
}

Deno.test("who has not signed in reads, lists, uploads and signs nothing", async () => {
  for (const bucket of BUCKETS) {
    const file = await serviceFile(bucket, "mbombela");
    const storage = anonymous.storage.from(bucket);
    assertRefusal((await storage.download(file.path)).error, ["404"]);
    assertRefusal((await storage.createSignedUrl(file.path, 60)).error, ["404"]);
    assertEquals((await ok(storage.listV2({ prefix: MUNICIPALITIES.mbombela.id }))).objects, []);
    assertRefusal((await storage.upload(freshPath(MUNICIPALITIES.mbombela.id).path, sample())).error, [
      "403",
    ]);
  }
});

Deno.test("the old list, which would look at each file of the municipality, shows a user nothing, and the service all", async () => {
  for (const bucket of BUCKETS) {
    const file = await serviceFile(bucket, "mbombela");
    const folder = file.path.slice(0, file.path.lastIndexOf("/"));
    assertEquals(await ok((await person("admin")).supabase.storage.from(bucket).list(folder)), []);
    assertEquals((await ok(service.storage.from(bucket).list(folder))).length, 1);
  }
});

Deno.test("the service reads and deletes every file, and a deleted one cannot be replaced in its place", async () => {
  for (const bucket of BUCKETS) {
    const file = await serviceFile(bucket, "polokwane");
    assertEquals((await ok(service.storage.from(bucket).download(file.path))).size, file.blob.size);
    assertEquals((await ok(service.storage.from(bucket).remove([file.path]))).length, 1);
    const again = await service.storage.from(bucket).upload(file.path, sample());
    assertRefusal(again.error, ["409"]);
  }
});
