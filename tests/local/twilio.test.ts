import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import {
  type PretendTwilio,
  startTwilio,
  twilioClient,
  type TwilioOptions,
  twilioSignature,
} from "../../local/twilio.ts";
import type { Faults } from "../../local/twilio-client.ts";

const ACCOUNT = "AC" + "0".repeat(32);
const TOKEN = "12345";
const KEY = { sid: "SK" + "1".repeat(32), secret: "key secret" };
const PHONE = "whatsapp:+27600000001";
const OFFICE = "whatsapp:+27600000002";
const PHOTO = await Deno.readFile(new URL("../../examples/media/burst-pipe.jpg", import.meta.url));
const photo = { name: "photo.jpg", type: "image/jpeg", bytes: PHOTO };

interface Webhook {
  url: string;
  headers: Headers;
  params: URLSearchParams;
}

/** A pretend Twilio and a webhook that remembers what it was sent. */
function trial(
  name: string,
  test: (at: ReturnType<typeof tools>) => Promise<void>,
  options: Partial<TwilioOptions> = {},
) {
  Deno.test(`pretend Twilio: ${name}`, async () => {
    const webhooks: Webhook[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      const params = new URLSearchParams(await request.text());
      webhooks.push({ url: request.url, headers: request.headers, params });
      return new Response("<Response/>", { headers: { "content-type": "text/xml" } });
    });
    const webhookUrl = `http://127.0.0.1:${server.addr.port}/twilio-media`;
    const pretend = await startTwilio({
      accountSid: ACCOUNT,
      authToken: TOKEN,
      apiKey: KEY,
      webhookUrl,
      ...options,
    });
    try {
      await test(tools(pretend, webhookUrl, webhooks));
    } finally {
      await pretend.stop();
      await server.shutdown();
    }
  });
}

function tools(pretend: PretendTwilio, webhookUrl: string, webhooks: Webhook[]) {
  const client = twilioClient(pretend.url);

  /** Fetches a URL of Twilio's as a function's runtime sends it here. */
  const reach = (url: string, init: RequestInit = {}) => {
    const { host, pathname, search } = new URL(url);
    const headers = new Headers(init.headers);
    headers.set("x-pretend-host", host);
    return fetch(pretend.url + pathname + search, { redirect: "manual", ...init, headers });
  };
  const api = (url: string, user = ACCOUNT, password = TOKEN, method = "GET") =>
    reach(url, { method, headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` } });
  const apiPath = (path: string) => api(`https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}${path}`);

  /** Sends one photo; gives its media URL. */
  const sendPhoto = async (faults?: Faults) => {
    const sent = await client.sendMessage({ from: PHONE, to: OFFICE, files: [photo], options: { faults } });
    return sent.media[0]!.url;
  };
  /** Where api.twilio.com redirects a medium's download. */
  const location = async (mediaUrl: string) => {
    const response = await api(mediaUrl);
    await response.body?.cancel();
    return response.headers.get("location")!;
  };
  const download = async (mediaUrl: string) => reach(await location(mediaUrl));
  return { pretend, client, webhookUrl, webhooks, reach, api, apiPath, sendPhoto, location, download };
}

/** The status; the body is not wanted. */
async function status(response: Promise<Response>): Promise<number> {
  const { status, body } = await response;
  await body?.cancel();
  return status;
}

Deno.test("the signature gives Twilio's published vectors", () => {
  const call = new URLSearchParams([
    ["CallSid", "CA1234567890ABCDE"],
    ["Caller", "+14158675309"],
    ["Digits", "1234"],
    ["From", "+14158675309"],
    ["To", "+18005551212"],
  ]);
  const path = "/myapp.php?foo=1&bar=2";
  assertEquals(
    twilioSignature("12345", `https://mycompany.com${path}`, call),
    "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
  );
  assertEquals(
    twilioSignature("12345", `https://mycompany.com:443${path}`, call),
    "kvajT1Ptam85bY51eRf/AJRuM3w=",
  );
  const repeated = new URLSearchParams([
    ["Sid", "CA123"],
    ["SidAccount", "AC123"],
    ["Digits", "5678"],
    ["Digits", "1234"],
    ["Digits", "1234"],
  ]);
  assertEquals(
    twilioSignature("12345", `https://mycompany.com${path}`, repeated),
    "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
  );
});

