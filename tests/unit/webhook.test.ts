import { createHmac } from "node:crypto";
import webhooks from "twilio/lib/webhooks/webhooks.js";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { Fernet } from "../../shared/platform/fernet.ts";
import { intakeServices } from "../../shared/evidence/intake.ts";
import { readWebhook, webhookSettings } from "../../shared/request/webhook.ts";
import { environmentOf, failureOf, logOf, noFetch, type Sent, withFetch } from "./tools.ts";

const URL_ = "https://project.supabase.co/functions/v1/twilio-media";
const INNER = "http://localhost:9000/twilio-media";
const KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const ACCOUNT = "AC" + "a".repeat(32);
const TICKET = "5f0b7f8e-0000-4000-8000-000000000001";

const VARIABLES: Record<string, string | undefined> = {
  TWILIO_ACCOUNT_SID: ACCOUNT,
  TWILIO_AUTH_TOKEN: "12345",
  TWILIO_WEBHOOK_URL: URL_,
  ENCRYPTION_KEY_CURRENT: KEY,
  SENDER_HASH_KEY: "a sender hash key of more than 32 characters",
  SUPABASE_URL: "http://kong:8000",
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_x"}',
};

const BODY = "He hits me. Please help – 🆘";
const MEDIA_URL = `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Messages/MM1/Media/ME1`;
const MESSAGE: Record<string, string> = {
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

interface Options {
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
function webhook(options: Options = {}): Request {
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
async function readSigned(request: Request, variables = VARIABLES) {
  await intakeServices(environmentOf(variables));
  return await readWebhook(request, webhookSettings(environmentOf(variables)));
}

const read = (options?: Options, variables = VARIABLES) => readSigned(webhook(options), variables);

async function refused(code: string, options: Options, variables = VARIABLES): Promise<ServiceError> {
  const error = await failureOf(() => read(options, variables));
  assertInstanceOf(error, ServiceError, `${error.stack}`);
  assertEquals(error.code, code);
  return error;
}

Deno.test("webhook: a signed message is read, its parameters as they came", async () => {
  const { params, ticketId } = await read();
  assertEquals([Object.fromEntries(params), ticketId], [MESSAGE, null]);
});

Deno.test("webhook: without a signature, with another's, or one of another URL it is invalid_signature", async () => {
  for (
    const options of [
      { signature: null },
      { signature: "" },
      { signature: "garbage" },
      { token: "123456" },
      { signed: INNER },
      { signed: URL_ + "/" },
      { signed: URL_.replace("https", "http") },
      { signed: URL_ + "?ticket_id=" + TICKET },
    ]
  ) await refused("invalid_signature", options);
});

/** As a Webhooks Rule signs, by Node's own HMAC. */
function byRule(secret: string, algorithm: string, named = algorithm): Request {
  const text = Object.keys(MESSAGE).sort().reduce((all, name) => all + name + MESSAGE[name], URL_);
  const signature = createHmac(algorithm.replace("HMAC_", ""), secret).update(text).digest("base64");
  const request = webhook({ signature });
  request.headers.set("x-twilio-webhooks-signature-settings", `key=SK1,algorithm=${named}`);
  return request;
}

Deno.test("webhook: while the auth tokens are rotated, both sign; afterwards one", async () => {
  const rotating = { ...VARIABLES, TWILIO_AUTH_TOKEN: "67890", TWILIO_AUTH_TOKEN_PREVIOUS: "12345" };
  for (const token of ["12345", "67890"]) assert(await read({ token }, rotating));
  await refused("invalid_signature", { token: "54321" }, rotating);
  await refused("invalid_signature", { token: "12345" }, { ...rotating, TWILIO_AUTH_TOKEN_PREVIOUS: "" });
});

Deno.test("webhook: a Webhooks Rule signs with its shared key, by the hash that its header names", async () => {
  const shared = { ...VARIABLES, TWILIO_SHARED_KEY_SECRET: "a shared key" };
  assert(await readSigned(byRule("a shared key", "HMAC_SHA256"), shared));
  assert(await readSigned(byRule("a shared key", "HMAC_SHA1"), shared));
  assert(await readSigned(byRule("12345", "HMAC_SHA256"), VARIABLES), "or with the auth token");
  assert(await read({}, shared), "other messages are signed as ever");
  for (
    const [what, request, variables] of [
      ["another key", byRule("another key", "HMAC_SHA256"), shared],
      ["no shared key here", byRule("a shared key", "HMAC_SHA256"), VARIABLES],
      ["another hash than it names", byRule("a shared key", "HMAC_SHA1", "HMAC_SHA256"), shared],
      ["a hash that is none", byRule("a shared key", "HMAC_SHA256", "none"), shared],
      ["an object's own property", byRule("a shared key", "HMAC_SHA256", "constructor"), shared],
      ["the shared key without the header", webhook({ token: "a shared key" }), shared],
    ] as const
  ) {
    assertEquals((await failureOf(() => readSigned(request, variables))).code, "invalid_signature", what);
  }
});

Deno.test("webhook: a changed, added or removed parameter is invalid_signature", async () => {
  const signature = webhooks.getExpectedTwilioSignature("12345", URL_, MESSAGE);
  const { Body: _, ...fewer } = MESSAGE;
  for (
    const params of [{ ...MESSAGE, Body: "x" }, { ...MESSAGE, To: "whatsapp:+27150000001" }, {
      ...MESSAGE,
      X: "",
    }, fewer]
  ) {
    await refused("invalid_signature", { params: params as Record<string, string>, signature });
  }
});

Deno.test("webhook: what X-Forwarded headers or Host say does not count, only the configured URL", async () => {
  const request = webhook({ signed: "https://evil.example/functions/v1/twilio-media" });
  const headers = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-original-url": "/" };
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  assertEquals(
    (await failureOf(() => readSigned(request))).code,
    "invalid_signature",
  );
});

Deno.test("webhook: signed with the default port in the URL it is read", async () => {
  assertEquals((await read({ signed: URL_.replace(".co/", ".co:443/") })).ticketId, null);
});

Deno.test("webhook: the ticket is that of the signed URL", async () => {
  assertEquals((await read({ query: `?ticket_id=${TICKET}` })).ticketId, TICKET);
  assertEquals((await read({ query: `?a=1&ticket_id=${TICKET}&b=2` })).ticketId, TICKET);
});

Deno.test("webhook: a query is taken byte for byte as it came over the wire", async () => {
  const read: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    read.push(
      await readSigned(request).then(({ ticketId }) => ticketId, (error) => error),
    );
    return new Response();
  });
  const query = `?note='o%27clock'&a=%7Eb~&ticket_id=${TICKET}`;
  const body = new URLSearchParams(MESSAGE).toString();
  // not by fetch, which would encode the '
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const head = [
    `POST /twilio-media${query} HTTP/1.1`,
    "host: localhost",
    "connection: close",
    "content-type: application/x-www-form-urlencoded",
    `content-length: ${body.length}`,
    `x-twilio-signature: ${webhooks.getExpectedTwilioSignature("12345", URL_ + query, MESSAGE)}`,
  ];
  await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`));
  await new Response(connection.readable).text();
  await server.shutdown();
  assertEquals(read, [TICKET]);
});

Deno.test("webhook: a ticket added or changed on the way is invalid_signature", async () => {
  await refused("invalid_signature", { query: `?ticket_id=${TICKET}`, signed: URL_ });
  const other = TICKET.replace("1", "2");
  await refused("invalid_signature", { query: `?ticket_id=${other}`, signed: `${URL_}?ticket_id=${TICKET}` });
});

Deno.test("webhook: a ticket in the body is not the ticket", async () => {
  assertEquals((await read({ params: { ...MESSAGE, ticket_id: TICKET } })).ticketId, null);
});

Deno.test("webhook: where the configured URL has a query of its own, that one counts and no other", async () => {
  const configured = `${URL_}?ticket_id=${TICKET}`;
  const variables = { ...VARIABLES, TWILIO_WEBHOOK_URL: configured };
  assertEquals((await read({ signed: configured }, variables)).ticketId, TICKET);
  const other = TICKET.replace("1", "2");
  const request = webhook({ signed: configured, query: `?ticket_id=${other}` });
  assertEquals((await readSigned(request, variables)).ticketId, TICKET);
});

Deno.test("webhook: a signed ticket that is no uuid is no ticket, and the message is taken in", async () => {
  for (const id of ["1", "", "../..", TICKET + "0", `${TICKET}"--`]) {
    assertEquals((await read({ query: `?ticket_id=${encodeURIComponent(id)}` })).ticketId, null);
  }
});

