// From the webhook of a pretend Twilio to the stored file.
import { Fernet } from "../../../shared/platform/fernet.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { MUNICIPALITIES, ok, service, sha256, SLUGS } from "../../support/stack.ts";
import {
  accepted,
  mediaOf,
  newSender,
  post,
  replyOf,
  type Sample,
  sampleFile,
  SAMPLES,
  settled,
  ticketOf,
  twilio,
  webhook,
} from "../../support/whatsapp.ts";
import { GENERAL, MiB, sampleOf } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

for (const slug of SLUGS) {
  test(`${slug}: a message without media opens a ticket with its words and is answered with the reference`, async () => {
    const body = `Gebarste pyp ${crypto.randomUUID()}`;
    const sent = await accepted(newSender(), MUNICIPALITIES[slug].number, { body });
    const ticket = await ticketOf(sent.message_sid);
    assertEquals(ticket.tenant_id, MUNICIPALITIES[slug].id);
    assertEquals([ticket.category, ticket.status, ticket.is_sensitive], ["other", "open", false]);
    assertEquals(ticket.description, body);
    assertMatch(ticket.tracking_number, /^TKT-\d{8}-[0-9A-Z]{6}$/);
    assertStringIncludes(replyOf(sent), ticket.tracking_number);
    assertEquals(await mediaOf(sent.message_sid), []);
  });

  test(`${slug}: one medium arrives in evidence with the hash of the bytes that were sent`, async () => {
    const file = await sampleFile("burst-pipe.jpg");
    const sent = await accepted(newSender(), MUNICIPALITIES[slug].number, { files: [file] });
    const [record] = await settled(sent.message_sid, 1);
    const ticket = await ticketOf(sent.message_sid);
    const { tenant_id, ticket_id, bucket, status, sha256: hash, file_size, source, media_index } = record!;
    assertEquals(
      { tenant_id, ticket_id, bucket, status, hash, file_size, source, media_index },
      {
        tenant_id: MUNICIPALITIES[slug].id,
        ticket_id: ticket.id,
        bucket: "evidence",
        status: "stored",
        hash: await sha256(file.bytes),
        file_size: file.bytes.length,
        source: "whatsapp",
        media_index: 0,
      },
    );
    assertEquals([record!.last_error, record!.next_attempt_at], [null, null]);
    assertEquals(record!.path, `${tenant_id}/${record!.file_id}/whatsapp-1.jpg`);
  });
}

test("ten media, and the rest of the accepted types, each stored whole under its own type", async () => {
  const names = Object.keys(SAMPLES) as Sample[];
  const files = await Promise.all(names.map(sampleFile));
  const voice = await sampleFile("voice-note.ogg");
  const music = await sampleFile("tiny.m4a");
  const others = [
    ...files.slice(10),
    { ...voice, type: "audio/ogg; codecs=opus", stored: "audio/ogg" }, // as WhatsApp declares a voice note
    { ...music, type: "audio/mp4", stored: "audio/mp4" },
  ];
  await Promise.all([files.slice(0, 10), others].map(async (files) => {
    const sent = await accepted(newSender(), GENERAL, { files });
    const records = await settled(sent.message_sid, files.length);
    for (const [index, file] of files.entries()) {
      const { status, content_type, sha256: hash, file_size, bucket, path, last_error } = records[index]!;
      const what = `${file.name}: ${last_error}`;
      const type = "stored" in file ? file.stored : file.type;
      assertEquals([status, content_type, file_size], ["stored", type, file.bytes.length], what);
      assertEquals(hash, await sha256(file.bytes), what);
      const stored = await ok(service.storage.from(bucket).download(path));
      assertEquals(await sha256(stored), hash, what);
      assertEquals(stored.type, type, what);
    }
  }));
});

test("a medium of 15 MiB arrives whole, with the right hash", async () => {
  const file = await sampleOf("image/jpeg", 15 * MiB);
  const sent = await accepted(newSender(), GENERAL, { files: [file] });
  const [record] = await settled(sent.message_sid, 1);
  const hash = await sha256(file.bytes);
  assertEquals([record!.status, record!.file_size, record!.sha256], ["stored", 15 * MiB, hash]);
  const { bucket, path } = record!;
  assertEquals(await sha256(await ok(service.storage.from(bucket).download(path))), hash);
});

test("Twilio is answered before its media are fetched", async () => {
  const file = await sampleFile("burst-pipe-detail.png");
  const sent = await accepted(newSender(), GENERAL, {
    files: [file],
    options: { faults: { stall_ms: 800 } },
  });
  const [record] = await mediaOf(sent.message_sid);
  assertEquals([record!.status, record!.attempts], ["pending", 0]);
  assert(record!.next_attempt_at, "nobody would take it up if the function died now");
  assertEquals((await settled(sent.message_sid, 1))[0]!.status, "stored");
});

test("SMS and MMS arrive like WhatsApp, in a thread of their own", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const mms = await twilio.sendMessage({ from, to: GENERAL, body: "Pothole", files: [file] });
  assertEquals(mms.status, 200, mms.body);
  assertEquals((await settled(mms.message_sid, 1))[0]!.status, "stored");
  const whatsapp = await accepted(from, GENERAL);
  const sms = await twilio.sendMessage({ from, to: GENERAL, body: "Still there" });
  const tickets = await Promise.all(
    [mms, whatsapp, sms].map(async (sent) => (await ticketOf(sent.message_sid)).id),
  );
  assertEquals([tickets[2] === tickets[0], tickets[1] === tickets[0]], [true, false]);
});

test("a number behind a Messaging Service works", async () => {
  const options = { messaging_service_sid: `MG${"0".repeat(32)}` };
  const sent = await accepted(newSender(), MUNICIPALITIES.polokwane.number, { options });
  assertEquals((await ticketOf(sent.message_sid)).tenant_id, MUNICIPALITIES.polokwane.id);
});

test("a sender whose number WhatsApp withholds is served, and found again", async () => {
  const from = `ZA.${crypto.randomUUID().replaceAll("-", "")}`;
  const first = await accepted(from, GENERAL);
  const second = await accepted(from, GENERAL);
  assertEquals((await ticketOf(first.message_sid)).id, (await ticketOf(second.message_sid)).id);
});

test("parameters nobody has announced, and empty ones, do not matter", async () => {
  const params = { Latitude: "-25.47", ButtonText: "", NewThing: "of next year", ReferralBody: "ad" };
  await accepted(newSender(), GENERAL, { params });
});

test("the whole webhook is kept, sealed: the current key opens it", async () => {
  const from = newSender();
  const params = webhook(from, GENERAL, {
    Body: "Ongelyk: é, 水, 📷 & 100% + 'quotes'",
    ButtonText: "",
    Latitude: "-25.4753",
    ProfileName: "Thandi 🌻",
  });
  for (const label of ["one", "two"]) params.append("Label", label);
  assertEquals((await post(params)).status, 200);
  const { encrypted_payload } = await ok(
    service.from("inbound_messages").select("encrypted_payload").eq("message_sid", params.get("MessageSid")!)
      .single(),
  );
  const fernet = await Fernet.fromKeys(Deno.env.get("ENCRYPTION_KEY_CURRENT")!);
  assertEquals(JSON.parse(await fernet.decrypt(encrypted_payload)), {
    ...Object.fromEntries(params),
    Label: ["one", "two"],
  });
});
