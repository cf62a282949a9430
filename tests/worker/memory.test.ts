// Ten media of 16 MB in one message, and a web upload of 45 MB: the functions' resident memory stays small, since each
// byte passes through once; the webhook's answer does not wait for any of it.
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { AT_ONCE, LIFE_BYTES } from "../../shared/evidence/transfer.ts";
import { ownStack } from "../support/own-stack.ts";

const MiB = 1024 * 1024;
const ALLOWED = 64;

/** Resident memory of a process in MiB. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}

/** What the work adds to it at its peak. */
async function growth(pid: number, work: () => Promise<unknown>): Promise<{ before: number; grown: number }> {
  const before = residentOf(pid);
  let peak = before;
  const timer = setInterval(() => peak = Math.max(peak, residentOf(pid)), 10);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { before, grown: peak - before };
}

Deno.test({
  name: "large files leave the functions' memory small, and the webhook's answer quick",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (test) => {
    const own = await ownStack();
    const { supabase, stack: { sample, sha256, service, ok, MUNICIPALITIES }, whatsapp } = own;
    const { accepted, mediaOf, newSender, sampleFile, settled } = whatsapp;
    const { until } = own.functions;
    const { id, number } = MUNICIPALITIES.mbombela;
    const worker = () =>
      fetch(`${supabase.url}/functions/v1/media-worker`, {
        method: "POST",
        headers: { apikey: supabase.keys.secret, prefer: "wait=120" },
      }).then((response) => response.json());
    const show = (what: string, { before, grown }: { before: number; grown: number }) =>
      console.log(`${what}: ${before.toFixed(0)} MiB resident before, ${grown.toFixed(0)} more at the peak`);
    try {
      await test.step("ten WhatsApp media of just under 16 MiB", async () => {
        const small = async () => {
          const sent = await accepted(newSender(), number, { files: [await sampleFile("burst-pipe.jpg")] });
          await settled(sent.message_sid, 1);
          return sent.ms;
        };
        await small(); // all modules are loaded
        const single = [await small(), await small(), await small()];
        const bytes = await sample("image/jpeg", 16 * MiB - 1).bytes() as Uint8Array<ArrayBuffer>;
        const files = Array.from({ length: 10 }, () => ({ type: "image/jpeg", bytes }));
        let ms = 0;
        const memory = await growth(supabase.functions!.pids()["twilio-media"]!, async () => {
          const sent = await accepted(newSender(), number, { files });
          ms = sent.ms;
          // a worker of the webhook hashes no more than its share: were it killed for its CPU time, the next webhook went with it
          const left = async () =>
            (await supabase.functions!.log()).split("\n").filter((line) => line.includes('"left_to_worker"'))
              .length;
          const stored = async () =>
            (await mediaOf(sent.message_sid)).filter(({ attempts }) => attempts > 0).length;
          await until("all are stored or left", async () => await stored() + await left() === 10);
          const most = LIFE_BYTES / (16 * MiB) + AT_ONCE;
          assert(await stored() >= LIFE_BYTES / (16 * MiB) && await stored() <= most, `${await stored()}`);
          await own.superuser`update public.media_attachments set next_attempt_at = now()
            where message_sid = ${sent.message_sid} and status = 'pending'`;
          while ((await worker()).done > 0);
          const records = await settled(sent.message_sid, 10);
          const hash = await sha256(bytes);
          assertEquals(
            records.map((record) => [record.status, record.sha256]),
            Array(10).fill(["stored", hash]),
          );
        });
        show("twilio-media", memory);
        console.log(
          `the webhook's answer: ${single.join(", ")} ms with one small file, ${ms} ms with these ten`,
        );
        assertLess(memory.grown, ALLOWED);
      });

      await test.step("the hash of a web upload of 45 MiB", async () => {
        await worker();
        const blob = sample("image/jpeg", 45 * MiB);
        const fileId = crypto.randomUUID();
        await ok(service.storage.from("evidence").upload(`${id}/${fileId}/a.jpg`, blob));
        const memory = await growth(supabase.functions!.pids()["media-worker"]!, async () => {
          assertEquals(await worker(), { done: 1, failed: 0 });
        });
        const record = await ok(
          service.from("media_attachments").select("sha256").eq("file_id", fileId).single(),
        );
        assertEquals(record.sha256, await sha256(blob));
        show("media-worker, hashing", memory);
        assertLess(memory.grown, ALLOWED);
      });

      await test.step("the move of a file of 45 MiB", async () => {
        const ticket = await own.stack.makeTicket("mbombela");
        const admin = await own.stack.person("admin");
        const blob = sample("image/jpeg", 45 * MiB);
        const slot = await own.files.announce(admin, { ticket_id: ticket.id, file_size: blob.size });
        await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
        await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
        const memory = await growth(supabase.functions!.pids()["media-worker"]!, async () => {
          const { done, failed } = await worker();
          assert(done >= 1 && failed === 0);
        });
        const record = await ok(
          service.from("media_attachments").select("*").eq("file_id", slot.file_id).single(),
        );
        assertEquals([record.bucket, record.sha256], ["gbv-evidence", await sha256(blob)]);
        show("media-worker, moving", memory);
        assertLess(memory.grown, ALLOWED);
      });
    } finally {
      await supabase.stop();
    }
  },
});
