// The main job, end to end, with real files: reports arrive by WhatsApp, a dashboard uploads, and every role of two
// municipalities asks for every file; dashboards are told live; a function is killed in the middle of its work; a certificate is
// printed. Run by `npm run demo`; ends with `demo: N checks passed, 0 failed`.
import type { SignedUrl, UploadUrlResponse } from "../../shared/contracts.ts";
import {
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  type Role,
  ROLES,
  service,
  sha256,
  type Slug,
  SLUGS,
} from "../../tests/support/stack.ts";
import { bundle, certificate } from "./custody.ts";
import {
  checks,
  dashboards,
  detail,
  files,
  GBV_READERS,
  letter,
  PATIENCE_MS,
  photo,
  type SampleFile,
  type SentFile,
  STAFF,
  told,
} from "./scene.ts";
import { functionDies, hasResidents, residentsReport } from "./residents.ts";

await checks.run(play);
await dashboards.close();
Deno.exit(checks.finish("demo"));

async function play(): Promise<void> {
  checks.step("Everybody opens a dashboard, and tries to listen to both municipalities, GBV too");
  await dashboards.open();
  for (const [listener, topics] of dashboards.joined) {
    const own = `municipality:${listener.tenant}`;
    const expected = [
      ...STAFF.includes(listener.role) ? [own] : [],
      ...GBV_READERS.includes(listener.role) ? [`${own}:gbv`] : [],
    ];
    checks.check(
      `${listener.role} of ${listener.slug} listens to ${expected.length} of 4 topics`,
      topics.join() === expected.join(),
      topics.join(),
    );
  }

  if (hasResidents) await residentsReport();
  else checks.step("Left out: what residents send. These functions ask Twilio itself, not the pretend one");
  checks.step("A manager uploads from the dashboard, by a signed upload and directly");
  const manager = await person("manager");
  const signedSlot = await announce(manager, "proof_of_residence", letter);
  await ok(
    manager.supabase.storage.from(signedSlot.bucket)
      .uploadToSignedUrl(signedSlot.path, signedSlot.token, new Blob([letter.bytes], { type: letter.type })),
  );
  await uploaded("manager's PDF, uploadToSignedUrl", "mbombela", signedSlot, letter, STAFF);

  const directSlot = await announce(manager, "evidence", photo);
  await ok(
    manager.supabase.storage.from(directSlot.bucket).upload(
      directSlot.path,
      new Blob([photo.bytes], { type: photo.type }),
    ),
  );
  await uploaded("manager's photo, upload", "mbombela", directSlot, photo, STAFF);
  await told("mbombela", STAFF, ["stored", "stored"]);

  const gbvSlot = await announce(manager, "gbv-evidence", detail);
  await ok(
    manager.supabase.storage.from(gbvSlot.bucket)
      .uploadToSignedUrl(gbvSlot.path, gbvSlot.token, new Blob([detail.bytes], { type: detail.type })),
  );
  await uploaded("manager's GBV photo, which he cannot read back", "mbombela", gbvSlot, detail, GBV_READERS);
  await told("mbombela", GBV_READERS, ["stored"]);

  if (hasResidents) await functionDies();
  else await uploadToTicket(manager);

  checks.step("An admin marks that ticket sensitive");
  const hidden = files.at(-1)!;
  const admin = await person("admin");
  const early = await ok(
    admin.supabase.functions.invoke<SignedUrl>("signed-url", { body: { file_id: hidden.fileId } }),
  );
  const { ticket_id } = await ok(
    service.from("media_attachments").select("ticket_id").eq("file_id", hidden.fileId).single(),
  );
  await ok(admin.supabase.from("tickets").update({ is_sensitive: true }).eq("id", ticket_id).select());
  hidden.readers = GBV_READERS;
  hidden.label = hidden.label.replace(/\(.*\)/, "(moved to gbv-evidence)");
  const heard = await dashboards.hear();
  const types = (topic: string) =>
    heard.filter((told) => told.topic === topic).map(({ payload }) => payload.type);
  const general = `municipality:${MUNICIPALITIES.mbombela.id}`;
  checks.check(
    "the general dashboards are told that it is gone, and no more; those for GBV that it is there",
    types(general).length === STAFF.length && types(general).every((type) => type === "DELETE") &&
      types(`${general}:gbv`).length === GBV_READERS.length,
    JSON.stringify(heard.map(({ topic, payload }) => [topic, payload])),
  );
  await moved(hidden);
  checks.check("the URL handed out before is dead", !(await fetch((early as SignedUrl).signed_url)).ok);
  await dashboards.hear();

  checks.step("Every role of both municipalities asks for every file, and fetches what it is given");
  const answers = await Promise.all(files.map(async (file) => ({
    file,
    cells: await Promise.all(
      (await everybody()).map(async (reader) => ({ reader, cell: await readBy(reader, file) })),
    ),
  })));
  for (const slug of SLUGS) {
    checks.table(
      [`asked by people of ${slug}`, ...ROLES],
      answers.map(({ file, cells }) => [
        file.label,
        ...cells.filter(({ reader }) => reader.slug === slug).map(({ cell }) => cell),
      ]),
    );
  }
  checks.say("yes: the bytes fetched through the signed URL have the SHA-256 of those sent;  -: not found");

  checks.step("Police liaison asks for the certificate of the photo that was moved");
  await certificate(checks, hidden.fileId, hidden.sha256);

  checks.step("A prosecutor gets the ticket's files as a bundle, and verifies it offline");
  await bundle(checks, hidden.fileId);
}