trial("a WhatsApp photo arrives as Twilio posts it", async ({ client, webhooks, webhookUrl }) => {
  const sent = await client.sendMessage({
    from: PHONE,
    to: OFFICE,
    body: "Pyp gebars, môre 🚰",
    profile_name: "Thandi",
    ticket_id: "7 a",
    files: [photo, { name: "note.ogg", type: "audio/ogg", bytes: new Uint8Array(9) }],
  });
  assertEquals([sent.status, sent.body], [200, "<Response/>"]);
  const { url, headers, params } = webhooks[0]!;
  assertEquals(url, `${webhookUrl}?ticket_id=7%20a`);
  assertEquals(headers.get("content-type"), "application/x-www-form-urlencoded; charset=UTF-8");
  assertEquals(headers.get("user-agent"), "TwilioProxy/1.1");
  assert(headers.get("i-twilio-idempotency-token"));
  assertEquals(headers.get("x-twilio-signature"), twilioSignature(TOKEN, url, params));
  const media = (index: number) =>
    `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Messages/${sent.message_sid}/Media/${
      sent.media[index]!.sid
    }`;
  assertEquals(Object.fromEntries(params), {
    SmsMessageSid: sent.message_sid,
    NumMedia: "2",
    ProfileName: "Thandi",
    MessageType: "image",
    SmsSid: sent.message_sid,
    WaId: "27600000001",
    SmsStatus: "received",
    Body: "Pyp gebars, môre 🚰",
    To: OFFICE,
    NumSegments: "1",
    ReferralNumMedia: "0",
    MessageSid: sent.message_sid,
    AccountSid: ACCOUNT,
    From: PHONE,
    MediaContentType0: "image/jpeg",
    MediaUrl0: media(0),
    MediaContentType1: "audio/ogg",
    MediaUrl1: media(1),
    ApiVersion: "2010-04-01",
  });
});

trial("an SMS has no WhatsApp parameters", async ({ client, webhooks }) => {
  const sent = await client.sendMessage({ from: "+27600000001", to: "+27600000002", body: "Hello" });
  const { params } = webhooks[0]!;
  assert(sent.message_sid.startsWith("SM"));
  for (const name of ["ProfileName", "MessageType", "WaId"]) assert(!params.has(name), name);
  assertEquals([params.get("FromCountry"), params.get("FromCity")], ["ZA", ""]);
});

trial("options change what is posted", async ({ client, webhooks, webhookUrl }) => {
  const message = { from: PHONE, to: OFFICE, body: "x", files: [photo] };
  const send = async (more: Partial<Parameters<typeof client.sendMessage>[0]>) => {
    await client.sendMessage({ ...message, ...more });
    return webhooks.at(-1)!;
  };
  assertEquals((await send({ options: { signature: "missing" } })).headers.get("x-twilio-signature"), null);
  const wrong = await send({ options: { signature: "wrong" } });
  assert(wrong.headers.get("x-twilio-signature") !== twilioSignature(TOKEN, webhookUrl, wrong.params));
  const proxied = await send({ options: { signed_url: "https://public.example/hook" }, ticket_id: "1" });
  assertEquals(
    proxied.headers.get("x-twilio-signature"),
    twilioSignature(TOKEN, "https://public.example/hook?ticket_id=1", proxied.params),
  );
  const odd = await send({
    params: { Latitude: "-25.4", WaId: null, Twice: ["b", "a"] },
    options: {
      message_sid: "MMfixed",
      num_media: "11",
      media_url_host: "evil.example",
      messaging_service_sid: "MG1",
    },
  });
  assertEquals(odd.headers.get("x-twilio-signature"), twilioSignature(TOKEN, webhookUrl, odd.params));
  const names = ["MessageSid", "NumMedia", "Latitude", "WaId", "MessagingServiceSid"];
  assertEquals(names.map((name) => odd.params.get(name)), ["MMfixed", "11", "-25.4", null, "MG1"]);
  assertEquals(new URL(odd.params.get("MediaUrl0")!).host, "evil.example");
});

