// The main job, end to end, with real files: reports arrive by WhatsApp, a dashboard uploads, and every role of two
// municipalities asks for every file. Run by `npm run demo`; ends with `demo: N checks passed, 0 failed`.
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
const files: SentFile[] = [];

const photo = await sampleFile("burst-pipe.jpg", "image/jpeg");
const voice = await sampleFile("voice-note.ogg", "audio/ogg");
const letter = await sampleFile("proof-of-residence.pdf", "application/pdf");
const film = await sampleFile("burst-pipe.mp4", "video/mp4");
const detail = await sampleFile("burst-pipe-detail.png", "image/png");

await checks.run(play);
Deno.exit(checks.finish("demo"));

async function play(): Promise<void> {
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
  const replayed = await twilio.replay(report.messageSid);
  checks.check(
    "the same webhook again adds nothing and is answered the same",
    replayed.body === report.reply,
  );
  await countMedia(report.messageSid, 3);

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

  checks.step("A resident of Polokwane reports by WhatsApp");
  const other = await whatsapp({
    from: "whatsapp:+27829999999",
    to: MUNICIPALITIES.polokwane.number,
    body: "Slaggat voor die skool",
    media: [detail],
  });
  await arrived("polokwane", "evidence", other.messageSid, [detail], STAFF);

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

  const gbvSlot = await announce(manager, "gbv-evidence", detail);
  await ok(
    manager.supabase.storage.from(gbvSlot.bucket)
      .uploadToSignedUrl(gbvSlot.path, gbvSlot.token, new Blob([detail.bytes], { type: detail.type })),
  );
  await uploaded("manager's GBV photo, which he cannot read back", "mbombela", gbvSlot, detail, GBV_READERS);

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
}

async function sampleFile(name: string, type: string): Promise<SampleFile> {
  return { name, type, bytes: await Deno.readFile(new URL(`../media/${name}`, import.meta.url)) };
}

async function whatsapp(message: { from: string; to: string; body: string; media: SampleFile[] }) {
  const { message_sid, status, body, ms } = await twilio.sendMessage({
    ...message,
    to: `whatsapp:${message.to}`,
    files: message.media,
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

async function countMedia(messageSid: string, expected: number) {
  const rows = await ok(service.from("media_attachments").select("file_id").eq("message_sid", messageSid));
  checks.check(`the message has ${expected} media`, rows.length === expected, `${rows.length}`);
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
