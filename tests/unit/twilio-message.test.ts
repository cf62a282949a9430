import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { parseMessage } from "../../shared/twilio/message.ts";

const MEDIA = `https://api.twilio.com/2010-04-01/Accounts/AC${"a".repeat(32)}/Messages/MM${
  "b".repeat(32)
}/Media/ME`;

const SMS = {
  MessageSid: "SM" + "0123456789abcdef".repeat(2),
  AccountSid: "AC" + "a".repeat(32),
  From: "+27821234567",
  To: "+27131234567",
  Body: "Pyp gebars",
};
const WHATSAPP = {
  ...SMS,
  MessageSid: "MM" + "0123456789abcdef".repeat(2),
  From: "whatsapp:+27821234567",
  To: "whatsapp:+27131234567",
  ProfileName: "Thandi",
  WaId: "27821234567",
  NumMedia: "2",
  MediaUrl0: MEDIA + "c".repeat(32),
  MediaContentType0: "image/jpeg",
  MediaUrl1: MEDIA + "d".repeat(32),
  MediaContentType1: "audio/ogg",
};

const parse = (params: Record<string, string>) => parseMessage(new URLSearchParams(params));

Deno.test("message: a WhatsApp message with two media is read; addresses lose their channel", async () => {
  assertEquals(await parse(WHATSAPP), {
    sid: WHATSAPP.MessageSid,
    channel: "whatsapp",
    to: "+27131234567",
    identities: ["+27821234567"],
    kind: "text",
    body: "Pyp gebars",
    place: null,
    media: [
      { url: WHATSAPP.MediaUrl0, contentType: "image/jpeg" },
      { url: WHATSAPP.MediaUrl1, contentType: "audio/ogg" },
    ],
  });
});

Deno.test("message: an SMS without NumMedia has no media; one person is the same by SMS and by WhatsApp", async () => {
  const sms = await parse(SMS);
  assertEquals([sms.media, sms.channel], [[], "sms"]);
  assertEquals(sms.identities, (await parse(WHATSAPP)).identities);
});

Deno.test("message: every identity of a sender is kept, with a number or without", async () => {
  const ids = { ExternalUserId: "ZA.13491208655302741918", ParentExternalUserId: "ZA.99" };
  assertEquals((await parse({ ...WHATSAPP, ...ids })).identities, ["+27821234567", ...Object.values(ids)]);
  const hidden = { ...WHATSAPP, ...ids, From: `whatsapp:${ids.ExternalUserId}` };
  assertEquals((await parse(hidden)).identities, Object.values(ids));
});

Deno.test("message: a place comes with its name and address; an impossible one is none", async () => {
  const at = {
    ...SMS,
    Body: "",
    Latitude: "-25.47",
    Longitude: "30.98",
    Label: "Clinic",
    Address: "1 Main Rd",
  };
  const { kind, place } = await parse(at);
  assertEquals([kind, place], ["location", {
    latitude: -25.47,
    longitude: 30.98,
    name: "Clinic, 1 Main Rd",
  }]);
  for (const Latitude of ["", "north", "91", "NaN", "1e999", "0x1f3"]) {
    const odd = await parse({ ...at, Latitude });
    if (Latitude === "0x1f3") assertEquals(odd.place, null, "499 degrees");
    else assertEquals([odd.kind, odd.place], ["text", null], Latitude);
  }
});

Deno.test("message: what a button, a form or a contact card says is read", async () => {
  const form = {
    ...WHATSAPP,
    Body: "",
    NumMedia: "0",
    InteractiveData: '{"flow": {"ward": "7", "ok": [true, "x"]}}',
  };
  assertEquals([(await parse(form)).kind, (await parse(form)).body.split("\n")[0]], [
    "reply",
    "flow.ward: 7",
  ]);
  const button = { ...SMS, Body: "Yes", ButtonText: "Yes", ButtonPayload: "yes-1" };
  assertEquals([(await parse(button)).kind, (await parse(button)).body], ["reply", "Yes"]);
  assertEquals((await parse({ ...SMS, Body: "", InteractiveData: "{broken" })).body, "{broken");
  assertEquals((await parse({ ...WHATSAPP, MediaContentType0: "text/vcard" })).kind, "contact");
});

Deno.test("message: STOP and HELP are no report", async () => {
  for (const OptOutType of ["STOP", "HELP", "START"]) {
    assertEquals((await parse({ ...SMS, OptOutType })).kind, "opt_out");
  }
  assertEquals((await parse({ ...SMS, OptOutType: "none" })).kind, "text"); // or nobody would read it
});

