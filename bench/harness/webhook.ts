/** Messages as Twilio posts them. */
import { newSid, twilioSignature, webhookParams } from "../../local/twilio-webhook.ts";
import type { HttpRequest } from "./client.ts";

/** A medium that the pretend Twilio keeps. */
export interface Medium {
  url: string;
  contentType: string;
}

/** City of Mbombela's WhatsApp number, of supabase/seed.sql. */
const NUMBER = "+27130000001";

/** A new message with these media, signed for the configured webhook; `url` posts it elsewhere. */
export function signedWebhook(
  env: Record<string, string>,
  media: Medium[],
  url = env.TWILIO_WEBHOOK_URL!,
): HttpRequest & { sid: string } {
  const sid = newSid(media.length ? "MM" : "SM");
  const sender = String(crypto.getRandomValues(new Uint32Array(1))[0]!).padStart(10, "0").slice(0, 9);
  const params = webhookParams({
    accountSid: env.TWILIO_ACCOUNT_SID!,
    messageSid: sid,
    from: `whatsapp:+2782${sender}`,
    to: `whatsapp:${NUMBER}`,
    body: "Water runs down the road",
    profileName: "Thandi",
    media,
  });
  return {
    sid,
    url,
    headers: {
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      "x-twilio-signature": twilioSignature(env.TWILIO_AUTH_TOKEN!, env.TWILIO_WEBHOOK_URL!, params),
    },
    body: params.toString(),
  };
}
