/** Opening what is sealed: recorded in the chain of custody first, decrypted after. */
import * as z from "zod/mini";
import type { OpenedMessage, OpenReportRequest } from "../contracts.ts";
import { DatabaseClient } from "../platform/database.ts";
import { failure } from "../platform/errors.ts";
import type { Fernet } from "../platform/fernet.ts";
import { publishableProject } from "../platform/project.ts";
import type { Variables } from "../platform/settings.ts";
import { parseMessage } from "../twilio/message.ts";
import { sealerOf } from "./sealer.ts";

/** What opening needs: the database as the caller sees it, and the key. */
export interface ReportServices {
  database: DatabaseClient;
  sealer: Fernet;
}

export async function reportServices(variables: Variables): Promise<ReportServices> {
  return { database: DatabaseClient.of(publishableProject(variables)), sealer: await sealerOf(variables) };
}

/** A message as the database gives it out after recording that it is opened. */
export const Sealed = z.object({
  message_sid: z.string(),
  received_at: z.string(),
  kind: z.string(),
  encrypted_payload: z.string(),
});

/** A webhook's parameters as they were sealed: one that came more than once as an array. */
const Parameters = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/**
 * The messages in the order in which they came. The database decides, by the caller's token, and records who opens them
 * before it gives anything out: where it cannot, nothing is opened. Throws `not_found`, `forbidden`, `invalid_request`,
 * and `internal` where a token is of no key we have.
 */
export async function openReport(
  { database, sealer }: ReportServices,
  token: string,
  { ticket_id, message_sids, include_sender }: OpenReportRequest,
  requestId: string,
): Promise<OpenedMessage[]> {
  const sealed = await database.as(token).call("open_messages", {
    request_id: requestId,
    ticket_id: ticket_id ?? null,
    message_sids: message_sids ?? null,
    include_sender: include_sender ?? false,
  }, z.array(Sealed));
  // the database has recorded that they asked
  if (sealed.length === 0) throw failure("not_found");
  return await unseal(sealer, sealed, include_sender ?? false);
}

/** The messages' words and, if asked for, who wrote them. Throws `internal` where a token is of no key we have. */
export async function unseal(
  sealer: Fernet,
  sealed: z.infer<typeof Sealed>[],
  includeSender: boolean,
): Promise<OpenedMessage[]> {
  return await Promise.all(sealed.map(async ({ message_sid, received_at, kind, encrypted_payload }) => {
    const params = await open(sealer, encrypted_payload);
    const { body, place, identities } = await parseMessage(params);
    return {
      message_sid,
      received_at,
      kind,
      text: body,
      ...place ? { place } : {},
      ...includeSender ? { sender: identities[0]! } : {},
    };
  }));
}

async function open(sealer: Fernet, token: string): Promise<URLSearchParams> {
  try {
    const values = Parameters.parse(JSON.parse(await sealer.decrypt(token)));
    return new URLSearchParams(
      Object.entries(values).flatMap(([name, value]) => [value].flat().map((one) => [name, one])),
    );
  } catch {
    // no cause: it may quote what was sealed
    throw failure("internal", { log: "open_messages unsealing" });
  }
}
