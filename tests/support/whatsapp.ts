/** Messages to the municipalities, by way of the pretend Twilio, and what became of them. */
import { type MediaFile, type OutgoingMessage, twilioClient } from "../../local/twilio-client.ts";
import { newSid, twilioSignature, webhookParams } from "../../local/twilio-webhook.ts";
import { assert, assertEquals } from "./assert.ts";
import { type Answer, call, until } from "./functions.ts";
import { ok, service } from "./stack.ts";

export const twilio = twilioClient(Deno.env.get("PRETEND_TWILIO_URL")!);

/** A resident's number that no other test uses. */
export function newSender(): string {
  return `+2782${String(crypto.getRandomValues(new Uint32Array(1))[0]!).padStart(10, "0").slice(0, 9)}`;
}

/** The type that WhatsApp declares, of each of our samples. */
export const SAMPLES = {
  "burst-pipe.jpg": "image/jpeg",
  "burst-pipe-detail.png": "image/png",
  "tiny.webp": "image/webp",
  "tiny.gif": "image/gif",
  "tiny.heic": "image/heic",
  "proof-of-residence.pdf": "application/pdf",
  "burst-pipe.mp4": "video/mp4",
  "tiny.mov": "video/quicktime",
  "tiny.3gp": "video/3gpp",
  "voice-note.ogg": "audio/ogg",
  "tiny.mp3": "audio/mpeg",
  "tiny.aac": "audio/aac",
  "tiny.amr": "audio/amr",
  "tiny.m4a": "audio/x-m4a",
} as const;
export type Sample = keyof typeof SAMPLES;

export interface SampleFile extends MediaFile {
  bytes: Uint8Array<ArrayBuffer>;
}

export async function sampleFile(name: Sample): Promise<SampleFile> {
  const bytes = await Deno.readFile(new URL(`../../examples/media/${name}`, import.meta.url));
  return { name, type: SAMPLES[name], bytes };
}

/** A WhatsApp message; `from` and `to` are numbers. */
export function send(from: string, to: string, message: Partial<OutgoingMessage> = {}, client = twilio) {
  return client.sendMessage({
    body: "Water runs down the road",
    ...message,
    from: `whatsapp:${from}`,
    to: `whatsapp:${to}`,
  });
}

/** As `send`; fails unless it was taken. */
export async function accepted(from: string, to: string, message: Partial<OutgoingMessage> = {}) {
  const sent = await send(from, to, message);
  assertEquals(sent.status, 200, sent.body);
  return sent;
}

/** What a resident gets who was answered a moment ago. */
export function isSilent({ body }: { body: string }): boolean {
  return body.includes("<Response/>");
}

/** The words that the resident's phone shows. */
export function replyOf({ body }: { body: string }): string {
  const reply = /^<\?xml[^>]*>\s*<Response><Message>([^<]*)<\/Message><\/Response>\s*$/.exec(body)?.[1];
  assert(reply, body);
  return reply;
}

export interface MediumRecord {
  file_id: string;
  tenant_id: string;
  ticket_id: string;
  bucket: "evidence" | "documents" | "gbv-evidence";
  path: string;
  filename: string;
  content_type: string;
  file_size: number | null;
  sha256: string | null;
  purpose: string;
  source: string;
  status: string;
  media_index: number;
  attempts: number;
  next_attempt_at: string | null;
  last_error: string | null;
}

export async function mediaOf(messageSid: string): Promise<MediumRecord[]> {
  return await ok(
    service.from("media_attachments").select("*").eq("message_sid", messageSid).order("media_index"),
  );
}

/** The records of a message's media once the function has done with each: stored, failed, or tried and pending. */
export async function settled(messageSid: string, count: number): Promise<MediumRecord[]> {
  let records: MediumRecord[] = [];
  await until(`the media of ${messageSid} are settled`, async () => {
    records = await mediaOf(messageSid);
    return records.length === count && records.every(({ attempts }) => attempts > 0);
  });
  return records;
}

export interface TicketRecord {
  id: string;
  tenant_id: string;
  tracking_number: string;
  category: string;
  status: string;
  is_sensitive: boolean;
  description: string | null;
  encrypted_description: string | null;
  sender_ref: string;
  language: string;
}

/** The ticket a message was filed under. */
export async function ticketOf(messageSid: string): Promise<TicketRecord> {
  const { ticket_id } = await ok(
    service.from("inbound_messages").select("ticket_id").eq("message_sid", messageSid).single(),
  );
  return await ok(service.from("tickets").select("*").eq("id", ticket_id).single());
}

/** The parameters of a webhook with no media, to be posted by hand. */
export function webhook(from: string, to: string, extra: Record<string, string> = {}): URLSearchParams {
  const params = webhookParams({
    accountSid: Deno.env.get("TWILIO_ACCOUNT_SID")!,
    messageSid: newSid("SM"),
    from: `whatsapp:${from}`,
    to: `whatsapp:${to}`,
    body: "Water runs down the road",
    profileName: "Thandi",
    media: [],
  });
  for (const [name, value] of Object.entries(extra)) params.set(name, value);
  return params;
}

/** What Twilio would sign. */
export function signatureOf(params: URLSearchParams, url = Deno.env.get("TWILIO_WEBHOOK_URL")!): string {
  return twilioSignature(Deno.env.get("TWILIO_AUTH_TOKEN")!, url, params);
}

/** Headers of a webhook; no API key, as Twilio has none. */
export function webhookHeaders(signature: string): Record<string, string | null> {
  return {
    apikey: null,
    "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
    "x-twilio-signature": signature,
  };
}

/** Posts a webhook by hand, rightly signed unless told otherwise. */
export function post(params: URLSearchParams, signature = signatureOf(params), query = ""): Promise<Answer> {
  return call(`twilio-media${query}`, { body: params.toString(), headers: webhookHeaders(signature) });
}
