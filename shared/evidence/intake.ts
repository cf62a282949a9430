/** Recording a WhatsApp message: sealed, in one transaction, before Twilio is answered. */
import * as z from "zod/mini";
import { Bucket } from "../contracts.ts";
import { DatabaseClient } from "../platform/database.ts";
import type { Fernet } from "../platform/fernet.ts";
import { secretProject } from "../platform/project.ts";
import { required, type Variables } from "../platform/settings.ts";
import { normalType } from "../file-types.ts";
import { mediumName } from "../storage/object-name.ts";
import { clean, type IncomingMessage } from "../twilio/message.ts";
import { sealerOf } from "./sealer.ts";
import { SenderHash } from "./sender.ts";

/** What taking a message in needs. Not Storage: a new worker answers its first message sooner without it. */
export interface IntakeServices {
  database: DatabaseClient;
  sealer: Fernet;
  senders: SenderHash;
}

export async function intakeServices(variables: Variables): Promise<IntakeServices> {
  return {
    database: DatabaseClient.of(secretProject(variables)),
    sealer: await sealerOf(variables),
    senders: await SenderHash.of(required(variables, "SENDER_HASH_KEY")),
  };
}

/** The record of a file still to be transferred. */
const PendingMedium = z.object({
  file_id: z.string(),
  media_index: z.number(),
  bucket: Bucket,
  path: z.string(),
  /** As Twilio declared it. */
  content_type: z.string(),
});
export type PendingMedium = z.infer<typeof PendingMedium>;

const Route = z.object({ sensitive: z.boolean() });

/** What the database made of a message. */
const RecordedMessage = z.object({
  /** Whether it was known already; then nothing was added, and its files are in somebody's hands. */
  duplicate: z.boolean(),
  reply: z.enum(["reference", "thanks", "none"]),
  tracking_number: z.nullable(z.string()),
  language: z.string(),
  media: z.array(PendingMedium),
});
export type RecordedMessage = z.infer<typeof RecordedMessage>;

/**
 * Records a message whose signature was checked. `params` are kept whole as one Fernet token. The words and the place of
 * a sensitive report leave this function sealed only, so it is asked first where the message belongs.
 * Throws `not_found` (no such number), `internal`.
 */
export async function recordMessage(
  { database, sealer, senders }: IntakeServices,
  message: IncomingMessage,
  params: URLSearchParams,
  ticketId: string | null,
): Promise<RecordedMessage> {
  const route = {
    channel: message.channel,
    channel_number: message.to,
    sender_refs: await Promise.all(message.identities.map((identity) => senders.hash(identity))),
    ticket_id: ticketId,
  };
  const { sensitive } = await database.call("route_inbound_message", route, Route);
  return await database.call("record_inbound_message", {
    ...route,
    message_sid: message.sid,
    kind: message.kind,
    sealed_with: sealer.keyIds[0]!,
    encrypted_payload: await sealer.encrypt(JSON.stringify(asObject(params))),
    body: sensitive ? null : clean(message.body) || null,
    latitude: sensitive ? null : message.place?.latitude ?? null,
    longitude: sensitive ? null : message.place?.longitude ?? null,
    place: sensitive ? null : message.place?.name ?? null,
    encrypted_description: message.body ? await sealer.encrypt(message.body) : null,
    media: message.media.map(({ url, contentType }, index) => ({
      filename: mediumName(index, normalType(contentType)),
      content_type: normalType(contentType),
      ...(url === null ? { problem: "media_missing" } : {}),
    })),
  }, RecordedMessage);
}

/** Every parameter; one that came more than once as an array. */
function asObject(params: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries([...new Set(params.keys())].map((name) => {
    const values = params.getAll(name);
    return [name, values.length > 1 ? values : values[0]!];
  }));
}