trial("a replay is the very same webhook", async ({ client, webhooks }) => {
  const { message_sid } = await client.sendMessage({ from: PHONE, to: OFFICE, files: [photo] });
  const again = await client.replay(message_sid);
  assertEquals(again.message_sid, message_sid);
  const [first, second] = webhooks;
  assertEquals(String(second!.params), String(first!.params));
  for (const name of ["x-twilio-signature", "i-twilio-idempotency-token"]) {
    assertEquals(second!.headers.get(name), first!.headers.get(name));
  }
  await assertRejects(() => client.replay("MMunknown"), Error, "no message");
});

trial("a webhook that is not there gives status 0 and the reason", async ({ client }) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const webhook_url = `http://127.0.0.1:${listener.addr.port}/`;
  listener.close();
  const sent = await client.sendMessage({ from: PHONE, to: OFFICE, body: "x", options: { webhook_url } });
  assertEquals(sent.status, 0);
  assertStringIncludes(sent.body, "refused");
});

trial(
  "media need credentials, then come from the CDN without",
  async ({ api, reach, download, sendPhoto }) => {
    const url = await sendPhoto();
    const refused = await reach(url);
    assertEquals(refused.status, 401);
    assertEquals((await refused.json()).code, 20003);
    assertEquals(await status(api(url, ACCOUNT, "wrong")), 401);
    assertEquals(await status(api(url.replace(ACCOUNT, "ACother"))), 401);
    assertEquals(await status(api(url, KEY.sid, KEY.secret)), 307);
    assertEquals(await status(api(url.replace(/ME.*/, "MEunknown"))), 404);
    const response = await download(url);
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "image/jpeg");
    assertEquals(response.headers.get("content-length"), String(PHOTO.length));
    assertEquals(await response.bytes(), PHOTO);
  },
);

trial("the redirect can be a 302", async ({ api, sendPhoto }) => {
  assertEquals(await status(api(await sendPhoto())), 302);
}, { redirectStatus: 302 });

trial("credentials at the CDN are refused and reported as a leak", async (at) => {
  const url = await at.sendPhoto();
  const link = await at.location(url);
  assertEquals((await at.client.log()).map(({ leak }) => leak), [false]);
  assertEquals(await status(at.api(link)), 400);
  const { pathname } = new URL(link);
  assertEquals((await at.client.log()).at(-1), {
    host: "media.twiliocdn.com",
    method: "GET",
    path: pathname,
    credentials: true,
    status: 400,
    leak: true,
  });
});

trial("CDN links expire and cannot be changed", async ({ sendPhoto, location, reach, download }) => {
  const link = await location(await sendPhoto());
  const later = link.replace(/Expires=(\d+)/, (_, seconds) => `Expires=${Number(seconds) + 1}`);
  assertEquals(await status(reach(later)), 403);
  assertEquals(await status(download(await sendPhoto({ link_seconds: -1 }))), 403);
});

trial("a deleted medium is gone", async ({ client, api, apiPath, sendPhoto, location, reach }) => {
  const [url, other] = [await sendPhoto(), await sendPhoto()];
  const link = await location(url);
  assertEquals(await status(api(`${url}.json`)), 200);
  assertEquals((await client.media()).map((medium) => medium.url), [url, other]);
  assertEquals(await status(api(`${url}.json`, ACCOUNT, TOKEN, "DELETE")), 204);
  assertEquals(await status(api(url, ACCOUNT, TOKEN, "DELETE")), 404);
  assertEquals(await status(reach(link)), 404);
  assertEquals(await status(api(other, ACCOUNT, TOKEN, "DELETE")), 204);
  assertEquals(await client.media(), []);
  const sid = /MM\w+/.exec(url)![0];
  assertEquals((await (await apiPath(`/Messages/${sid}/Media.json`)).json()).media_list, []);
});

