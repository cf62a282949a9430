import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { parseMessage } from "../../shared/twilio/message.ts";
import { failureOf } from "./tools.ts";

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

function without<Name extends string>(params: Record<string, string>, name: Name) {
  const { [name]: _, ...rest } = params;
  return rest;
}

/** It is refused, and what the caller is told quotes nothing of it. */
async function refused(params: Record<string, string>, path: string) {
  const error = await failureOf(() => parse(params));
  assertInstanceOf(error, ServiceError);
  assertEquals(error.code, "invalid_request");
  const details = error.details as { path: string; message: string }[];
  assert(details.some((detail) => detail.path === path), `${JSON.stringify(details)} names ${path}`);
  const told = JSON.stringify([error.message, error.details, error.log]);
  for (const value of Object.values(params)) {
    assert(value.length < 4 || !told.includes(value), `${told} quotes ${value}`);
  }
}

Deno.test("message: a WhatsApp message with two media is read; addresses lose their channel", () => {
  assertEquals(parse(WHATSAPP), {
    sid: WHATSAPP.MessageSid,
    accountSid: WHATSAPP.AccountSid,
    from: "+27821234567",
    to: "+27131234567",
    body: "Pyp gebars",
    media: [
      { url: WHATSAPP.MediaUrl0, contentType: "image/jpeg" },
      { url: WHATSAPP.MediaUrl1, contentType: "audio/ogg" },
    ],
  });
});

Deno.test("message: an SMS without NumMedia has no media; one person is the same by SMS and by WhatsApp", () => {
  assertEquals(parse(SMS).media, []);
  assertEquals(parse(SMS).from, parse(WHATSAPP).from);
});

Deno.test("message: a picture or a place without words is a message", () => {
  assertEquals(parse(without(WHATSAPP, "Body")).body, "");
  assertEquals(parse({ ...WHATSAPP, Body: "" }).body, "");
  assertEquals(
    parse({ ...SMS, Latitude: "-25.47", Longitude: "30.98", MessageType: "location" }).body,
    "Pyp gebars",
  );
});

Deno.test("message: a withheld number is a sender like any other", () => {
  assertEquals(
    parse({ ...WHATSAPP, From: "whatsapp:US.13491208655302741918" }).from,
    "US.13491208655302741918",
  );
});

Deno.test("message: one that came through a Messaging Service is read", () => {
  assertEquals(parse({ ...SMS, MessagingServiceSid: "MG" + "e".repeat(32) }), parse(SMS));
});

Deno.test("message: without its id, account, sender or receiver it is refused", async () => {
  for (const name of ["MessageSid", "AccountSid", "From", "To"]) {
    await refused(without(WHATSAPP, name), name);
    await refused({ ...WHATSAPP, [name]: "" }, name);
  }
});

Deno.test("message: an id that is no MessageSid is refused", async () => {
  for (
    const sid of [
      "MM123",
      "MM" + "g".repeat(32),
      WHATSAPP.MessageSid + "0",
      `${WHATSAPP.MessageSid}\n`,
      "../../../etc",
    ]
  ) {
    await refused({ ...WHATSAPP, MessageSid: sid }, "MessageSid");
  }
});

Deno.test("message: a sender, receiver or text of absurd length is refused", async () => {
  await refused({ ...WHATSAPP, From: "9".repeat(257) }, "From");
  await refused({ ...WHATSAPP, To: "9".repeat(257) }, "To");
  await refused({ ...WHATSAPP, Body: "9".repeat(10_001) }, "Body");
});

Deno.test("message: a NumMedia that is negative, over ten, or no number is refused", async () => {
  for (const count of ["-1", "11", "NaN", "two", "1.5", "Infinity", "1e9"]) {
    await refused({ ...WHATSAPP, NumMedia: count }, "NumMedia");
  }
});

Deno.test("message: fewer media than NumMedia says is refused, more are left alone", async () => {
  await refused({ ...WHATSAPP, NumMedia: "3" }, "MediaUrl2");
  await refused(without(WHATSAPP, "MediaUrl1"), "MediaUrl1");
  await refused(without(WHATSAPP, "MediaContentType1"), "MediaUrl1");
  await refused({ ...WHATSAPP, MediaContentType1: "x".repeat(256) }, "MediaUrl1");
  assertEquals(parse({ ...WHATSAPP, NumMedia: "1" }).media.length, 1);
  assertEquals(parse({ ...WHATSAPP, NumMedia: "0" }).media, []);
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
  Deno.test(`message: a medium ${where} is refused`, () =>
    refused({ ...WHATSAPP, MediaUrl1: url }, "MediaUrl1"));
}
