// The files of a message, with a pretend Twilio and Storage.
import { assert, assertEquals } from "../support/assert.ts";
import type { Sent } from "./tools.ts";
import { MEDIA_URL, type Outcome, run, TICKET, VARIABLES } from "./webhooks.ts";

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