trial("messages can be listed, also those whose webhook was lost", async ({ client, webhooks, apiPath }) => {
  const options = { deliver: false };
  const lost = await client.sendMessage({ from: PHONE, to: OFFICE, files: [photo], options });
  await client.sendMessage({ from: PHONE, to: "whatsapp:+27600000003", body: "x" });
  assertEquals(webhooks.length, 1);
  const list = async (query: string) => (await (await apiPath(`/Messages.json?${query}`)).json());
  const to = encodeURIComponent(OFFICE);
  const today = new Date().toISOString().slice(0, 10);
  const { messages } = await list(`To=${to}&DateSent>=2026-01-01&DateSent<=${today}`);
  assertEquals(messages.map((message: { sid: string }) => message.sid), [lost.message_sid]);
  assertEquals([messages[0].num_media, messages[0].direction], ["1", "inbound"]);
  assertEquals((await list("From=whatsapp:nobody")).messages, []);
  assertEquals((await list("DateSent=2020-01-01")).messages, []);
  const first = await list("PageSize=1");
  assertStringIncludes(first.next_page_uri, "Page=1");
  assertEquals((await list("PageSize=1&Page=1")).next_page_uri, null);
});

trial("faults before the bytes", async ({ api, location, download, reach, sendPhoto }) => {
  const late = await sendPhoto({ not_found_first: 2 });
  const tries = [await status(api(late)), await status(api(late)), await status(api(late))];
  assertEquals(tries, [404, 404, 307]);
  const unwell = await sendPhoto({ status: 500, times: 1 });
  assertEquals([await status(api(unwell)), await status(api(unwell))], [500, 307]);
  assertEquals(await status(download(await sendPhoto({ cdn_status: 503 }))), 503);
  assertEquals(
    await location(await sendPhoto({ redirect_to: "https://evil.example/x" })),
    "https://evil.example/x",
  );
  const loop = await location(await sendPhoto({ redirect_loop: true }));
  const again = await reach(loop);
  await again.body?.cancel();
  assertEquals([again.status, again.headers.get("location")], [302, loop]);
});

trial("faults in the bytes", async ({ client, download, sendPhoto }) => {
  const cut = await download(await sendPhoto({ truncate: 70_000 }));
  assertEquals(cut.headers.get("content-length"), String(PHOTO.length));
  await assertRejects(() => cut.bytes(), TypeError);

  const swollen = await download(await sendPhoto({ oversize: 100_000 }));
  assertEquals(swollen.headers.get("content-length"), null);
  const bytes = await swollen.bytes();
  assertEquals(bytes.length, PHOTO.length + 100_000);
  assertEquals(bytes.subarray(0, PHOTO.length), PHOTO);

  const renamed = await download(await sendPhoto({ content_type: "text/html" }));
  assertEquals(renamed.headers.get("content-type"), "text/html");
  await renamed.body?.cancel();

  const stalled = await download(await sendPhoto({ stall_ms: 50 }));
  assertEquals(await stalled.bytes(), PHOTO);

  const { media } = await client.sendMessage({
    from: PHONE,
    to: OFFICE,
    files: [photo, photo],
    options: { media_faults: [null, { cdn_status: 500 }] },
  });
  assertEquals(await status(download(media[0]!.url)), 200);
  assertEquals(await status(download(media[1]!.url)), 500);
});

trial("stops at once though a download hangs", async ({ pretend, client, location, reach, sendPhoto }) => {
  const link = await location(await sendPhoto({ hang_ms: 60_000 }));
  const hanging = reach(link).then((response) => response.bytes()).catch(() => {});
  while ((await client.log()).length < 2) await delay(5);
  const started = performance.now();
  await pretend.stop();
  await hanging;
  assert(performance.now() - started < 5_000);
});

trial("reset forgets everything; other hosts are refused", async ({ client, reach, sendPhoto, api }) => {
  const url = await sendPhoto();
  assertEquals(await status(reach("https://evil.example/x")), 421);
  await client.reset();
  assertEquals([await client.log(), await client.media()], [[], []]);
  assertEquals(await status(api(url)), 404);
});
