// twilio-media as a whole, with a pretend database.
import webhooks from "twilio/lib/webhooks/webhooks.js";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { Fernet } from "../../shared/platform/fernet.ts";
import { environmentOf, logOf, noFetch, withFetch } from "./tools.ts";
import {
  ACCOUNT,
  BODY,
  INNER,
  KEY,
  MESSAGE,
  type Options,
  recordCall,
  run,
  TICKET,
  URL_,
  VARIABLES,
  webhook,
} from "./webhooks.ts";

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

Deno.test("twilio-media: a parameter that came twice is sealed with both its values", async () => {
  const params = { ...MESSAGE, Twice: ["a", "b"] };
  const body = new URLSearchParams([...Object.entries(MESSAGE), ["Twice", "a"], ["Twice", "b"]]).toString();
  const signature = webhooks.getExpectedTwilioSignature("12345", URL_, params);
  const given = JSON.parse(recordCall(await run({ body, signature })).body);
  assertEquals(JSON.parse(await (await Fernet.fromKeys(KEY)).decrypt(given.encrypted_payload)), params);
});
