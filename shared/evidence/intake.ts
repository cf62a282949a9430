/** Recording a WhatsApp message: sealed, in one transaction, before Twilio is answered. */
import type { Bucket } from "../contracts.ts";
import { rpc } from "../platform/database.ts";
import { type Environment, notConfigured, required, secretProject } from "../platform/environment.ts";
import { encodeBase64Url } from "deno-std/encoding/base64url.js";
import { fernetFrom } from "./sealing.ts";
import { normalType } from "../storage/media-type.ts";
import { mediumName } from "../storage/object-name.ts";
import type { IncomingMessage } from "../twilio/message.ts";

/** A medium's record, still to be transferred. */
export interface PendingMedium {
  file_id: string;
  media_index: number;
  bucket: Bucket;
  path: string;
  /** As Twilio declared it. */
  content_type: string;
}

/** What the database made of a message. */
export interface RecordedMessage {
  /** Whether it was known already; then nothing was added, and its media are in somebody's hands. */
  duplicate: boolean;
  sensitive: boolean;
  /** Whether it is the first message of its ticket. */
  first: boolean;
  tracking_number: string;
  language: string;
  media: PendingMedium[];
}

/**
 * Records a message whose signature was checked. `params` are kept whole as one Fernet token. The text of a sensitive
 * report leaves this function sealed only, so it is asked first where the message belongs.
 * Throws `not_found` (no such number or ticket), `not_configured`, `internal`.
 */
export async function recordMessage(
  environment: Environment,
  message: IncomingMessage,
  params: URLSearchParams,
  ticketId: string | null,
): Promise<RecordedMessage> {
  const project = secretProject(environment);
  const [sealer, sender] = await Promise.all([
    fernetFrom(environment),
    senderRef(environment, message.from),
  ]);
  const route = { channel_number: message.to, sender_ref: sender, ticket_id: ticketId };
  const { sensitive } = await rpc<{ sensitive: boolean }>(project, "route_inbound_message", route);
  return await rpc<RecordedMessage>(project, "record_inbound_message", {
    ...route,
    message_sid: message.sid,
    encrypted_payload: await sealer.encrypt(JSON.stringify(asObject(params))),
    description: sensitive ? null : message.body || null,
    encrypted_description: message.body ? await sealer.encrypt(message.body) : null,
    media: message.media.map(({ contentType }, index) => ({
      filename: mediumName(index, normalType(contentType)),
      content_type: normalType(contentType),
    })),
  });
}

/** Every parameter; one that came more than once as an array. */
function asObject(params: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries([...new Set(params.keys())].map((name) => {
    const values = params.getAll(name);
    return [name, values.length > 1 ? values : values[0]!];
  }));
}

/** Characters; a short key could be guessed by trying numbers. */
const MIN_HASH_KEY = 32;

/** Keyed hash by which a sender's open ticket is found without keeping the number. */
async function senderRef(environment: Environment, from: string): Promise<string> {
  const secret = required(environment, "SENDER_HASH_KEY");
  if (secret.length < MIN_HASH_KEY) throw notConfigured("SENDER_HASH_KEY");
  const encode = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return encodeBase64Url(await crypto.subtle.sign("HMAC", key, encode(from)));
}