/** A photo on a ticket of its own, where no resident sent one. */
async function uploadToTicket(manager: Person): Promise<void> {
  checks.step("A manager uploads a photo to a ticket");
  const { id: ticket_id } = await makeTicket("mbombela");
  const slot = await announce(manager, "evidence", photo, { ticket_id });
  await ok(
    manager.supabase.storage.from(slot.bucket)
      .uploadToSignedUrl(slot.path, slot.token, new Blob([photo.bytes], { type: photo.type })),
  );
  await uploaded("manager's photo on a ticket", "mbombela", slot, photo, STAFF);
  await told("mbombela", STAFF, ["INSERT", "stored"]);
}

/** Waits until the worker has moved the file into gbv-evidence. */
async function moved(file: SentFile): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let row;
  do {
    if (hasResidents) await new Promise((resolve) => setTimeout(resolve, 100));
    else await service.functions.invoke("media-worker", { headers: { prefer: "wait=20" } }); // no schedule there
    row = await ok(
      service.from("media_attachments").select("bucket, moved_from, sha256").eq("file_id", file.fileId)
        .single(),
    );
  } while ((row.bucket !== "gbv-evidence" || row.moved_from) && Date.now() < deadline);
  checks.check(
    "its file lies in gbv-evidence now, with the same SHA-256",
    row.bucket === "gbv-evidence" && row.moved_from === null && row.sha256 === file.sha256,
    JSON.stringify(row),
  );
}

async function announce(
  uploader: Person,
  purpose: string,
  file: SampleFile,
  more: { ticket_id?: string } = {},
): Promise<UploadUrlResponse> {
  const body = {
    ...more,
    purpose,
    filename: file.name,
    content_type: file.type,
    file_size: file.bytes.length,
    sha256: await sha256(file.bytes),
  };
  return await ok(
    uploader.supabase.functions.invoke<UploadUrlResponse>("upload-url", { body }),
  ) as UploadUrlResponse;
}

async function uploaded(
  label: string,
  slug: Slug,
  slot: UploadUrlResponse,
  file: SampleFile,
  readers: Role[],
) {
  const row = await ok(
    service.from("media_attachments").select("status, file_size, content_type").eq("file_id", slot.file_id)
      .single(),
  );
  checks.check(
    `${label}: ${file.name} is stored in ${slot.bucket}`,
    row.status === "stored" && row.file_size === file.bytes.length && row.content_type === file.type,
    JSON.stringify(row),
  );
  const hash = await sha256(file.bytes);
  files.push({
    label: `${slug}: ${file.name} (${slot.bucket}, upload)`,
    fileId: slot.file_id,
    sha256: hash,
    slug,
    readers,
  });
}

/** Asks for the file as this person; `yes` for the very bytes, `-` for not found. Anything else is a failure. */
async function readBy(reader: Person, file: SentFile): Promise<string> {
  const expected = reader.slug === file.slug && file.readers.includes(reader.role);
  const who = `${reader.role} of ${reader.slug}`;
  const { data, error } = await reader.supabase.functions.invoke<SignedUrl>("signed-url", {
    body: { file_id: file.fileId },
  });
  if (error) {
    const { error: { code } } = await error.context.json();
    checks.check(
      `${who} ${expected ? "reads" : "does not read"} ${file.label}`,
      !expected && code === "not_found",
      code,
    );
    return "-";
  }
  const response = await fetch(data!.signed_url);
  const same = response.ok && await sha256(new Uint8Array(await response.arrayBuffer())) === file.sha256;
  checks.check(`${who} ${expected ? "reads" : "does not read"} ${file.label}`, expected && same);
  return same ? "yes" : "OTHER BYTES";
}
