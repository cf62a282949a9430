/** What residents send by WhatsApp, by way of the pretend Twilio, and what becomes of it. */
import { twilioClient } from "../../local/twilio-client.ts";
import { MUNICIPALITIES, ok, type Role, service, sha256, type Slug } from "../../tests/support/stack.ts";
import { killFunction, turnClockForward } from "./mishaps.ts";
import { readReport } from "./report.ts";
import {
  checks,
  detail,
  files,
  film,
  GBV_READERS,
  letter,
  PATIENCE_MS,
  photo,
  type SampleFile,
  STAFF,
  told,
  voice,
} from "./scene.ts";

const address = Deno.env.get("PRETEND_TWILIO_URL");
/** Without the pretend Twilio, on a stack that others started, residents are left out. */
export const hasResidents = address !== undefined;
const twilio = twilioClient(address ?? "");

/** Residents report, ordinarily and to the GBV number, in both municipalities. */
export async function residentsReport(): Promise<void> {
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
}

/** A function dies in the middle of a file, which arrives all the same. */
export async function functionDies(): Promise<void> {
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
