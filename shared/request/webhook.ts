/** Twilio's caller check: the signature before anything is looked up, then the account. */
import { failure, ServiceError } from "../platform/errors.ts";
import { optional, required, type Variables } from "../platform/settings.ts";
import { credentialsFrom } from "../twilio/media.ts";
import { isGenuine, type SigningSecrets } from "../twilio/signature.ts";
import { readText } from "./body.ts";
import { sameText } from "./credentials.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What a webhook is checked against. */
export interface WebhookSettings extends SigningSecrets {
  accountSid: string;
  /** As entered at Twilio. */
  url: string;
}

/** Also throws `not_configured` where the transfer could not finish later what a webhook begins. */
export function webhookSettings(variables: Variables): WebhookSettings {
  credentialsFrom(variables);
  return {
    accountSid: required(variables, "TWILIO_ACCOUNT_SID"),
    authTokens: [
      required(variables, "TWILIO_AUTH_TOKEN"),
      optional(variables, "TWILIO_AUTH_TOKEN_PREVIOUS") ?? [],
    ].flat(),
    sharedKey: optional(variables, "TWILIO_SHARED_KEY_SECRET"),
    url: required(variables, "TWILIO_WEBHOOK_URL"),
  };
}

/**
 * The webhook's parameters, and the ticket its URL names. Throws `payload_too_large`,
 * `unsupported_media_type`, `invalid_signature`, `forbidden` (another account), `invalid_request`.
 */
export async function readWebhook(
  request: Request,
  { accountSid, url: publicUrl, ...secrets }: WebhookSettings,
): Promise<{ params: URLSearchParams; ticketId: string | null }> {
  if (!request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded")) {
    await request.body?.cancel();
    throw new ServiceError("unsupported_media_type", "Twilio's webhook is form-encoded.");
  }
  const params = new URLSearchParams(await readText(request));
  const query = queryOf(request.url);
  const url = query && !publicUrl.includes("?") ? publicUrl + query : publicUrl;
  if (!await isGenuine(request.headers, secrets, url, params)) {
    throw failure("invalid_signature");
  }
  if (!sameText(params.get("AccountSid") ?? "", accountSid)) {
    throw new ServiceError("forbidden", "The message is for another account.");
  }
  // from the signed URL, not from the request's; what is no id names no ticket, and the message is still taken in
  const ticketId = new URLSearchParams(queryOf(url)).get("ticket_id");
  return { params, ticketId: ticketId && UUID.test(ticketId) ? ticketId : null };
}

/** Byte for byte as it came: the URL class would change some signs. */
function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start);
}
