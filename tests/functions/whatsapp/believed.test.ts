// Which webhooks are believed, and that none counts twice.
import { newSid } from "../../../local/twilio-webhook.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { assertRefused, call, type Code, storesNothing, until } from "../../support/functions.ts";
import { ok, service } from "../../support/stack.ts";
import {
  accepted,
  mediaOf,
  newSender,
  post,
  replyOf,
  sampleFile,
  send,
  settled,
  signatureOf,
  ticketOf,
  twilio,
  webhook,
  webhookHeaders,
} from "../../support/whatsapp.ts";
import { GBV, GENERAL, refused, sampleOf, WEBHOOK } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

test("what Twilio did not sign is refused before anything is looked up, and nothing is stored", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const files = [file];
  const params = webhook(from, GENERAL);
  const signature = signatureOf(params);
  const changed = new URLSearchParams(params);
  changed.set("Body", "something else");
  const added = new URLSearchParams(params);
  added.append("To", GBV);
  const removed = new URLSearchParams(params);
  removed.delete("ProfileName");
  const unknown = webhook(from, "+27999999999");

  await storesNothing(async () => {
    for (
      const [what, sent] of [
        ["no signature", await send(from, GENERAL, { files, options: { signature: "missing" } })],
        ["a wrong signature", await send(from, GENERAL, { files, options: { signature: "wrong" } })],
        [
          "a changed URL",
          await send(from, GENERAL, { files, options: { signed_url: `${WEBHOOK}/other` } }),
        ],
        [
          "another host",
          await send(from, GENERAL, {
            options: { signed_url: "https://evil.example/functions/v1/twilio-media" },
          }),
        ],
      ] as const
    ) await refused(sent, "invalid_signature", what);

    for (
      const [what, answer] of [
        ["a changed parameter", await post(changed, signature)],
        ["an added parameter", await post(added, signature)],
        ["a removed parameter", await post(removed, signature)],
        ["an added query", await post(params, signature, "?ticket_id=")],
        ["the signature of another message", await post(params, signatureOf(webhook(from, GENERAL)))],
        ["an empty signature", await post(params, "")],
        ["no base64", await post(params, "§§§".replaceAll("§", "%"))],
        ["a signature cut short", await post(params, signature.slice(0, 10))],
        ["an unknown number, unsigned", await post(unknown, "")],
        [
          "the secret key instead",
          await call("twilio-media", {
            token: Deno.env.get("SUPABASE_SERVICE_ROLE_KEY"),
            body: params.toString(),
            headers: { "content-type": "application/x-www-form-urlencoded" },
          }),
        ],
      ] as const
    ) assertRefused(answer, "invalid_signature", what);
  });
  assertEquals((await post(params, signature)).status, 200, "unchanged it is good");
});

test("what is signed is refused only for a number or an account that is not ours", async () => {
  const from = newSender();
  const files = [await sampleOf("image/jpeg")];
  const cases: [what: string, sent: Promise<{ status: number; body: string }>, code: Code][] = [
    ["an unknown number", send(from, "+27999999999", { files }), "not_found"],
    ["no number", send(from, GENERAL, { files, params: { To: null } }), "not_found"],
    ["another account", send(from, GENERAL, { files, params: { AccountSid: newSid("SM") } }), "forbidden"],
    ["no account", send(from, GENERAL, { files, params: { AccountSid: null } }), "forbidden"],
  ];
  await storesNothing(async () => {
    for (const [what, sent, code] of cases) {
      const answer = await sent;
      await refused(answer, code, what);
      assert(!answer.body.includes(from.slice(1)), `${what}: the number is in the answer`);
    }
  });
});

