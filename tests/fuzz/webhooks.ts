/** Webhooks of arbitrary parameters, and what must become of each. */
import { MUNICIPALITIES } from "../support/stack.ts";
import { anyText, fc } from "./support.ts";

/** A text in which a word stands that is made when the webhook is sent. */
interface Marked {
  before: string;
  after: string;
  marked: boolean;
}

/** A webhook as generated; ids and words are made anew each time that it is sent, so that shrinking does not replay. */
export interface Draft {
  to: keyof typeof NUMBERS;
  channel: string;
  account: "ours" | "another" | "none";
  signature: "right" | "wrong" | "none";
  sid: "MessageSid" | "SmsSid" | "odd" | "none";
  sender: number | "new" | "odd" | "none";
  ticket: "none" | "ordinary" | "sensitive" | "turning" | "another municipality's" | "odd";
  extras: [name: Marked, value: Marked][];
  /** Before what every webhook has: of a repeated name the first counts. */
  extrasFirst: boolean;
  /** Bytes of filling. */
  filling: number;
  /** Percent signs that are no UTF-8, or no hex. */
  raw: string;
}

const NUMBERS = {
  general: MUNICIPALITIES.mbombela.number,
  gbv: MUNICIPALITIES.mbombela.gbvNumber,
  other: MUNICIPALITIES.polokwane.number,
  unknown: "+27999999999",
  none: undefined,
  empty: "",
} as const;

/** Names that mean something to the function, and some that mean something to JavaScript. */
const NAMES = [
  ...["Body", "From", "To", "AccountSid", "MessageSid", "SmsMessageSid", "SmsSid", "ProfileName", "WaId"],
  ...["NumMedia", "MediaUrl0", "MediaUrl1", "MediaUrl7", "MediaUrl99", "MediaUrl100", "MediaUrl-1"],
  ...["MediaContentType0", "MediaContentType1", "MediaContentType9", "MediaContentType"],
  ...[
    "Latitude",
    "Longitude",
    "Label",
    "Address",
    "ButtonText",
    "ButtonPayload",
    "InteractiveData",
    "ListId",
  ],
  ...["OptOutType", "ReferralBody", "ReferralHeadline", "ExternalUserId", "ParentExternalUserId"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "length", "0", ""],
];

const VALUES = fc.oneof(
  anyText,
  fc.integer().map(String),
  fc.double().map(String),
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(...["1", "2", "10", "100", "101", "1e9", "-1", "0x3", "Infinity", "90", "-25.47", "181"]),
  fc.constantFrom(
    ...["image/jpeg", "image/jpg; charset=x", "text/vcard", "text/x-vcard", "audio/ogg; codecs=opus"],
    ...["application/octet-stream", "IMAGE/PNG", "/", "a/b", "image/", "STOP", "HELP", "START"],
    ...["https://api.twilio.com/", "http://127.0.0.1:1/", "file:///etc/passwd", "whatsapp:+27820000000"],
    ...['{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"__proto__":{"a":1}}', "[[[[[[]]]]]]", '"x"', "null"],
  ),
);

const marked = (texts: fc.Arbitrary<string>, often: number): fc.Arbitrary<Marked> =>
  fc.record({
    before: texts,
    after: anyText,
    marked: fc.integer({ min: 1, max: 100 }).map((one) => one <= often),
  }).map(({ before, after, marked }) => ({ before, after: marked ? after : "", marked }));

const weighed = <T>(usual: T, weight: number, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, {
    weight: 100 - weight,
    arbitrary: fc.constantFrom(...others),
  });

export const drafts: fc.Arbitrary<Draft> = fc.record({
  to: fc.oneof(
    { weight: 45, arbitrary: fc.constant("general" as const) },
    { weight: 45, arbitrary: fc.constant("gbv" as const) },
    {
      weight: 10,
      arbitrary: fc.constantFrom("other" as const, "unknown" as const, "none" as const, "empty" as const),
    },
  ),
  channel: weighed(
    "whatsapp:",
    80,
    "",
    "sms:",
    "messenger:",
    "WHATSAPP:",
    "a:",
    "x".repeat(30) + ":",
    "rcs: ",
  ),
  account: weighed<Draft["account"]>("ours", 97, "another", "none"),
  signature: weighed<Draft["signature"]>("right", 97, "wrong", "none"),
  sid: weighed<Draft["sid"]>("MessageSid", 90, "SmsSid", "odd", "none"),
  sender: fc.oneof(
    { weight: 70, arbitrary: fc.integer({ min: 0, max: 9 }) as fc.Arbitrary<Draft["sender"]> },
    { weight: 30, arbitrary: fc.constantFrom<Draft["sender"]>("new", "odd", "none") },
  ),
  ticket: weighed<Draft["ticket"]>(
    "none",
    80,
    "ordinary",
    "sensitive",
    "turning",
    "another municipality's",
    "odd",
  ),
  extras: fc.array(
    fc.tuple(
      fc.oneof(
        { weight: 4, arbitrary: marked(fc.constantFrom(...NAMES), 0) },
        { weight: 1, arbitrary: marked(anyText, 30) },
      ),
      marked(VALUES, 50),
    ),
    { maxLength: 12 },
  ),
  extrasFirst: fc.boolean(),
  filling: fc.oneof(
    { weight: 97, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 140_000 }) },
  ),
  raw: weighed("", 95, "&x=%ED%A0%80%FF", "&%C0%80=%", "&&&=&==", "&y=%zz+%00", "&z"),
});