Deno.test("webhook: a message of another account is forbidden though the signature is right", async () => {
  for (const AccountSid of ["AC" + "b".repeat(32), "", ACCOUNT.toUpperCase(), ACCOUNT + " "]) {
    await refused("forbidden", { params: { ...MESSAGE, AccountSid } });
  }
  const { AccountSid: _, ...without } = MESSAGE;
  await refused("forbidden", { params: without as Record<string, string> });
});

Deno.test("webhook: the signature is judged before the account", async () => {
  await refused("invalid_signature", { params: { ...MESSAGE, AccountSid: "other" }, token: "forged" });
});

Deno.test("webhook: another content type is unsupported_media_type, none as well", async () => {
  for (const contentType of ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]) {
    await refused("unsupported_media_type", { contentType });
  }
  assertEquals(
    (await read({ contentType: "application/x-www-form-urlencoded; charset=utf-8" })).ticketId,
    null,
  );
});

Deno.test("webhook: a body of 2 MB is payload_too_large, though it is signed", async () => {
  await refused("payload_too_large", { params: { ...MESSAGE, Body: "x".repeat(2_000_000) } });
});

const NEEDED = [...Object.keys(VARIABLES), "TWILIO_API_KEY_SECRET"];
for (const name of NEEDED) {
  Deno.test(`webhook: without ${name} every message is refused with 503, unread; the log names it, the answer does not`, async () => {
    const withKey = { ...VARIABLES, TWILIO_API_KEY_SID: "SK1", TWILIO_API_KEY_SECRET: "x" };
    for (const value of [undefined, ""]) {
      const error = await refused(
        name.startsWith("SUPABASE_") ? "storage_not_configured" : "not_configured",
        { token: "forged" },
        { ...withKey, [name]: value },
      );
      assertEquals(error.log, name, "asked for before anything else");
      const environment = environmentOf({ ...withKey, [name]: value });
      let response = new Response();
      const { lines } = await logOf(() =>
        noFetch(async () => {
          response = await twilioMedia(environment)(webhook());
        })
      );
      const code = name.startsWith("SUPABASE_") ? "storage_not_configured" : "not_configured";
      const answer = await response.text();
      assertEquals([response.status, JSON.parse(answer).error.code], [503, code]);
      assertEquals([lines.length, lines[0]!.detail], [1, name]);
      assert(!answer.includes(name), answer);
    }
  });
}

