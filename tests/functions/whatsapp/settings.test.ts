// API keys, removal of Twilio's copies, and outages: each with settings of its own.
import { assert, assertEquals } from "../../support/assert.ts";
import { storesNothing } from "../../support/functions.ts";
import { withOwnTwilio } from "../../support/own-twilio.ts";
import { ok, sample, service, sha256 } from "../../support/stack.ts";
import { mediaOf, newSender, sampleFile, send } from "../../support/whatsapp.ts";
import { GBV, GENERAL, MiB, refused, sampleOf } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

test("an API key fetches and deletes media in the auth token's place", async () => {
  const apiKey = { sid: `SK${"1".repeat(32)}`, secret: crypto.randomUUID() };
  const expected = `Basic ${btoa(`${apiKey.sid}:${apiKey.secret}`)}`;
  const seen: string[] = [];
  await withOwnTwilio({
    env: {
      TWILIO_API_KEY_SID: apiKey.sid,
      TWILIO_API_KEY_SECRET: apiKey.secret,
      TWILIO_DELETE_MEDIA: "true",
    },
    apiKey,
    onFetch: ({ url, headers }) => {
      if (url.includes("twilio")) seen.push(`${new URL(url).host} ${headers.get("authorization")}`);
    },
  }, async (own) => {
    const file = await sampleOf("image/jpeg");
    const sent = await send(newSender(), GENERAL, { files: [file] }, own.twilio);
    assertEquals(sent.status, 200, sent.body);
    await own.finished();
    assertEquals((await mediaOf(sent.message_sid))[0]!.status, "stored");
    assertEquals(seen, [
      `api.twilio.com ${expected}`,
      "media.twiliocdn.com null",
      `api.twilio.com ${expected}`,
    ]);
    assertEquals((await own.twilio.log()).filter(({ leak }) => leak), []);
  });
});

test("TWILIO_DELETE_MEDIA=true removes Twilio's copy of what is stored, and keeps what is not", async () => {
  await withOwnTwilio({ env: { TWILIO_DELETE_MEDIA: "true" } }, async (own) => {
    for (const to of [GENERAL, GBV]) {
      const files = [
        await sampleOf("image/jpeg"),
        await sampleOf("image/jpeg", 17 * MiB), // too large
        await sampleFile("burst-pipe-detail.png"),
        await sampleOf("image/jpeg", 2 * MiB),
      ];
      const options = { media_faults: [null, null, { cdn_status: 500 }, { truncate: 1.5 * MiB }] };
      const sent = await send(newSender(), to, { files, options }, own.twilio);
      await own.finished();
      const records = await mediaOf(sent.message_sid);
      assertEquals(records.map(({ status }) => status), ["stored", "failed", "pending", "pending"]);
      const { bucket, path } = records[0]!;
      const stored = await ok(service.storage.from(bucket).download(path));
      assertEquals(await sha256(stored), await sha256(files[0]!.bytes));
      const kept = (await own.twilio.media()).filter(({ message_sid }) => message_sid === sent.message_sid);
      assertEquals(kept.map(({ sid }) => sid), sent.media.slice(1).map(({ sid }) => sid));
    }
  });
});

for (const setting of [undefined, "false", "", "no"]) {
  test(`TWILIO_DELETE_MEDIA=${setting} keeps Twilio's copy`, async () => {
    await withOwnTwilio({ env: { TWILIO_DELETE_MEDIA: setting } }, async (own) => {
      const sent = await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await own.finished();
      assertEquals((await mediaOf(sent.message_sid))[0]!.status, "stored");
      assertEquals((await own.twilio.media()).length, 1);
    });
  });
}

const STORAGE = "/storage/v1/object/";

test("Twilio's copy is kept where the stored bytes read back are others, or cannot be read", async () => {
  const other = () => new Response(sample().stream(), { headers: { "content-type": "image/jpeg" } });
  const none = () => Response.json({ statusCode: "500", error: "x", message: "x" }, { status: 400 });
  for (const instead of [other, none]) {
    await withOwnTwilio({
      env: { TWILIO_DELETE_MEDIA: "true" },
      onFetch: ({ url, method }) => url.includes(STORAGE) && method === "GET" ? instead() : undefined,
    }, async (own) => {
      await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await own.finished();
      assertEquals((await own.twilio.media()).length, 1);
    });
  }
});

test("while Storage is down Twilio is answered, and each medium stays to be tried again", async () => {
  const down: [what: string, answer: () => Response][] = [
    ["refuses", () => Response.json({ statusCode: "500", error: "x", message: "x" }, { status: 500 })],
    ["is gone", () => {
      throw new TypeError("connection refused");
    }],
  ];
  for (const [what, answer] of down) {
    await withOwnTwilio({
      onFetch: ({ url, method }) => url.includes(STORAGE) && method === "POST" ? answer() : undefined,
    }, async (own) => {
      const files = [await sampleOf("image/jpeg"), await sampleOf("image/jpeg", 2 * MiB)];
      const sent = await send(newSender(), GENERAL, { files }, own.twilio);
      assertEquals(sent.status, 200, sent.body);
      await own.finished();
      for (const { status, last_error, next_attempt_at, attempts } of await mediaOf(sent.message_sid)) {
        assertEquals([status, last_error, attempts], ["pending", "storage_unavailable", 1], what);
        assert(next_attempt_at);
      }
    });
  }
});

test("while the database is down Twilio is told so, rather than that all is well", async () => {
  await withOwnTwilio({
    onFetch: ({ url }) => {
      if (url.includes("/rest/v1/")) throw new TypeError("connection refused");
    },
  }, async (own) => {
    await storesNothing(async () => {
      const sent = await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await refused(sent, "internal", "the database is down");
    });
  });
});
