// The main job, end to end, with real files: reports arrive by WhatsApp, a dashboard uploads, and every role of two
// municipalities asks for every file; dashboards are told live; a function is killed in the middle of its work; a certificate is
// printed. Run by `npm run demo`; ends with `demo: N checks passed, 0 failed`.
import type { SignedUrl, UploadUrlResponse } from "../../shared/contracts.ts";
import { twilioClient } from "../../local/twilio-client.ts";
import {
  everybody,
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
import { Checks } from "./checks.ts";
import { bundle, certificate } from "./custody.ts";
import { Dashboards, listPeople } from "./dashboards.ts";
import { killFunction, turnClockForward } from "./mishaps.ts";
import { readReport } from "./report.ts";

/** Milliseconds within which a medium must have been taken in. */
const PATIENCE_MS = 15_000;

interface SampleFile {
  name: string;
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** A file that was sent, and who must be able to read it. */
interface SentFile {
  label: string;
  fileId: string;
  sha256: string;
  slug: Slug;
  readers: Role[];
}

const STAFF: Role[] = ["field_worker", "ward_councillor", "manager", "admin", "saps_liaison"];
const GBV_READERS: Role[] = ["admin", "saps_liaison"];

const checks = new Checks();
const twilio = twilioClient(Deno.env.get("PRETEND_TWILIO_URL")!);
const dashboards = new Dashboards();
const files: SentFile[] = [];

const photo = await sampleFile("burst-pipe.jpg", "image/jpeg");
const voice = await sampleFile("voice-note.ogg", "audio/ogg");
const letter = await sampleFile("proof-of-residence.pdf", "application/pdf");
const film = await sampleFile("burst-pipe.mp4", "video/mp4");
const detail = await sampleFile("burst-pipe-detail.png", "image/png");

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

  checks.step("A resident sends a photo, a voice note and a PDF to Mbombela's general number");
  const report = await whatsapp({
    from: "whatsapp:+27821234567",
    to: MUNICIPALITIES.mbombela.number,
    body: "Water pyp het gebars by die hoek",
    media: [photo, voice, letter],
  });
  checks.check(
    "Twilio is answered 200 with the ticket's reference",
    report.status === 200 && /TKT-\d{8}-\w{6}/.test(report.reply),
  );
  await arrived("mbombela", "evidence", report.messageSid, [photo, voice, letter], STAFF);
  await told("mbombela", STAFF, ["INSERT", "text", "stored", "stored", "stored"]);
  const replayed = await twilio.replay(report.messageSid);
  checks.check(
    "the same webhook again adds nothing and is answered the same",
    replayed.body === report.reply,
  );
  const kept = await ok(
    service.from("media_attachments").select("file_id").eq("message_sid", report.messageSid),
  );
  checks.check("the message has 3 media", kept.length === 3, `${kept.length}`);
  await told("mbombela", STAFF, []);

  checks.step("Somebody writes to Mbombela's GBV number and sends a film and a photo");
  const secret = "He hit me again last night";
  const gbv = await whatsapp({
    from: "whatsapp:+27837654321",
    to: MUNICIPALITIES.mbombela.gbvNumber,
    body: secret,
    media: [film, detail],
  });
  checks.check(
    "the reply to the phone is neutral",
    gbv.status === 200 && !/TKT|gbv|report/i.test(gbv.reply.replace(/<\/?\w+>/g, "")),
  );
  await arrived("mbombela", "gbv-evidence", gbv.messageSid, [film, detail], GBV_READERS);
  await nothingInTheClear(gbv.messageSid, secret);
  await told("mbombela", GBV_READERS, ["INSERT", "text", "stored", "stored"]);

  checks.step("Police liaison reads that report; a manager asks for it too");
  await readReport(checks, gbv.messageSid, secret, "+27837654321");

  checks.step("A resident of Polokwane reports by WhatsApp");
  const other = await whatsapp({
    from: "whatsapp:+27829999999",
    to: MUNICIPALITIES.polokwane.number,
    body: "Slaggat voor die skool",
    media: [detail],
  });
  await arrived("polokwane", "evidence", other.messageSid, [detail], STAFF);
  await told("polokwane", STAFF, ["INSERT", "text", "stored"]);

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

  checks.step("twilio-media is killed while it fetches a resident's photo");
  const cutShort = await whatsapp({
    from: "whatsapp:+27824444444",
    to: MUNICIPALITIES.mbombela.number,
    body: "Straatlig is stukkend",
    media: [photo],
    stallMs: 2_000,
  });
  const killed = await killFunction("twilio-media");
  checks.check("its process is gone, and Twilio had its 200", killed && cutShort.status === 200);
  await told("mbombela", STAFF, ["INSERT", "text"]);
  await turnClockForward();
  checks.say(
    "the lease of the killed one is over (the demo turns the clock forward); the media worker takes it up",
  );
  await arrived("mbombela", "evidence", cutShort.messageSid, [photo], STAFF);
  await told("mbombela", STAFF, ["stored"]);

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

/**
 * Says which dashboards were told what since the last time, and checks that it was just these people, all of them, and just
 * these things: types of ticket events, states of files.
 */
async function told(slug: Slug, readers: Role[], expected: string[]): Promise<void> {
  const told = await dashboards.hear();
  const what = ({ payload }: typeof told[number]) => String(payload.type ?? payload.status ?? payload.kind);
  const people = new Set(told.map(({ person }) => person));
  const heard = (listener: Person) =>
    told.filter(({ person }) => person === listener).map(what).sort().join();
  const right = (await everybody()).every((listener) => {
    const shouldHear = listener.slug === slug && readers.includes(listener.role);
    return heard(listener) === (shouldHear ? [...expected].sort().join() : "");
  });
  const line = expected.length ? `${expected.join(", ")} to ${listPeople(people)}` : "nobody of anything";
  checks.check(
    `dashboards told: ${line}`,
    right,
    JSON.stringify(told.map((one) => [one.person.role, what(one)])),
  );
}

/** Waits until the worker has moved the file into gbv-evidence. */
async function moved(file: SentFile): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let row;
  do {
    await new Promise((resolve) => setTimeout(resolve, 100));
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

async function sampleFile(name: string, type: string): Promise<SampleFile> {
  return { name, type, bytes: await Deno.readFile(new URL(`../media/${name}`, import.meta.url)) };
}

/** `stallMs`: Twilio's CDN stops so long in the middle of each file, the first time. */
async function whatsapp(
  { media, to, stallMs, ...message }: {
    from: string;
    to: string;
    body: string;
    media: SampleFile[];
    stallMs?: number;
  },
) {
  const { message_sid, status, body, ms } = await twilio.sendMessage({
    ...message,
    to: `whatsapp:${to}`,
    files: media,
    options: stallMs ? { faults: { stall_ms: stallMs, times: 1 } } : {},
  });
  checks.say(`webhook answered ${status} in ${Math.round(ms)} ms`);
  return { messageSid: message_sid, status, reply: body };
}

/** Waits until all media of a message are stored, and checks bucket, hash and type of each. */
async function arrived(slug: Slug, bucket: string, messageSid: string, sent: SampleFile[], readers: Role[]) {
  const deadline = Date.now() + PATIENCE_MS;
  const columns = "file_id, bucket, status, sha256, content_type, file_size, last_error";
  while (true) {
    const rows = await ok(
      service.from("media_attachments").select(columns).eq("message_sid", messageSid).order("media_index"),
    );
    const settled = rows.filter((row) => row.status !== "pending").length;
    if (settled < sent.length && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    for (const [index, file] of sent.entries()) {
      const row = rows[index];
      const hash = await sha256(file.bytes);
      checks.check(
        `${file.name} is stored in ${bucket} as ${file.type}, SHA-256 ${hash.slice(0, 12)}…`,
        row?.status === "stored" && row.bucket === bucket && row.sha256 === hash &&
          row.content_type === file.type && row.file_size === file.bytes.length,
        JSON.stringify(row),
      );
      if (row) {
        files.push({
          label: `${slug}: ${file.name} (${bucket}, WhatsApp)`,
          fileId: row.file_id,
          sha256: hash,
          slug,
          readers,
        });
      }
    }
    return;
  }
}

async function nothingInTheClear(messageSid: string, words: string) {
  const message = await ok(
    service.from("inbound_messages").select("*").eq("message_sid", messageSid).single(),
  );
  const ticket = await ok(service.from("tickets").select("*").eq("id", message.ticket_id).single());
  checks.check("its ticket is sensitive", ticket.is_sensitive && ticket.category === "gbv");
  checks.check(
    "its words and its sender are in the database as Fernet tokens only",
    ticket.description === null && /^gA/.test(ticket.encrypted_description) &&
      !JSON.stringify([message, ticket]).match(new RegExp(`${words}|27837654321`)),
  );
}

async function announce(uploader: Person, purpose: string, file: SampleFile): Promise<UploadUrlResponse> {
  const body = {
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