Deno.test("webhook: a URL, an encryption key or a hash key of no use is not_configured as well", async () => {
  for (
    const [name, value] of [
      ["TWILIO_WEBHOOK_URL", "not a url"],
      ["ENCRYPTION_KEY_CURRENT", "short"],
      ["ENCRYPTION_KEY_PREVIOUS", "short"],
      ["SENDER_HASH_KEY", "short"],
    ] as const
  ) {
    let response = new Response();
    const { lines, text } = await logOf(() =>
      noFetch(async () => {
        response = await twilioMedia(environmentOf({ ...VARIABLES, [name]: value }))(webhook());
      })
    );
    assertEquals([response.status, (await response.json()).error.code], [503, "not_configured"]);
    assertMatch(`${lines[0]!.detail}`, new RegExp(name.replace("ENCRYPTION_KEY", "")));
    assert(!text.includes(value), text);
  }
});

// The whole function, with a pretend database

const RECORDED = {
  duplicate: false,
  sensitive: false,
  reply: "reference",
  tracking_number: "TKT-20261123-AB12CD",
  language: "en",
  media: [] as unknown[],
};

interface Outcome {
  response: Response;
  answer: string;
  sent: Sent[];
  lines: Record<string, unknown>[];
  text: string;
  background: Promise<unknown>[];
}

