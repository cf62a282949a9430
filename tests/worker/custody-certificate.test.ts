// The certificate says all that an officer certifies, to those alone who may read the file.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals, assertMatch, assertNotEquals } from "../support/assert.ts";
import { ownStack } from "../support/own-stack.ts";
import { included, leafHash } from "../support/merkle.ts";
import { workToTheEnd } from "../support/flood.ts";
import { custodyTools } from "../support/custody.ts";

const own = await ownStack({ workerSeconds: 0.2 });
const { supabase, superuser, files, functions, whatsapp } = own;
const { MUNICIPALITIES, everybody, makeTicket, ok, person, sample, service, sha256 } = own.stack;
const MBOMBELA = MUNICIPALITIES.mbombela.id;

Deno.test.afterAll(() => supabase.stop());

const loose = { sanitizeOps: false, sanitizeResources: false };
function test(name: string, fn: (test: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ...loose });
}

const { certificate, findings, lastSeq } = custodyTools(own);

test("the certificate of a WhatsApp medium tells what came, from which message, when, with proofs that verify", async () => {
  const file = await whatsapp.sampleFile("burst-pipe.jpg");
  const sent = await whatsapp.accepted(whatsapp.newSender(), MUNICIPALITIES.mbombela.number, {
    files: [file],
  });
  const [record] = await whatsapp.settled(sent.message_sid, 1);
  const { supabase, userId } = await person("saps_liaison");
  const paper = await certificate(supabase, record!.file_id);
  const { received_at, stored_at, ...facts } = paper.file;
  assertEquals(facts, {
    file_id: record!.file_id,
    filename: record!.filename,
    salt: paper.file.salt,
    sha256: await sha256(file.bytes),
    declared_sha256: null,
    file_size: file.bytes.length,
    content_type: "image/jpeg",
    source: "whatsapp",
    status: "stored",
    message_sid: sent.message_sid,
    media_index: 0,
    bucket: "evidence",
    path: record!.path,
  });
  assert(Date.parse(String(received_at)) <= Date.parse(String(stored_at)));
  assertEquals(paper.municipality.id, MBOMBELA);
  assertMatch(paper.tracking_number, /^TKT-/);
  assertEquals(paper.issued_by as unknown, {
    user_id: userId,
    role: "saps_liaison",
    name: null,
    office: null,
  });
  assertEquals(paper.records.map(({ event }) => event), ["received", "stored", "certified"]);
  assertEquals([paper.records[2].user_id, paper.records[2].user_role], [userId, "saps_liaison"]);
  assertEquals(paper.log.intact, true);
  for (const { seq, hash, leaf, proof, event } of paper.records) {
    assertEquals([leafHash(leaf).toHex(), JSON.parse(leaf)[5]], [hash, event]);
    assert(included(leafHash(leaf), seq - 1, paper.log.size, proof, paper.log.root), event);
  }
  assertEquals(
    (await certificate(supabase, record!.file_id)).records.length,
    4,
    "issuing is recorded each time",
  );
});

test("the certificate of a web upload says which hash its browser declared, and whether it was that", async () => {
  const admin = await person("admin");
  for (const honest of [true, false]) {
    const blob = sample();
    const hash = await sha256(blob);
    const declared = honest ? hash : await sha256(sample());
    const slot = await files.announce(admin, { sha256: declared, filename: "Foto – nº 1.jpg" });
    await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    await workToTheEnd(own);
    const { data } = await service.from("media_attachments").select("last_error, sha256").eq(
      "file_id",
      slot.file_id,
    )
      .single();
    assertEquals(data, { last_error: honest ? null : "declared_hash_differs", sha256: hash });
    const paper = await certificate(admin.supabase, slot.file_id);
    const { filename, sha256: own_, declared_sha256, source } = paper.file;
    assertEquals([filename, own_, declared_sha256, source], ["Foto – nº 1.jpg", hash, declared, "web"]);
    const [received, hashed] = paper.records;
    assertEquals([received.event, received.details.uploaded_by], ["received", admin.userId]);
    assertEquals([hashed.event, hashed.details.sha256, hashed.details.as_declared], ["hashed", hash, honest]);
  }
});

test("the certificate of a moved file names the move and each reading: who, in what role, when, for how long, by which request", async () => {
  const uploader = await person("field_worker");
  const ticket = await makeTicket("mbombela");
  const file = await files.ticketFile(uploader, ticket.id);
  await workToTheEnd(own);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  await workToTheEnd(own);
  const readings: unknown[] = [];
  for (const [role, expires_in] of [["admin", 60], ["saps_liaison", undefined], ["admin", 900]] as const) {
    const { token, userId } = await person(role);
    const answer = await functions.call("signed-url", { token, body: { file_id: file.fileId, expires_in } });
    assertEquals(answer.status, 200, answer.text);
    readings.push({
      user_id: userId,
      user_role: role,
      expires_in: expires_in ?? 300,
      request_id: answer.headers.get("x-request-id"),
    });
  }
  const before = Date.now();
  const { supabase } = await person("saps_liaison");
  const paper = await certificate(supabase, file.fileId);
  assertEquals([paper.file.bucket, paper.file.sha256], ["gbv-evidence", await sha256(file.blob)]);
  assertEquals(paper.records.map(({ event }) => event), [
    ...["received", "hashed", "moved", "url_signed", "url_signed", "url_signed", "certified"],
  ]);
  const { from, bucket, sha256: hash } = paper.records[2].details;
  assertEquals([from, bucket, hash], ["evidence", "gbv-evidence", await sha256(file.blob)]);
  const seen = paper.records.filter(({ event }) => event === "url_signed");
  assertEquals(
    seen.map(({ user_id, user_role, details: { expires_in, request_id } }) => (
      { user_id, user_role, expires_in, request_id }
    )),
    readings as typeof seen,
  );
  for (const { recorded_at } of seen) assert(Math.abs(Date.parse(recorded_at) - before) < 20_000);
});

