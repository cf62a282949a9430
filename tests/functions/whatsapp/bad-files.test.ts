// What becomes of files that are not as they should be.
import { REASONS } from "../../../shared/failures.ts";
import type { Faults } from "../../../local/twilio-client.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { ok, person, sha256 } from "../../support/stack.ts";
import { accepted, newSender, sampleFile, settled, twilio } from "../../support/whatsapp.ts";
import { GENERAL, MiB, objectsAt, sampleOf } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

/** Reasons that no further try can mend; the others are tried again. */
const FINAL = ["payload_too_large"];

interface Fault {
  what: string;
  file: () => Promise<{ type: string; bytes: Uint8Array<ArrayBuffer> }>;
  faults?: Faults;
  reasons: string[];
}

const jpeg = (size?: number) => () => sampleOf("image/jpeg", size);
const text = (type: string, words: string) => () =>
  Promise.resolve({ type, bytes: new TextEncoder().encode(words) as Uint8Array<ArrayBuffer> });
const VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Thandi\r\nEND:VCARD\r\n";
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const broken = ["length_mismatch", "media_unavailable"];

const FAULTS: Fault[] = [
  { what: "cut off", file: jpeg(200_000), faults: { truncate: 100_000 }, reasons: broken },
  { what: "cut off after 2 MiB", file: jpeg(3 * MiB), faults: { truncate: 2 * MiB }, reasons: broken },
  { what: "empty", file: text("image/jpeg", ""), reasons: broken },
  { what: "of 17 MiB", file: jpeg(17 * MiB), reasons: ["payload_too_large"] },
  {
    what: "of more than 16 MiB and no Content-Length",
    file: jpeg(2 * MiB),
    faults: { oversize: 15 * MiB },
    reasons: ["payload_too_large"],
  },
  {
    what: "redirected to another host",
    file: jpeg(),
    faults: { redirect_to: "https://evil.invalid/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to a host that looks like the CDN",
    file: jpeg(),
    faults: { redirect_to: "https://media.twiliocdn.com.evil.invalid/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to the CDN without TLS",
    file: jpeg(),
    faults: { redirect_to: "http://media.twiliocdn.com/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to an address inside",
    file: jpeg(),
    faults: { redirect_to: "http://127.0.0.1:1/x.jpg" },
    reasons: ["media_refused"],
  },
  { what: "redirected for ever", file: jpeg(), faults: { redirect_loop: true }, reasons: ["media_refused"] },
  { what: "behind an expired link", file: jpeg(), faults: { link_seconds: -1 }, reasons: ["media_refused"] },
  { what: "refused by Twilio", file: jpeg(), faults: { status: 401 }, reasons: ["media_refused"] },
  { what: "not given by Twilio", file: jpeg(), faults: { status: 500 }, reasons: ["media_unavailable"] },
  { what: "not given by the CDN", file: jpeg(), faults: { cdn_status: 503 }, reasons: ["media_unavailable"] },
  {
    what: "not found for good",
    file: jpeg(),
    faults: { not_found_first: 100 },
    reasons: ["media_not_found"],
  },
];

for (const { what, file, faults, reasons } of FAULTS) {
  test(`a medium ${what} is not stored, staff see why, and the one beside it arrives`, async () => {
    const good = await sampleFile("burst-pipe-detail.png");
    const sent = await accepted(newSender(), GENERAL, {
      files: [await file(), good],
      options: { media_faults: [faults ?? null, null] },
    });
    await settled(sent.message_sid, 2);
    const { supabase } = await person("field_worker");
    const columns = "path, status, last_error, next_attempt_at, sha256, stored_at";
    const [bad, beside] = await ok(
      supabase.from("media_attachments").select(columns).eq("message_sid", sent.message_sid)
        .order("media_index"),
    );
    assertStringIncludes(` ${reasons.join(" ")} `, ` ${bad!.last_error} `);
    assert(Object.hasOwn(REASONS, bad!.last_error));
    const final = FINAL.includes(bad!.last_error);
    assertEquals(bad!.status, final ? "failed" : "pending");
    assertEquals(bad!.next_attempt_at === null, final, "when it is tried again");
    assertEquals([bad!.sha256, bad!.stored_at], [null, null]);
    assertEquals(await objectsAt(bad!.path), 0, "something of it is in Storage");
    assertEquals([beside!.status, beside!.sha256], ["stored", await sha256(good.bytes)]);
    assert((await twilio.media()).some(({ message_sid }) => message_sid === sent.message_sid));
  });
}

test("a medium that Twilio does not know yet just after the webhook arrives all the same", async () => {
  const file = await sampleOf("image/jpeg");
  const options = { faults: { not_found_first: 2 } };
  const sent = await accepted(newSender(), GENERAL, { files: [file], options });
  const [record] = await settled(sent.message_sid, 1);
  assertEquals([record!.status, record!.sha256], ["stored", await sha256(file.bytes)]);
});

test("credentials go to api.twilio.com and never to the CDN", async () => {
  const files = [await sampleOf("image/jpeg"), await sampleFile("burst-pipe-detail.png")];
  const options = { media_faults: [null, { redirect_to: "https://mms.twiliocdn.com/x" }] };
  const sent = await accepted(newSender(), GENERAL, { files, options });
  await settled(sent.message_sid, 2);
  const log = await twilio.log();
  assert(log.some(({ host, credentials }) => host === "api.twilio.com" && credentials));
  assert(log.some(({ host }) => host === "media.twiliocdn.com"));
  assert(log.some(({ host }) => host === "mms.twiliocdn.com"));
  assertEquals(log.filter(({ leak }) => leak), []);
});

test("Twilio's copies are kept unless asked otherwise", async () => {
  const sent = await accepted(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] });
  assertEquals((await settled(sent.message_sid, 1))[0]!.status, "stored");
  assertEquals(
    (await twilio.media()).filter(({ message_sid }) => message_sid === sent.message_sid).length,
    1,
  );
});

const word = text("application/msword", "a letter");
const AS_THEY_ARE: [what: string, file: Fault["file"], stored: string, warning: string | null][] = [
  [
    "a PDF declared as JPEG",
    async () => ({ ...await sampleOf("application/pdf"), type: "image/jpeg" }),
    "application/pdf",
    "type_mismatch",
  ],
  [
    "a PNG declared as JPEG",
    async () => ({ ...await sampleFile("burst-pipe-detail.png"), type: "image/jpeg" }),
    "image/png",
    "type_mismatch",
  ],
  [
    "an M4A voice note declared as MP3",
    async () => ({ ...await sampleFile("tiny.m4a"), type: "audio/mpeg" }),
    "audio/x-m4a",
    "type_mismatch",
  ],
  [
    "a PDF with lines before its header",
    text("application/pdf", "\r\n\n%PDF-1.4\n%%EOF"),
    "application/pdf",
    null,
  ],
  [
    "a web page declared as JPEG",
    text("image/jpeg", "<html>"),
    "application/octet-stream",
    "unsupported_media_type",
  ],
  ["a contact card", text("text/vcard", VCARD), "application/octet-stream", "unsupported_media_type"],
  [
    "a drawing that can run scripts",
    text("image/svg+xml", SVG),
    "application/octet-stream",
    "unsupported_media_type",
  ],
  ["a letter", word, "application/octet-stream", "unsupported_media_type"],
  ["of no type", text("", "words"), "application/octet-stream", "unsupported_media_type"],
];

for (const [what, file, stored, warning] of AS_THEY_ARE) {
  test(`a resident's file is never refused for its type: ${what} is kept, under what it is, and staff are told`, async () => {
    const { type, bytes } = await file();
    const sent = await accepted(newSender(), GENERAL, { files: [{ type, bytes }] });
    const [record] = await settled(sent.message_sid, 1);
    assertEquals([record!.status, record!.content_type, record!.last_error], ["stored", stored, warning]);
    assertEquals(record!.sha256, await sha256(bytes));
    const { supabase } = await person("field_worker");
    const { data } = await supabase.functions.invoke("signed-url", { body: { file_id: record!.file_id } });
    const answer = await fetch((data as { signed_url: string }).signed_url);
    await answer.body?.cancel();
    assertEquals(answer.headers.get("content-type"), stored, "a browser runs nothing of it");
    const backlog = await ok(supabase.from("media_backlog").select("reason").eq("file_id", record!.file_id));
    assertEquals(backlog, warning ? [{ reason: warning }] as never : []);
  });
}