Deno.test("message: words come back as they were, without what a database cannot hold", async () => {
  const words = "ŵ🆘\u202e\u0301 \ud83d\ude00\n".repeat(120).slice(0, 1600);
  assertEquals((await parse({ ...SMS, Body: words })).body, words.toWellFormed());
  assertEquals((await parse({ ...SMS, Body: "be\0fore" })).body, "be\0fore", "it is sealed as it came");
});

Deno.test("message: without its id it is the same message at a second delivery; without a sender it is nobody's", async () => {
  const { MessageSid: _, ...nameless } = SMS;
  const [once, twice, other] = await Promise.all([
    parse(nameless),
    parse(nameless),
    parse({ ...nameless, Body: "x" }),
  ]);
  assertEquals(once.sid, twice.sid);
  assert(once.sid !== other.sid);
  assertMatch(once.sid, /^XX[0-9a-f]{32}$/);
  for (const sid of ["MM123", "MM" + "g".repeat(32), "../../../etc"]) {
    assertMatch((await parse({ ...SMS, MessageSid: sid })).sid, /^XX/);
  }
  assertEquals((await parse({ ...nameless, SmsSid: SMS.MessageSid })).sid, SMS.MessageSid);
  const { From: _from, ...unsigned } = SMS;
  assertEquals((await parse(unsigned)).identities, [SMS.MessageSid]);
});

Deno.test("message: files are as many as it says or shows; each odd one keeps its place", async () => {
  const urls = async (params: Record<string, string>) =>
    (await parse(params)).media.map(({ url }) => url !== null);
  assertEquals(await urls({ ...WHATSAPP, NumMedia: "3" }), [true, true, false]);
  assertEquals(await urls({ ...WHATSAPP, NumMedia: "1" }), [true, true]);
  for (const NumMedia of ["-1", "NaN", "two", "1.5", "Infinity", ""]) {
    assertEquals(await urls({ ...WHATSAPP, NumMedia }), [true, true], NumMedia);
  }
  assertEquals((await urls({ ...WHATSAPP, NumMedia: "1e9" })).length, 100);
  const { MediaUrl0: _, ...gone } = WHATSAPP;
  assertEquals(await urls(gone), [false, true]);
  for (const type of ["", "x".repeat(256), "\0", "constructor", "he hits me", "/", "a/", "image /jpeg"]) {
    assertEquals((await parse({ ...WHATSAPP, MediaContentType1: type })).media[1], {
      url: WHATSAPP.MediaUrl1,
      contentType: "application/octet-stream",
    });
  }
});

const ELSEWHERE = {
  "on another host": "https://evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
  "over http": MEDIA.replace("https", "http") + "1",
  "on another port": MEDIA.replace(".com", ".com:8443") + "1",
  "with Twilio as the user name":
    "https://api.twilio.com@evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
  "on a host that begins like Twilio": MEDIA.replace(".com", ".com.evil.example") + "1",
  "on a host that ends like Twilio": MEDIA.replace("api.", "evil-api.") + "1",
  "on Twilio's content host": MEDIA.replace("api.twilio.com", "media.twiliocdn.com") + "1",
  "with a user in the URL": MEDIA.replace("https://", "https://user:secret@") + "1",
  "with only a password in the URL": MEDIA.replace("https://", "https://:secret@") + "1",
  "with a query": MEDIA + "1?x=1",
  "with an empty query": MEDIA + "1?",
  "with a fragment": MEDIA + "1#x",
  "with a path that climbs": MEDIA + "1/../../../../Calls/CA1",
  "with an encoded path that climbs": MEDIA + "1/%2e%2e/%2e%2e/Messages.json",
  "with a slash encoded": MEDIA + "1%2f..%2fx",
  "with a second medium behind it": MEDIA + "1/Media/ME2",
  "of another API": "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
  "that is a list": MEDIA.slice(0, -2),
  "with a backslash trick":
    "https://api.twilio.com\\@evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
  "as data": "data:image/jpeg;base64,AAAA",
  "as a file": "file:///etc/passwd",
  "of localhost": "https://localhost/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
  "that is no URL": "ME1",
};
for (const [where, url] of Object.entries(ELSEWHERE)) {
  Deno.test(`message: a file ${where} is never fetched, and the message taken in`, async () => {
    const { media, body } = await parse({ ...WHATSAPP, MediaUrl1: url });
    assertEquals([media[1]!.url, media[0]!.url, body], [null, WHATSAPP.MediaUrl0, WHATSAPP.Body]);
  });
}
