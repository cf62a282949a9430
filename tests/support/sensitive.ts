/** A file on a ticket that turns sensitive: what is seen of it meanwhile, and where it must end. */
import type { KnownFile } from "./files.ts";
import { assert, assertEquals } from "./assert.ts";
import { workToTheEnd } from "./flood.ts";
import type { Person } from "./stack.ts";
import type { OwnStack } from "./own-stack.ts";
import { workerOf } from "./working.ts";

/** What tests of tickets that turn sensitive do on a stack of their own. */
export function sensitiveTools(own: OwnStack) {
  const { superuser: sql, files, functions } = own;
  const { everybody, makeTicket, ok, person, sample, service, sha256 } = own.stack;
  const { work, whileWorking } = workerOf(own);

  /** Works to the end, calling the worker by hand. */
  const finish = (): Promise<void> => whileWorking(() => workToTheEnd(own, 30));

  async function turnSensitive(ticketId: string): Promise<void> {
    await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticketId).select());
  }

  function recordOf(fileId: string) {
    return ok(service.from("media_attachments").select("*").eq("file_id", fileId).single());
  }

  /** Looks in every way, with requests that began after the flip was committed, until told to stop; `stop` asserts. */
  function watch(readers: Person[], file: { fileId: string; path: string }): { stop(): Promise<number> } {
    let going = true;
    let looks = 0;
    const seen: string[] = [];
    const running = Promise.all(readers.map(async (reader) => {
      while (going) {
        for (const bucket of ["evidence", "gbv-evidence"] as const) {
          const from = reader.supabase.storage.from(bucket);
          const download = await from.download(file.path);
          if (download.data) seen.push(`${reader.role} downloaded from ${bucket}`);
          if ((await from.createSignedUrl(file.path, 60)).data) {
            seen.push(`${reader.role} signed in ${bucket}`);
          }
          const [many] = (await from.createSignedUrls([file.path], 60)).data ?? [];
          if (many?.signedUrl) seen.push(`${reader.role} signed many in ${bucket}`);
        }
        const { token } = reader;
        const { status } = await functions.call("signed-url", { token, body: { file_id: file.fileId } });
        if (status !== 404) seen.push(`${reader.role}: signed-url answered ${status}`);
        const { data } = await reader.supabase.from("media_attachments").select("file_id").eq(
          "file_id",
          file.fileId,
        );
        if (data?.length) seen.push(`${reader.role} saw the record`);
        looks++;
      }
    }));
    return {
      async stop() {
        going = false;
        await running;
        assertEquals([...new Set(seen)], []);
        return looks;
      },
    };
  }

  const unprivileged = () =>
    everybody().then((people) =>
      people.filter(({ role, slug }) => slug === "mbombela" && !["admin", "saps_liaison"].includes(role))
    );

  /** How it must end: moved, unchanged, recorded, for two roles of one municipality alone; old URLs are dead. */
  async function assertMoved(file: { fileId: string; path: string; hash: string }, oldUrls: string[] = []) {
    const record = await recordOf(file.fileId);
    assertEquals(
      [
        record.status,
        record.bucket,
        record.sha256,
        record.moved_from,
        record.next_attempt_at,
        record.last_error,
      ],
      ["stored", "gbv-evidence", file.hash, null, null, null],
    );
    const objects = await sql`select bucket_id from storage.objects where name = ${file.path}`;
    assertEquals(objects.map(({ bucket_id }) => bucket_id), ["gbv-evidence"]);
    assertEquals(await sha256(await ok(service.storage.from("gbv-evidence").download(file.path))), file.hash);
    const events =
      await sql`select event, details from public.custody_records where file_id = ${file.fileId} order by recorded_at`;
    assertEquals(events.filter(({ event }) => event === "moved").length, 1, "moved once");
    assertEquals(events.find(({ event }) => event === "moved")!.details.sha256, file.hash);
    for (const url of oldUrls) {
      const response = await fetch(url);
      await response.body?.cancel();
      assert(!response.ok, "an old signed URL still works");
    }
    const blob = new Blob([new Uint8Array(record.file_size)]);
    const moved = { ...file, bucket: "gbv-evidence", slug: "mbombela", blob } as KnownFile;
    for (const reader of await everybody()) {
      const may = reader.slug === "mbombela" && ["admin", "saps_liaison"].includes(reader.role);
      const what = `${reader.role} of ${reader.slug}`;
      const { status } = await functions.call("signed-url", {
        token: reader.token,
        body: { file_id: file.fileId },
      });
      assertEquals(status, may ? 200 : 404, what);
      // now that the reading is recorded
      assertEquals(await files.canDownload(reader, moved), may, what);
      assertEquals(await files.canDownload(reader, { ...moved, bucket: "evidence" }), false, what);
    }
  }

  /** A stored, hashed file on a ticket of its own. */
  async function storedFile(size = 2000) {
    const owner = await person("field_worker");
    const ticket = await makeTicket("mbombela");
    const blob = sample("image/jpeg", size);
    const slot = await files.announce(owner, { ticket_id: ticket.id, file_size: size });
    await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    return {
      ticketId: ticket.id,
      fileId: slot.file_id,
      path: slot.path,
      hash: await sha256(blob),
      blob,
      slot,
    };
  }

  return { work, finish, turnSensitive, recordOf, watch, unprivileged, assertMoved, storedFile };
}
