/**
 * Twilio's incoming-message webhook, as a message. Nothing in it is refused: what is odd is taken for less, and the
 * sealed original has it as it came.
 */
import { encodeHex } from "deno-std/encoding/hex.js";
import { isMediaUrl } from "./media.ts";

/** One attached file. */
export interface IncomingMedium {
  /** NULL where the message gives none, or one that is not Twilio's. */
  url: string | null;
  /** As Twilio declared it; `application/octet-stream` where it did not, or as no media type. */
  contentType: string;
}

/** A shared location. Degrees; the words that came with it, or none. */
export interface Place {
  latitude: number;
  longitude: number;
  name: string | null;
}

/** What a message is: words, a place, a contact card, an answer by button or form, or STOP, START and HELP. */
export type MessageKind = "text" | "location" | "contact" | "reply" | "opt_out";

/** One message as it arrived. */
export interface IncomingMessage {
  sid: string;
  /** `whatsapp`, `sms`, … */
  channel: string;
  /** The number written to, without its channel; empty where the message names none. */
  to: string;
  /** What the sender is known by: number, WhatsApp's business-scoped ids. At least one. */
  identities: string[];
  kind: MessageKind;
  /** Words for people to read, as they came. */
  body: string;
  place: Place | null;
  media: IncomingMedium[];
}

const SID = /^[A-Za-z]{2}[0-9a-fA-F]{32}$/;
const MAX_MEDIA = 100;
/** RFC 6838, with parameters. Anything else is no type: it may be words, and a file's type is kept in the clear. */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\s*(;|$)/i;
/** Names of the sender in use; each may come without the others. */
const IDENTITIES = ["From", "ExternalUserId", "ParentExternalUserId"];

export async function parseMessage(params: URLSearchParams): Promise<IncomingMessage> {
  const get = (name: string) => params.get(name) ?? "";
  const sid = ["MessageSid", "SmsMessageSid", "SmsSid"].map(get).find((id) => SID.test(id)) ??
    await sidOf(params);
  const identities = [...new Set(IDENTITIES.map((name) => withoutChannel(get(name))).filter(Boolean))];
  const media = Array.from({ length: mediaCount(params) }, (_, index) => medium(params, index));
  const place = placeOf(params);
  return {
    sid,
    channel: channelOf(get("To")) ?? channelOf(get("From")) ?? "sms",
    to: withoutChannel(get("To")),
    identities: identities.length ? identities : [sid], // nobody's: it must not be everybody's ticket
    kind: kindOf(params, place, media),
    body: bodyOf(params),
    place,
    media,
  };
}

/** A message without an id of Twilio's: one made of its content, so that a second delivery is still the same message. */
async function sidOf(params: URLSearchParams): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(params.toString()));
  return `XX${encodeHex(digest).slice(0, 32)}`;
}

/** As many as the message says or shows, whichever is more. */
function mediaCount(params: URLSearchParams): number {
  const said = Number(params.get("NumMedia"));
  const shown = [...params.keys()].map((name) => /^Media(?:Url|ContentType)(\d{1,2})$/.exec(name)?.[1]);
  const most = Math.max(0, ...shown.filter((index) => index !== undefined).map((index) => Number(index) + 1));
  return Math.min(MAX_MEDIA, Math.max(most, Number.isInteger(said) && said > 0 ? said : 0));
}

function medium(params: URLSearchParams, index: number): IncomingMedium {
  const url = params.get(`MediaUrl${index}`);
  const type = (params.get(`MediaContentType${index}`) ?? "").trim();
  return {
    url: url && isMediaUrl(url) ? url : null,
    contentType: MEDIA_TYPE.test(type) ? type : "application/octet-stream",
  };
}

function placeOf(params: URLSearchParams): Place | null {
  const [latitude, longitude] = ["Latitude", "Longitude"].map((name) => {
    const text = params.get(name)?.trim();
    return text ? Number(text) : NaN;
  });
  if (!(Math.abs(latitude!) <= 90 && Math.abs(longitude!) <= 180)) return null;
  const name = [...new Set(["Label", "Address"].map((part) => clean(params.get(part) ?? "").trim()))]
    .filter(Boolean).join(", ");
  return { latitude: latitude!, longitude: longitude!, name: name || null };
}

function kindOf(params: URLSearchParams, place: Place | null, media: IncomingMedium[]): MessageKind {
  // another word is none of Twilio's: a message that is one opens no ticket, so nobody would read this one
  if (/^(STOP|START|HELP)$/i.test(params.get("OptOutType") ?? "")) return "opt_out";
  if (place) return "location";
  if (["ButtonText", "ButtonPayload", "InteractiveData", "ListId"].some((name) => params.get(name))) {
    return "reply";
  }
  if (media.some(({ contentType }) => /^text\/(x-)?vcard/i.test(contentType))) return "contact";
  return "text";
}

/** The words, and after them what else a reader needs: a button's text, a form's answers, the advertisement answered. */
function bodyOf(params: URLSearchParams): string {
  const get = (name: string) => params.get(name) ?? "";
  const body = get("Body");
  const others = [
    get("ButtonText") || get("ButtonPayload"),
    ...answersOf(get("InteractiveData")),
    get("ReferralHeadline"),
    get("ReferralBody"),
  ].filter((words) => words && !body.includes(words));
  return [body, ...others].filter(Boolean).join("\n");
}

/** A form's answers as lines `name: answer`; what is no JSON as it is. */
function answersOf(text: string): string[] {
  if (!text) return [];
  try {
    return linesOf("", JSON.parse(text));
  } catch {
    return [text];
  }
}

function linesOf(name: string, value: unknown): string[] {
  if (value !== null && typeof value === "object") {
    return Object.entries(value).flatMap(([key, inner]) =>
      linesOf(Array.isArray(value) ? name : [name, key].filter(Boolean).join("."), inner)
    );
  }
  const words = String(value ?? "").toWellFormed();
  return words ? [name ? `${name}: ${words}` : words] : [];
}

/** Without what Postgres cannot hold: NUL and half a character. */
export function clean(text: string): string {
  return text.replaceAll("\0", "").toWellFormed();
}

function channelOf(address: string): string | undefined {
  return /^([a-z]{2,20}):/.exec(address)?.[1];
}

/** An address without its channel: `whatsapp:+27…` is +27…. */
export function withoutChannel(address: string): string {
  return clean(address).replace(/^[a-z]+:/, "").trim();
}