test("an odd thing in a message loses neither its words nor its other files", async () => {
  const url = (host: string) => `https://${host}/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1`;
  const files = [await sampleOf("image/jpeg"), await sampleFile("burst-pipe-detail.png")];
  const elsewhere = [
    url("evil.example"),
    url("api.twilio.com.evil.example"),
    url("api.twilio.com@evil.example"),
    url("user:password@api.twilio.com"),
    url("api.twilio.com:8443"),
    url("api.twilio.com").replace("https:", "http:"),
    "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
    "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/../../../../x",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "",
  ];
  type Message = Parameters<typeof send>[2];
  const cases: [what: string, message: Message, found: (string | null)[]][] = [
    ["NumMedia larger than the media", { options: { num_media: "3" } }, [null, null, "media_missing"]],
    ["NumMedia -1", { options: { num_media: "-1" } }, [null, null]],
    ["NumMedia a word", { options: { num_media: "one" } }, [null, null]],
    ["no From", { params: { From: null } }, [null, null]],
    ["a NUL in the words", { body: "Water\0 runs" }, [null, null]],
    ...elsewhere.map((MediaUrl0): typeof cases[number] => [
      `a file at ${MediaUrl0}`,
      { params: { MediaUrl0 } },
      ["media_missing", null],
    ]),
  ];
  for (const [what, message, found] of cases) {
    const sent = await accepted(newSender(), GENERAL, { files, body: "Water runs", ...message });
    await until(`the files of ${what} are settled`, async () => {
      const records = await mediaOf(sent.message_sid);
      return records.length === found.length && records.every(({ status }) => status !== "pending");
    });
    const records = await mediaOf(sent.message_sid);
    assertEquals(records.map(({ last_error }) => last_error), found, what);
    assertEquals((await ticketOf(sent.message_sid)).description, "Water runs", what);
  }
  for (const MessageSid of [null, "hello"]) {
    const sent = await accepted(newSender(), GENERAL, { params: { MessageSid } });
    assert(replyOf(sent).includes("TKT-"));
  }
});

test("a webhook of 2 MB, of another type, or by another method is refused", async () => {
  const params = webhook(newSender(), GENERAL, { Body: "x".repeat(2_000_000) });
  const small = webhook(newSender(), GENERAL);
  await storesNothing(async () => {
    assertRefused(await post(params), "payload_too_large", "2 MB");
    const headers = { ...webhookHeaders(signatureOf(small)), "content-type": "application/json" };
    const json = await call("twilio-media", { body: Object.fromEntries(small), headers });
    assertRefused(json, "unsupported_media_type", "JSON");
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "GET" ? undefined : small.toString();
      const answer = await call("twilio-media", {
        method,
        body,
        headers: webhookHeaders(signatureOf(small)),
      });
      assertRefused(answer, "method_not_allowed", method);
      assertEquals(answer.headers.get("allow"), "POST, OPTIONS");
    }
  });
});

test("no browser may call the webhook", async () => {
  const answer = await call("twilio-media", {
    method: "OPTIONS",
    headers: { origin: Deno.env.get("ALLOWED_ORIGINS")!.split(",")[0]! },
  });
  assertEquals(answer.headers.get("access-control-allow-origin"), null);
});

for (const [what, number] of [["general", GENERAL], ["GBV", GBV]] as const) {
  test(`a replay of a message to the ${what} number adds nothing and gets the same answer`, async () => {
    const file = await sampleOf("image/jpeg");
    const sent = await accepted(newSender(), number, { files: [file] });
    const before = await settled(sent.message_sid, 1);
    await storesNothing(async () => {
      for (let times = 0; times < 2; times++) {
        const again = await twilio.replay(sent.message_sid);
        assertEquals([again.status, again.body], [200, sent.body]);
      }
    });
    assertEquals(await mediaOf(sent.message_sid), before);
  });

  test(`deliveries at once of one message to the ${what} number are one message`, async () => {
    const files = [await sampleOf("image/jpeg"), await sampleFile("burst-pipe-detail.png")];
    const from = newSender();
    const { message_sid } = await send(from, number, { files, options: { deliver: false } });
    const answers = await Promise.all([1, 2, 3].map(() => twilio.replay(message_sid)));
    for (const { status, body } of answers) assertEquals([status, body], [200, answers[0]!.body]);
    const records = await settled(message_sid, 2);
    assertEquals(records.map(({ status }) => status), ["stored", "stored"]);
    assertEquals(records.map(({ attempts }) => attempts), [1, 1], "transferred more than once");
    const { id } = await ticketOf(message_sid);
    assertEquals(
      (await ok(service.from("inbound_messages").select("message_sid").eq("ticket_id", id))).length,
      1,
    );
  });
}

test("three messages of one sender at once open one ticket", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const sent = await Promise.all([1, 2, 3].map(() => accepted(from, GENERAL, { files: [file] })));
  const tickets = await Promise.all(sent.map(({ message_sid }) => ticketOf(message_sid)));
  assertEquals(new Set(tickets.map(({ id }) => id)).size, 1);
  for (const { message_sid } of sent) await settled(message_sid, 1);
});