/** One webhook through twilio-media; the database says whether it is sensitive. */
async function run(
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

const recordCall = ({ sent }: Outcome) => sent.find(({ url }) => url.endsWith("/record_inbound_message"))!;

Deno.test("twilio-media: nothing is looked up for a forged, foreign or oversized message", async () => {
  const bad: [number, Options][] = [
    [403, { token: "forged" }],
    [403, { signature: null }],
    [403, { params: { ...MESSAGE, AccountSid: "AC" + "b".repeat(32) } }],
    [413, { params: { ...MESSAGE, Body: "x".repeat(2_000_000) } }],
    [415, { contentType: "application/json" }],
  ];
  for (const [status, options] of bad) {
    const { response, sent, background, lines } = await run(options);
    assertEquals([response.status, sent.length, background.length, lines.length], [status, 0, 0, 1]);
  }
});

Deno.test("twilio-media: GET is 405", async () => {
  let response = new Response();
  await logOf(() =>
    noFetch(async () => {
      response = await twilioMedia(environmentOf(VARIABLES))(new Request(INNER));
    })
  );
  assertEquals([response.status, response.headers.get("allow")], [405, "POST, OPTIONS"]);
});

Deno.test("twilio-media: an ordinary report is recorded and answered with its reference", async () => {
  const outcome = await run();
  assertEquals(outcome.response.status, 200);
  assertStringIncludes(outcome.answer, "TKT-20261123-AB12CD");
  assertEquals(outcome.sent.map(({ url }) => url.split("/").at(-1)), [
    "route_inbound_message",
    "record_inbound_message",
  ]);
  for (const { headers } of outcome.sent) {
    assertEquals([headers.get("apikey"), headers.get("authorization")], ["sb_secret_x", null]);
  }
});

Deno.test("twilio-media: text and sender of a sensitive report reach the database only as Fernet tokens", async () => {
  const outcome = await run({}, { sensitive: true });
  for (const { body, url } of outcome.sent) {
    for (const word of ["hits me", "27821234567", "Thandi", "🆘", "MediaUrl"]) {
      assert(!body.includes(word), `${url} was told ${word}`);
    }
  }
  const given = JSON.parse(recordCall(outcome).body);
  assertEquals([given.body, given.latitude, given.longitude, given.place], [null, null, null, null]);
  const fernet = await Fernet.fromKeys(KEY);
  assertEquals(await fernet.decrypt(given.encrypted_description), BODY);
  assertEquals(JSON.parse(await fernet.decrypt(given.encrypted_payload)), MESSAGE);
});

Deno.test("twilio-media: the reply is what the database says, whether the report is sensitive or not", async () => {
  for (const sensitive of [true, false]) {
    assert(!(await run({}, { sensitive, reply: "thanks" })).answer.includes("TKT"));
    assertStringIncludes((await run({}, { sensitive, reply: "none" })).answer, "<Response/>");
  }
});

Deno.test("twilio-media: files without an address are recorded as failed, and the rest of the message is taken in", async () => {
  const odd = await run({ params: { ...MESSAGE, NumMedia: "3", MediaUrl1: "https://evil.example/x.jpg" } });
  assertEquals(odd.response.status, 200);
  const { media, body } = JSON.parse(recordCall(odd).body);
  assertEquals(media.map(({ problem }: { problem?: string }) => problem), [
    undefined,
    "media_missing",
    "media_missing",
  ]);
  assertEquals(body, BODY);
});

Deno.test("twilio-media: an ordinary report's sender is kept as a hash and sealed, never as a number", async () => {
  const outcome = await run();
  for (const { body } of outcome.sent) {
    assert(!body.includes("27821234567") && !body.includes("Thandi"), body);
  }
  const given = JSON.parse(recordCall(outcome).body);
  assertEquals(given.body, BODY);
  assertMatch(given.sender_refs[0], /^[A-Za-z0-9_-]{43}$/);
  const again = JSON.parse(recordCall(await run({ params: { ...MESSAGE, From: "+27821234567" } })).body);
  assertEquals(again.sender_refs, given.sender_refs, "the same person by SMS");
  const other = JSON.parse(recordCall(await run({ params: { ...MESSAGE, From: "+27821234568" } })).body);
  assert(other.sender_refs[0] !== given.sender_refs[0]);
});

Deno.test("twilio-media: no line of log holds text, number, name, URL or token, however it ends", async () => {
  const secrets = [
    "hits me",
    "27821234567",
    "27131234567",
    "Thandi",
    "api.twilio.com",
    "ME1",
    '12345"',
    TICKET,
    "TKT-",
    ACCOUNT,
    MESSAGE.MessageSid!,
  ];
  const query = `?ticket_id=${TICKET}`;
  const outcomes = [
    await run({ query }),
    await run({ query }, { sensitive: true }),
    await run({ query, token: "forged" }),
    await run({ query, params: { ...MESSAGE, NumMedia: "2" } }),
    await run({ query, params: { ...MESSAGE, AccountSid: "other" } }),
    await run({ query }, { duplicate: true }),
  ];
  for (const { text, lines } of outcomes) {
    assertEquals(lines.length, 1);
    for (const secret of secrets) assert(!text.includes(secret), `${secret} in ${text}`);
  }
});

Deno.test("twilio-media: where the database is out of reach Twilio gets a 500, not a thank-you", async () => {
  let response = new Response();
  await logOf(() =>
    withFetch(() => Promise.reject(new TypeError("refused")), async () => {
      response = await twilioMedia(environmentOf(VARIABLES))(webhook());
    })
  );
  assertEquals(response.status, 500);
});

Deno.test("twilio-media: a message seen before is thanked for, and nothing of it is fetched again", async () => {
  const record = {
    file_id: TICKET,
    media_index: 0,
    bucket: "evidence",
    path: "t/f/whatsapp-1.jpg",
    content_type: "image/jpeg",
  };
  const outcome = await run({}, { duplicate: true, media: [record] });
  assertEquals([outcome.response.status, outcome.background.length], [200, 0]);
});

// Its media, with a pretend Twilio and Storage

const PHOTO = await Deno.readFile(new URL("../../examples/media/burst-pipe.jpg", import.meta.url));
const MEDIUM = {
  file_id: TICKET,
  media_index: 0,
  bucket: "evidence",
  path: `t/${TICKET}/whatsapp-1.jpg`,
  content_type: "image/jpeg",
};

interface Neighbours {
  twilio?: () => Response;
  upload?: () => Response;
  stored?: () => Response;
  variables?: Record<string, string>;
}

/** One report with a photo; its neighbours do their work, or answer as given. */
async function transfer({ twilio, upload, stored, variables }: Neighbours = {}) {
  const answer = ({ method, url }: Sent): Response => {
    if (url === MEDIA_URL) return twilio?.() ?? new Response(PHOTO);
    if (!url.startsWith("http://kong:8000/storage/v1/object/")) return new Response(null, { status: 204 });
    if (method === "GET") return stored?.() ?? new Response(PHOTO);
    return upload?.() ?? Response.json({ Key: "k", Id: "i" });
  };
  const outcome = await run({}, { media: [MEDIUM] }, answer, { ...VARIABLES, ...variables });
  const calls = outcome.sent.filter(({ url }) => /rpc\/(complete_media_transfer|fail_media_work)$/.test(url));
  return { ...outcome, calls: calls.map(({ url, body }) => [url.split("/").at(-1), JSON.parse(body)]) };
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("transfer: a photo is fetched, stored and recorded with its hash, after Twilio was answered", async () => {
  const { calls, response, lines } = await transfer();
  assertEquals(response.status, 200);
  assertEquals(calls, [["complete_media_transfer", {
    file_id: TICKET,
    sha256: await hash(PHOTO),
    file_size: PHOTO.length,
  }]]);
  assertEquals(lines.map(({ code }) => code), ["ok", "ok"]);
});

const DUPLICATE = () =>
  Response.json({ statusCode: "409", error: "Duplicate", message: "The resource already exists" }, {
    status: 400,
  });

Deno.test("transfer: each failure is recorded with its reason, final or not", async () => {
  const cases: [string, boolean, Neighbours][] = [
    ["media_refused", false, { twilio: () => new Response(null, { status: 401 }) }],
    ["media_unavailable", false, { twilio: () => new Response(null, { status: 500 }) }],
    ["length_mismatch", false, { twilio: () => new Response(PHOTO, { headers: { "content-length": "5" } }) }],
    ["payload_too_large", true, {
      twilio: () => new Response(PHOTO, { headers: { "content-length": "16777217" } }),
    }],
    ["storage_unavailable", false, { upload: () => new Response("bad gateway", { status: 502 }) }],
    ["storage_refused", false, {
      upload: () => Response.json({ statusCode: "403", message: "no" }, { status: 400 }),
    }],
    ["hash_mismatch", false, { upload: DUPLICATE, stored: () => new Response("other bytes") }],
  ];
  for (const [reason, final, neighbours] of cases) {
    const { calls, response, lines, text } = await transfer(neighbours);
    assertEquals(response.status, 200);
    assertEquals(calls, [["fail_media_work", { file_id: TICKET, reason, final }]]);
    assertEquals(lines.map(({ code }) => code), ["ok", reason]);
    assert(!text.includes("api.twilio.com") && !text.includes("ME1"), text);
  }
});

Deno.test("transfer: a photo that an earlier attempt stored is recorded once its bytes are the same", async () => {
  const { calls } = await transfer({ upload: DUPLICATE, stored: () => new Response(PHOTO) });
  assertEquals(calls.map(([name, { sha256 }]) => [name, sha256]), [[
    "complete_media_transfer",
    await hash(PHOTO),
  ]]);
});

const DELETE = { variables: { TWILIO_DELETE_MEDIA: "true" } };
const deleted = ({ sent }: Outcome) => sent.filter(({ method }) => method === "DELETE").map(({ url }) => url);

Deno.test("transfer: Twilio's copy is removed on request, once ours was read back and recorded", async () => {
  const outcome = await transfer(DELETE);
  const steps = outcome.sent.slice(3).map(({ method, url }) => `${method} ${new URL(url).pathname}`);
  assertEquals(steps, [
    `POST /storage/v1/object/evidence/${MEDIUM.path}`,
    `GET /storage/v1/object/evidence/${MEDIUM.path}`,
    "POST /rest/v1/rpc/complete_media_transfer",
    `DELETE ${new URL(MEDIA_URL).pathname}.json`,
  ]);
});

Deno.test("transfer: Twilio's copy stays unless asked for, and where ours is other, short, gone or unrecorded", async () => {
  const variants: Neighbours[] = [
    {},
    { variables: { TWILIO_DELETE_MEDIA: "false" } },
    { variables: { TWILIO_DELETE_MEDIA: "1" } },
    { ...DELETE, stored: () => new Response("other bytes") },
    { ...DELETE, stored: () => new Response(PHOTO.subarray(0, -1)) },
    { ...DELETE, stored: () => new Response(null) },
    { ...DELETE, stored: () => Response.json({ statusCode: "404", message: "gone" }, { status: 400 }) },
    { ...DELETE, upload: () => new Response("bad gateway", { status: 502 }) },
  ];
  for (const variant of variants) assertEquals(deleted(await transfer(variant)), []);
});

Deno.test("twilio-media: a parameter that came twice is sealed with both its values", async () => {
  const params = { ...MESSAGE, Twice: ["a", "b"] };
  const body = new URLSearchParams([...Object.entries(MESSAGE), ["Twice", "a"], ["Twice", "b"]]).toString();
  const signature = webhooks.getExpectedTwilioSignature("12345", URL_, params);
  const given = JSON.parse(recordCall(await run({ body, signature })).body);
  assertEquals(JSON.parse(await (await Fernet.fromKeys(KEY)).decrypt(given.encrypted_payload)), params);
});
