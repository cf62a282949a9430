// Who may upload what where, through upload-url, for every role of both municipalities.
import { uploadUrl } from "../../functions/upload-url/index.ts";
import type { Bucket } from "../../shared/contracts.ts";
import { MAY_UPLOAD, SEE_SENSITIVE } from "../support/access.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import {
  assertRefused,
  call,
  callHandler,
  claimsOf,
  storesNothing,
  uploadRequest,
  visible,
} from "../support/functions.ts";
import { captureConsole, functionEnvironment } from "../support/handlers.ts";
import {
  everybody,
  makeTicket,
  ok,
  type Person,
  person,
  sample,
  service,
  sha256,
  SLUGS,
} from "../support/stack.ts";
import { assertSameTime, nameOf } from "./signing.ts";

const MiB = 1024 * 1024;

const BUCKET_OF = {
  evidence: "evidence",
  documents: "documents",
  proof_of_residence: "documents",
  "gbv-evidence": "gbv-evidence",
} as const satisfies Record<string, Bucket>;
const PURPOSES = Object.keys(BUCKET_OF) as (keyof typeof BUCKET_OF)[];

const MAX_BYTES: Record<Bucket, number> = {
  "evidence": 50 * MiB,
  "documents": 10 * MiB,
  "gbv-evidence": 50 * MiB,
};

function recordOf(fileId: string) {
  return ok(service.from("media_attachments").select("*").eq("file_id", fileId).single());
}

/** At about the same time: a busy machine takes its time. */

// Uploading -----------------------------------------------------------------------------------------------------------

async function uploadBy(who: Person, purpose: string, bucket: Bucket, ticketId?: string): Promise<void> {
  const blob = sample();
  const body = uploadRequest({ purpose, file_size: blob.size, ticket_id: ticketId });
  const answer = await call("upload-url", { token: who.token, body });
  assertEquals(answer.status, 200, `${nameOf(who)}, ${purpose}: ${answer.text}`);
  const slot = answer.body;
  assertEquals(
    Object.keys(slot).sort(),
    ["bucket", "expires_at", "file_id", "max_bytes", "path", "signed_url", "token"],
  );
  assertEquals(slot.bucket, bucket);
  assertEquals(slot.path, `${who.tenant}/${slot.file_id}/photo.jpg`);
  assertEquals(slot.max_bytes, MAX_BYTES[bucket]);
  assertStringIncludes(slot.signed_url, `token=${slot.token}`);
  assertEquals(claimsOf(slot.token).upsert ?? false, false, "the token would replace a file");
  assertSameTime(slot.expires_at, Number(claimsOf(slot.token).exp) * 1000, "the upload's end");

  const announced = {
    tenant_id: who.tenant,
    ticket_id: ticketId ?? null,
    bucket,
    path: slot.path,
    filename: "photo.jpg",
    content_type: "image/jpeg",
    file_size: blob.size,
    purpose,
    source: "web",
    created_by: who.userId,
  };
  assertHas(await recordOf(slot.file_id), { ...announced, status: "pending", stored_at: null });
  await ok(who.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  const record = await recordOf(slot.file_id);
  assertHas(record, { ...announced, status: "stored" });
  assertSameTime(record.stored_at, Date.now(), "the time of storing");
  const stored = await ok(service.storage.from(slot.bucket).download(slot.path));
  assertEquals(await sha256(stored), await sha256(blob));
}

function assertHas(record: Record<string, unknown>, expected: Record<string, unknown>): void {
  assertEquals(Object.fromEntries(Object.keys(expected).map((name) => [name, record[name]])), expected);
}

for (const purpose of PURPOSES) {
  const bucket = BUCKET_OF[purpose];

  Deno.test(`a file for ${purpose} goes to ${bucket}, for those who may upload there and nobody else`, async () => {
    const people = await everybody();
    const may = (who: Person) => MAY_UPLOAD[bucket].includes(who.role);
    await Promise.all(people.filter(may).map((who) => uploadBy(who, purpose, bucket)));
    await storesNothing(async () => {
      for (const who of people.filter((who) => !may(who))) {
        const answer = await call("upload-url", { token: who.token, body: uploadRequest({ purpose }) });
        assertRefused(answer, "forbidden", nameOf(who));
      }
    });
  });
}

for (const slug of SLUGS) {
  Deno.test(`${slug}: files on an ordinary ticket are uploaded by staff and by the citizen who reported it`, async () => {
    const citizen = await person("citizen", slug);
    const own = await makeTicket(slug, { reporter_id: citizen.userId });
    const others = await makeTicket(slug);
    for (const who of (await everybody()).filter((who) => who.slug === slug)) {
      await uploadBy(who, "evidence", "evidence", own.id);
    }
    await storesNothing(async () => {
      const body = uploadRequest({ ticket_id: others.id });
      assertRefused(await call("upload-url", { token: citizen.token, body }), "not_found");
    });
  });

  Deno.test(`${slug}: a sensitive ticket sends every upload to gbv-evidence, and exists for police liaison and admins only`, async () => {
    const citizen = await person("citizen", slug);
    const ticket = await makeTicket(slug, {
      category: "gbv",
      is_sensitive: true,
      description: null,
      reporter_id: citizen.userId,
    });
    for (const who of await everybody()) {
      const sees = who.slug === slug && SEE_SENSITIVE.includes(who.role);
      if (sees) {
        for (const purpose of PURPOSES) await uploadBy(who, purpose, "gbv-evidence", ticket.id);
        continue;
      }
      await storesNothing(async () => {
        const [hidden, unknown] = await Promise.all(
          [ticket.id, crypto.randomUUID()].map((ticket_id) =>
            call("upload-url", {
              token: who.token,
              body: uploadRequest({ purpose: "gbv-evidence", ticket_id }),
            })
          ),
        );
        assertRefused(hidden!, "not_found", nameOf(who));
        assertEquals(
          visible(hidden!),
          visible(unknown!),
          `${nameOf(who)} can tell a hidden ticket from none`,
        );
      });
    }
  });
}

Deno.test("upload-url gives URLs on PUBLIC_SUPABASE_URL", async () => {
  const { token } = await person("citizen");
  const handler = uploadUrl(functionEnvironment({ PUBLIC_SUPABASE_URL: "https://evidence.example.org/" }));
  await captureConsole(async () => {
    const { body, status } = await callHandler(handler, { token, body: uploadRequest() });
    assertEquals(status, 200);
    assertStringIncludes(
      body.signed_url,
      `https://evidence.example.org/storage/v1/object/upload/sign/evidence/${body.path}?`,
    );
  });
  const { body } = await call("upload-url", { token, body: uploadRequest() });
  assertEquals(new URL(body.signed_url).origin, new URL(Deno.env.get("PUBLIC_SUPABASE_URL")!).origin);
});
