import { randomBytes } from "node:crypto";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";

/** The X-Twilio-Signature of a webhook, by Twilio's own library. */
export function twilioSignature(authToken: string, url: string, params: URLSearchParams): string {
  const byName = [...new Set(params.keys())].map((name) => [name, params.getAll(name)]);
  return getExpectedTwilioSignature(authToken, url, Object.fromEntries(byName));
}

/** A SID as Twilio makes them: two letters and 32 hex digits. */
export function newSid(prefix: "SM" | "MM" | "ME"): string {
  return prefix + randomBytes(16).toString("hex");
}

/** What arrived from a phone, as far as the webhook tells it. */
export interface Incoming {
  accountSid: string;
  messageSid: string;
  from: string;
  to: string;
  body: string;
  profileName: string;
  messagingServiceSid?: string;
  media: { url: string; contentType: string }[];
}

/** The webhook's parameters in Twilio's order: WhatsApp when the sender is `whatsapp:…`, else SMS or MMS. */
export function webhookParams(message: Incoming): URLSearchParams {
  const { messageSid, media } = message;
  const whatsapp = message.from.startsWith("whatsapp:");
  const waId = /^whatsapp:\+(\d+)$/.exec(message.from)?.[1]; // absent when WhatsApp withholds the number
  const params = new URLSearchParams();
  params.set("SmsMessageSid", messageSid);
  params.set("NumMedia", String(media.length));
  if (whatsapp) {
    params.set("ProfileName", message.profileName);
    params.set("MessageType", messageType(media[0]?.contentType));
  } else {
    for (const end of ["To", "From"]) {
      for (const part of ["Country", "State", "City", "Zip"]) {
        params.set(end + part, part === "Country" ? "ZA" : ""); // Twilio sends empty parameters too
      }
    }
  }
  params.set("SmsSid", messageSid);
  if (whatsapp && waId) params.set("WaId", waId);
  params.set("SmsStatus", "received");
  params.set("Body", message.body);
  params.set("To", message.to);
  if (message.messagingServiceSid) params.set("MessagingServiceSid", message.messagingServiceSid);
  params.set("NumSegments", "1");
  if (whatsapp) params.set("ReferralNumMedia", "0");
  params.set("MessageSid", messageSid);
  params.set("AccountSid", message.accountSid);
  params.set("From", message.from);
  media.forEach(({ url, contentType }, index) => {
    params.set(`MediaContentType${index}`, contentType);
    params.set(`MediaUrl${index}`, url);
  });
  params.set("ApiVersion", "2010-04-01");
  return params;
}

function messageType(contentType: string | undefined): string {
  if (!contentType) return "text";
  const kind = contentType.split("/")[0]!;
  return ["image", "audio", "video"].includes(kind) ? kind : "document";
}