test("no certificate and no records for anybody but admins and police liaison of the municipality", async () => {
  const citizen = await person("citizen");
  const openTicket = await makeTicket("mbombela", { reporter_id: citizen.userId });
  const gbvTicket = await makeTicket("mbombela", { is_sensitive: true });
  const plain = await files.ticketFile(citizen, openTicket.id);
  const gbv = await files.ticketFile(await person("admin"), gbvTicket.id, { purpose: "gbv-evidence" });
  const byManager = await files.serviceFile("gbv-evidence", "mbombela");
  await workToTheEnd(own);
  const before = await lastSeq(MBOMBELA);
  let issued = 0;
  for (const { role, slug, supabase } of await everybody()) {
    for (const file of [plain, gbv, byManager]) {
      const certifies = role === "admin" || role === "saps_liaison";
      const may = slug === "mbombela" && certifies;
      const { data, error } = await supabase.rpc("custody_certificate", { file_id: file.fileId });
      const what = `${role} of ${slug}, ${file.bucket}`;
      if (may) issued++;
      if (may) assertEquals(data?.file.file_id, file.fileId, what);
      else assertEquals(error?.message, certifies ? "not_found" : "forbidden", what);
      // nor the records themselves
      const { data: rows } = await supabase.from("custody_records").select("seq").eq("file_id", file.fileId);
      assertEquals(rows!.length > 0, may, `records, ${what}`);
    }
    const { error } = await supabase.rpc("custody_certificate", { file_id: crypto.randomUUID() });
    assertEquals(error?.message, role === "admin" || role === "saps_liaison" ? "not_found" : "forbidden");
  }
  for (const client of [own.stack.anonymous, service]) {
    const { error } = await client.rpc("custody_certificate", { file_id: plain.fileId });
    assertNotEquals(error, null);
  }
  assertEquals(await lastSeq(MBOMBELA), before + issued, "a refusal left a record, or an issue none");
});

test("the names of files are not in the log; a certificate opens the commitment; without its salt the name is gone and the log whole", async () => {
  const admin = await person("admin");
  const slot = await files.announce(admin, { filename: "thandi-zulu-bruises.jpg" });
  await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, sample()));
  await workToTheEnd(own);
  const { file, records } = await certificate(admin.supabase, slot.file_id);
  const [leaf] = records.map(({ leaf }) => leaf as string);
  assert(!leaf!.includes("thandi"), leaf);
  const salt = Uint8Array.fromHex(String(file.salt));
  assert(salt.length >= 16);
  for (const [name, value] of [["filename", file.filename], ["path", file.path]] as const) {
    const committed = await sha256(new Blob([salt, String(value)]));
    assertEquals(JSON.parse(leaf!)[9][`${name}_commitment`], committed, name);
  }
  const twin = await files.announce(admin, { filename: "thandi-zulu-bruises.jpg" });
  await ok(admin.supabase.storage.from(twin.bucket).uploadToSignedUrl(twin.path, twin.token, sample()));
  await workToTheEnd(own);
  const other = await certificate(admin.supabase, twin.file_id);
  assertNotEquals(
    other.records[0].details.filename_commitment,
    records[0].details.filename_commitment,
    "the same name is known again by its commitment",
  );
  await superuser`update public.media_attachments set custody_salt = null, filename = 'destroyed'
    where file_id = ${slot.file_id}`;
  assertEquals(await findings(), []);
});

test("who is to sign is on the certificate, and in the log by commitment alone; its wording follows the office", async () => {
  const file = await files.serviceFile("evidence", "mbombela");
  await workToTheEnd(own);
  for (const [role, act] of [["admin", "15(4)"], ["saps_liaison", "15(3)"]] as const) {
    const { supabase } = await person(role);
    const signer = { signer_name: "T. Zulu", signer_office: "Records officer" };
    const paper = await ok(supabase.rpc("custody_certificate", { file_id: file.fileId, ...signer }));
    assertEquals([paper.issued_by.name, paper.issued_by.office], ["T. Zulu", "Records officer"]);
    assert(paper.wording.purpose.includes(act), paper.wording.purpose);
    const last = paper.records.at(-1);
    assert(!last.leaf.includes("Zulu") && !last.leaf.includes("officer"), last.leaf);
    assertMatch(last.details.signer_commitment, /^[0-9a-f]{64}$/);
    const { error } = await supabase.rpc("custody_certificate", { file_id: file.fileId, wording: "army" });
    assertEquals(error?.message, "invalid_request");
  }
});

test("one person's token writes no record in another's name", async () => {
  const file = await files.serviceFile("gbv-evidence", "mbombela");
  const { token, userId } = await person("admin");
  const client = createClient(supabase.url, supabase.keys.publishable, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { headers: { authorization: `Bearer ${token}`, "x-user-id": crypto.randomUUID() } },
  });
  await ok(client.rpc("open_evidence", {
    files: [{ file_id: file.fileId, user_id: crypto.randomUUID() }],
    request_id: "x",
    expires_in: 60,
  }));
  const [row] = await superuser`select user_id, user_role from public.custody_records
    where file_id = ${file.fileId} and event = 'url_signed'`;
  assertEquals([row!.user_id, row!.user_role], [userId, "admin"]);
});