/** What the webhooks of one run need to be sent. */
export interface Scene {
  accountSid: string;
  tickets: Record<"ordinary" | "sensitive" | "turning" | "another municipality's", string>;
  /** The word that must be nowhere in the clear, whose messages may be read by staff, and what every number has in it. */
  words: { secret: string; open: string; number: string };
}

/** A webhook to be sent, and what must become of it. */
export interface Letter {
  draft: Draft;
  body: string;
  params: URLSearchParams;
  query: string;
  /** Finds its row: a parameter of this value is in the sealed original. */
  nonce: string;
  expected: 200 | 403 | 404 | 413;
  /** Whether its words must be sealed: it came to a number for GBV, or its URL names a ticket that is sensitive. */
  secret: boolean;
  /** How many files it names. */
  media: number;
}

const MAX_BODY = 128 * 1024;
const hex = () => crypto.randomUUID().replaceAll("-", "");

export function write(draft: Draft, scene: Scene): Letter {
  const number = NUMBERS[draft.to];
  const named = draft.ticket in scene.tickets
    ? scene.tickets[draft.ticket as keyof Scene["tickets"]]
    : undefined;
  const elsewhere = draft.to === "other" || draft.ticket === "another municipality's";
  const secret = draft.to === "gbv" ||
    (!elsewhere && (draft.ticket === "sensitive" || draft.ticket === "turning"));
  // the ordinary ticket stays one: what comes to a number for GBV turns it sensitive
  const ticket = draft.ticket === "ordinary" && draft.to === "gbv" ? scene.tickets.turning : named;
  const word = secret ? scene.words.secret : scene.words.open;
  const text = ({ before, after, marked }: Marked, between = "") =>
    before + (marked ? between + word + between : "") + after;

  const nonce = hex();
  const usual: [string, string][] = [["Nonce", nonce], ["Body", `A ${word} message`]];
  if (number !== undefined) usual.push(["To", draft.channel + number]);
  if (draft.account !== "none") {
    usual.push(["AccountSid", draft.account === "ours" ? scene.accountSid : "AC0"]);
  }
  if (draft.sid === "odd") usual.push(["MessageSid", `SM${word}`]);
  else if (draft.sid !== "none") usual.push([draft.sid, `SM${hex()}`]);
  const from = senderOf(draft.sender, scene.words.number);
  if (from !== undefined) usual.push(["From", from]);
  if (draft.filling > 0) usual.push(["Filling", "x".repeat(draft.filling)]);
  const extras = draft.extras.map(([name, value]): [string, string] => [
    text(name),
    // a file's type is kept in the clear, without its parameters
    text(value, name.before.startsWith("MediaContentType") ? ";" : ""),
  ]);
  const all = draft.extrasFirst ? [...extras, ...usual] : [...usual, ...extras];

  const body = all.map((pair) => pair.map(encoded).join("=")).join("&") + draft.raw;
  const params = new URLSearchParams(body);
  const query = draft.ticket === "none" ? "" : `?ticket_id=${ticket ?? "no-id"}`;
  return {
    draft,
    body,
    params,
    query,
    nonce,
    expected: expectedOf(draft, body, params, scene.accountSid),
    secret: secretBy(params, draft, secret),
    media: mediaOf(params),
  };
}

/** What is said first counts: an extra `To` before ours may make it another municipality's message. */
function secretBy(params: URLSearchParams, draft: Draft, secret: boolean): boolean {
  return secret && (draft.to !== "gbv" || numberIn(params) === NUMBERS.gbv);
}

function expectedOf(
  draft: Draft,
  body: string,
  params: URLSearchParams,
  accountSid: string,
): Letter["expected"] {
  if (new TextEncoder().encode(body).length > MAX_BODY) return 413;
  if (draft.signature !== "right") return 403;
  if (params.get("AccountSid") !== accountSid) return 403;
  const known: (string | undefined)[] = Object.values(NUMBERS).filter((one) =>
    one && one !== NUMBERS.unknown
  );
  return known.includes(numberIn(params)) ? 200 : 404;
}

function numberIn(params: URLSearchParams): string {
  return (params.get("To") ?? "").replaceAll("\0", "").replace(/^[a-z]+:/, "").trim();
}

function senderOf(sender: Draft["sender"], number: string): string | undefined {
  if (sender === "none") return undefined;
  if (sender === "odd") return `+${number}\0\ufffd odd`;
  return `whatsapp:+${number}${sender === "new" ? crypto.getRandomValues(new Uint16Array(1))[0] : sender}`;
}

/** As many files as the highest index that is named, or as NumMedia says, and never more than 100. */
function mediaOf(params: URLSearchParams): number {
  let most = Number(params.get("NumMedia") ?? 0);
  if (!Number.isInteger(most) || most < 0) most = 0;
  for (let index = 0; index < 100; index++) {
    if (params.has(`MediaUrl${index}`) || params.has(`MediaContentType${index}`)) {
      most = Math.max(most, index + 1);
    }
  }
  return Math.min(most, 100);
}

/** Every byte percent-encoded; half a character as the three bytes that it would be. */
function encoded(text: string): string {
  return Array.from(text, (sign) => {
    const code = sign.codePointAt(0)!;
    if (/^[A-Za-z0-9]$/.test(sign)) return sign;
    const bytes = code >= 0xd800 && code <= 0xdfff
      ? [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f]
      : [...new TextEncoder().encode(sign)];
    return bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  }).join("");
}
