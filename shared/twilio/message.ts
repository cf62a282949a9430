/** Twilio's incoming-message webhook, as a message. Parameters appear unannounced; what is not needed is kept sealed. */
import * as z from "zod/mini";
import { ServiceError } from "../platform/errors.ts";
import { isMediaUrl } from "./media.ts";

/** One attached medium. */
export interface IncomingMedium {
  url: string;
  /** As Twilio declared it. */
  contentType: string;
}

/** One message as it arrived. */
export interface IncomingMessage {
  sid: string;
  accountSid: string;
  /** Addresses without their channel prefix: one person is the same by SMS and WhatsApp. */
  from: string;
  to: string;
  body: string;
  media: IncomingMedium[];
}

const MAX_MEDIA = 10;

const Parameters = z.object({
  MessageSid: z.string().check(z.regex(/^[A-Za-z]{2}[0-9a-fA-F]{32}$/)),
  AccountSid: z.string().check(z.minLength(1)),
  // no E.164: WhatsApp may withhold the number
  From: z.string().check(z.minLength(1), z.maxLength(256)),
  To: z.string().check(z.minLength(1), z.maxLength(256)),
  Body: z._default(z.string().check(z.maxLength(10_000)), ""),
  NumMedia: z._default(z.coerce.number().check(z.int(), z.minimum(0), z.maximum(MAX_MEDIA)), 0),
});

/**
 * Reads the webhook's parameters. Throws `invalid_request` for what Twilio would not send: a field missing, fewer media
 * than NumMedia says, a medium elsewhere than on api.twilio.com.
 */
export function parseMessage(params: URLSearchParams): IncomingMessage {
  const result = Parameters.safeParse(Object.fromEntries(params));
  if (!result.success) {
    throw new ServiceError("invalid_request", "This is no incoming message.", {
      // the names only: a message of zod's could quote a value
      details: result.error.issues.map((issue) => ({
        path: issue.path.join("."),
        message: "missing or not valid",
      })),
    });
  }
  const { MessageSid, AccountSid, From, To, Body, NumMedia } = result.data;
  return {
    sid: MessageSid,
    accountSid: AccountSid,
    from: withoutChannel(From) || MessageSid, // nobody's: it must not be everybody's ticket
    to: withoutChannel(To),
    body: Body,
    media: Array.from({ length: NumMedia }, (_, index) => medium(params, index)),
  };
}

function medium(params: URLSearchParams, index: number): IncomingMedium {
  const url = params.get(`MediaUrl${index}`);
  const type = params.get(`MediaContentType${index}`);
  if (!url || !type || type.length > 255 || !isMediaUrl(url)) {
    throw new ServiceError("invalid_request", "This is no incoming message.", {
      details: [{ path: `MediaUrl${index}`, message: "missing, or not a medium of Twilio's" }],
    });
  }
  return { url, contentType: type };
}

function withoutChannel(address: string): string {
  return address.replace(/^[a-z]+:/, "");
}
