// What may land in our buckets, as Storage writes it: asked in the database itself, and everything is taken back.
import { assert, assertEquals } from "../support/assert.ts";
import { announce, ownFile, serviceFile, ticketFile } from "../support/files.ts";
import { claimsOf } from "../support/functions.ts";
import { makeTicket, MUNICIPALITIES, person, sample } from "../support/stack.ts";
import { accepted, newSender, settled } from "../support/whatsapp.ts";
import { outcome, takenBack, type Tx } from "./taken-back.ts";

interface Landing {
  bucket?: string;
  path?: string;
  owner?: string | null;
  metadata?: Record<string, unknown>;
  role?: string;
}

/** What becomes of a row that Storage would write. */
function land(tx: Tx, place: { bucket: string; path: string }, given: Landing): Promise<string> {
  const { bucket, path, owner = null, role = "service_role" } = { ...place, ...given };
  const metadata = { size: 2000, mimetype: "image/jpeg", cacheControl: "max-age=3600", ...given.metadata };
  return outcome(tx, async (tx) => {
    await tx.unsafe(`set local role ${role}`);
    await tx`insert into storage.objects (bucket_id, name, owner_id, metadata)
      values (${bucket}, ${path}, ${owner}, ${tx.json(metadata as never)})`;
    await tx`set constraints all immediate`;
  });
}

Deno.test("a file has a second object only as the service's copy in gbv-evidence, while its ticket is sensitive", async () => {
  const admin = await person("admin");
  const open = await makeTicket("mbombela"), turned = await makeTicket("mbombela");
  const ordinary = await ticketFile(admin, open.id), file = await ticketFile(admin, turned.id);
  const pending = await announce(admin, { ticket_id: turned.id });
  await takenBack(async (tx) => {
    await tx`update public.tickets set is_sensitive = true where id = ${turned.id}`;
    const copy = { bucket: "gbv-evidence", path: file.path };
    assertEquals(await land(tx, copy, {}), "done");
    assertEquals(await land(tx, copy, { owner: admin.userId }), "42501", "by a person");
    assertEquals(await land(tx, copy, { path: `${file.path}.jpg` }), "42501", "under another name");
    assertEquals(await land(tx, copy, { bucket: "documents" }), "42501", "in another bucket");
    assertEquals(await land(tx, copy, { path: ordinary.path }), "42501", "of an ordinary ticket's file");
    assertEquals(await land(tx, copy, { path: pending.path }), "42501", "of a file that has not come");
    await tx`update public.media_attachments set bucket = 'gbv-evidence' where file_id = ${file.fileId}`;
    assert(await land(tx, copy, {}) !== "done", "of a file that lies there already");
  });
});

Deno.test("an announced place takes one file, from who announced it, in its bucket, under its name", async () => {
  const [citizen, other] = [await person("citizen"), await person("field_worker")];
  const place = await announce(citizen);
  const stored = await ownFile(citizen, "evidence");
  await takenBack(async (tx) => {
    assertEquals(await land(tx, place, { owner: citizen.userId }), "done");
    assertEquals(await land(tx, place, { owner: other.userId }), "42501", "by somebody else");
    assertEquals(await land(tx, place, {}), "42501", "by the service");
    assertEquals(
      await land(tx, place, { owner: citizen.userId, bucket: "documents" }),
      "42501",
      "in another bucket",
    );
    assertEquals(
      await land(tx, place, { owner: citizen.userId, path: `${place.path}.jpg` }),
      "42501",
      "of another name",
    );
    assertEquals(
      await land(tx, stored, { owner: citizen.userId, path: stored.path }),
      "23505",
      "where one lies",
    );
  });
});

Deno.test("a file that lands is of the bucket's types and size, not empty, and in no cache", async () => {
  const citizen = await person("citizen");
  const place = await announce(citizen);
  await takenBack(async (tx) => {
    const landed = (metadata: Record<string, unknown>) =>
      land(tx, place, { owner: citizen.userId, metadata });
    assertEquals(await landed({}), "done");
    for (
      const metadata of [
        { size: 0 },
        { size: 50 * 1024 * 1024 + 1 },
        { mimetype: "text/html" },
        { mimetype: "application/octet-stream" }, // for residents' files alone
        { cacheControl: "public, max-age=31536000, immutable" },
        { cacheControl: "max-age=7200" },
        { mimetype: null },
      ]
    ) assertEquals(await landed(metadata), "42501", JSON.stringify(metadata));
  });
});

