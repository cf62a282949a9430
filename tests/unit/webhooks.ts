/** Twilio webhooks for the tests: signed requests, and one whole run of twilio-media beside a pretend database. */
import webhooks from "twilio/lib/webhooks/webhooks.js";
import { assertEquals, assertInstanceOf } from "../support/assert.ts";
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { intakeServices } from "../../shared/evidence/intake.ts";
import { readWebhook, webhookSettings } from "../../shared/request/webhook.ts";
import { environmentOf, failureOf, logOf, type Sent, withFetch } from "./tools.ts";

export const URL_ = "https://project.supabase.co/functions/v1/twilio-media";
export const INNER = "http://localhost:9000/twilio-media";
export const KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
export const ACCOUNT = "AC" + "a".repeat(32);
export const TICKET = "5f0b7f8e-0000-4000-8000-000000000001";

export const VARIABLES: Record<string, string | undefined> = {
  TWILIO_ACCOUNT_SID: ACCOUNT,
  TWILIO_AUTH_TOKEN: "12345",
  TWILIO_WEBHOOK_URL: URL_,
  ENCRYPTION_KEY_CURRENT: KEY,
  SENDER_HASH_KEY: "a sender hash key of more than 32 characters",
  SUPABASE_URL: "http://kong:8000",
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_x"}',
};

export const BODY = "He hits me. Please help – 🆘";
export const MEDIA_URL = `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Messages/MM1/Media/ME1`;
export const MESSAGE: Record<string, string> = {
  MessageSid: "MM" + "0123456789abcdef".repeat(2),
  AccountSid: ACCOUNT,
  From: "whatsapp:+27821234567",
  To: "whatsapp:+27131234567",
  Body: BODY,
  ProfileName: "Thandi Mokoena",
  NumMedia: "1",
  MediaUrl0: MEDIA_URL,
  MediaContentType0: "image/jpeg",
};

export interface Options {
  params?: Record<string, string>;
  /** The URL that Twilio signed. */
  signed?: string;
  /** The query with which it arrived. */
  query?: string;
  token?: string;
  signature?: string | null;
  contentType?: string;
  body?: BodyInit;
}

/** The webhook as it arrives behind the platform's gateway: on another host and path than Twilio signed. */
export function webhook(options: Options = {}): Request {
  const { params = MESSAGE, query = "", token = "12345", contentType = "application/x-www-form-urlencoded" } =
    options;
  const signed = options.signed ?? URL_ + query;
  const signature = options.signature === undefined
    ? webhooks.getExpectedTwilioSignature(token, signed, params)
    : options.signature;
  const headers = new Headers({ "content-type": contentType });
  if (signature !== null) headers.set("x-twilio-signature", signature);
  const body = options.body ?? new URLSearchParams(params).toString();
  return new Request(INNER + query, { method: "POST", headers, body });
}

/** With all that twilio-media makes before it reads. */
export async function readSigned(request: Request, variables = VARIABLES) {
  await intakeServices(environmentOf(variables));
  return await readWebhook(request, webhookSettings(environmentOf(variables)));
}

export const read = (options?: Options, variables = VARIABLES) => readSigned(webhook(options), variables);

export async function refused(code: string, options: Options, variables = VARIABLES): Promise<ServiceError> {
  const error = await failureOf(() => read(options, variables));
  assertInstanceOf(error, ServiceError, `${error.stack}`);
  assertEquals(error.code, code);
  return error;
}

const RECORDED = {
  duplicate: false,
  sensitive: false,
  reply: "reference",
  tracking_number: "TKT-20261123-AB12CD",
  language: "en",
  media: [] as unknown[],
};

export interface Outcome {
  response: Response;
  answer: string;
  sent: Sent[];
  lines: Record<string, unknown>[];
  text: string;
  background: Promise<unknown>[];
}

/** One webhook through twilio-media; the database says whether it is sensitive. */
export async function run(
  options: Options = {},
  recorded: Partial<typeof RECORDED> = {},
  others?: (request: Sent) => Response,
  variables = VARIABLES,
): Promise<Outcome> {
  const outcome = { background: [] as Promise<unknown>[] } as Outcome;
  const scope = globalThis as { EdgeRuntime?: unknown };
  scope.EdgeRuntime = { waitUntil: (work: Promise<unknown>) => outcome.background.push(work) };
  const { lines, text } = await logOf(async () => {
    outcome.sent = await withFetch((request) => {
      const { url } = request;
      if (url.endsWith("/rpc/route_inbound_message")) {
        return Response.json({ sensitive: recorded.sensitive ?? false });
      }
      if (url.endsWith("/rpc/record_inbound_message")) return Response.json({ ...RECORDED, ...recorded });
      if (others) return others(request);
      throw new Error(`unexpected: ${url}`);
    }, async () => {
      outcome.response = await twilioMedia(environmentOf(variables))(webhook(options));
      await Promise.all(outcome.background);
    });
  });
  delete scope.EdgeRuntime;
  return { ...outcome, answer: await outcome.response.text(), lines, text };
}

export const recordCall = ({ sent }: Outcome) =>
  sent.find(({ url }) => url.endsWith("/record_inbound_message"))!;
