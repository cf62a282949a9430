import { createHmac } from "node:crypto";
import webhooks from "twilio/lib/webhooks/webhooks.js";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { environmentOf, failureOf, logOf, noFetch } from "./tools.ts";
import {
  ACCOUNT,
  INNER,
  MESSAGE,
  read,
  readSigned,
  refused,
  TICKET,
  URL_,
  VARIABLES,
  webhook,
} from "./webhooks.ts";

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