Deno.test("what is of no type we know is not taken from the service either, but as a resident's file", async () => {
  const path = `${MUNICIPALITIES.mbombela.id}/${crypto.randomUUID()}/file.bin`;
  await takenBack(async (tx) => {
    const place = { bucket: "evidence", path };
    assertEquals(await land(tx, place, {}), "done");
    assertEquals(await land(tx, place, { metadata: { mimetype: "application/octet-stream" } }), "42501");
  });
});

Deno.test("a resident's pending file is stored by the service alone, of whatever type", async () => {
  const { number } = MUNICIPALITIES.mbombela;
  const admin = await person("admin");
  const bytes = await sample().bytes() as Uint8Array<ArrayBuffer>;
  const options = { faults: { status: 500 } };
  const sent = await accepted(newSender(), number, { files: [{ type: "image/jpeg", bytes }], options });
  const [record] = await settled(sent.message_sid, 1);
  await takenBack(async (tx) => {
    assertEquals(await land(tx, record!, {}), "done");
    assertEquals(await land(tx, record!, { metadata: { mimetype: "application/octet-stream" } }), "done");
    assertEquals(await land(tx, record!, { owner: admin.userId }), "42501", "by a person");
    // Storage asks as the user first, whether they may: without an owner they are not the service
    await tx`select set_config('request.jwt.claims', ${JSON.stringify(claimsOf(admin.token))}, true),
      set_config('storage.operation', 'storage.object.upload', true)`;
    const own = { path: `${admin.tenant}/${crypto.randomUUID()}/photo.jpg`, owner: admin.userId };
    assertEquals(await land(tx, record!, { ...own, role: "authenticated" }), "done");
    assertEquals(await land(tx, record!, { role: "authenticated" }), "42501", "by a person's probe");
  });
});

Deno.test("the deploy's trial folder is the secret key's alone, and a folder of no municipality nobody's", async () => {
  const admin = await person("admin");
  const place = (tenant: string) => ({
    bucket: "evidence",
    path: `${tenant}/${crypto.randomUUID()}/trial.jpg`,
  });
  const trial = place("00000000-0000-0000-0000-000000000000");
  await takenBack(async (tx) => {
    assertEquals(await land(tx, trial, {}), "done");
    assertEquals(await land(tx, trial, { owner: admin.userId }), "42501", "by a person");
    assertEquals(await land(tx, place(crypto.randomUUID()), {}), "42501", "of no municipality");
    assertEquals(await land(tx, place(admin.tenant), { owner: admin.userId }), "done");
  });
});

Deno.test("no object of ours changes, and none becomes one of ours", async () => {
  const file = await serviceFile("evidence", "mbombela");
  await takenBack(async (tx) => {
    await tx`insert into storage.buckets (id, name) values ('loose', 'loose')`;
    await tx`insert into storage.objects (bucket_id, name) values ('loose', ${
      file.path.replace("photo", "other")
    })`;
    const change = (set: string, where: string) =>
      outcome(
        tx,
        (tx) => tx.unsafe(`set local role service_role; update storage.objects set ${set} where ${where}`),
      );
    const ours = `name = '${file.path}'`;
    for (
      const set of [
        "metadata = '{}'",
        "bucket_id = 'documents'",
        "bucket_id = 'loose'",
        "name = 'x'",
        "owner_id = 'x'",
      ]
    ) {
      assertEquals(await change(set, ours), "42501", set);
    }
    assertEquals(await change("bucket_id = 'evidence'", "bucket_id = 'loose'"), "42501", "into ours");
    assertEquals(await change("metadata = '{}'", "bucket_id = 'loose'"), "done", "of the project's own");
  });
});
