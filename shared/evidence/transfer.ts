/** Moves a WhatsApp attachment from Twilio to Storage, once, even if a worker dies on the way. */
import pLimit from "p-limit";
import { FileError, StorageServiceError } from "../platform/errors.ts";
import { describe, log } from "../platform/log.ts";
import type { StorageService } from "../storage/service.ts";
import { digest, hashed } from "../storage/hash.ts";
import { type Source, takeIn, type TakenIn } from "../storage/take-in.ts";
import { type Credentials, deleteMedium, fetchMedium } from "../twilio/media.ts";
import type { PendingMedium } from "./intake.ts";
import { type Job, runJob } from "./job.ts";
import type { SystemServices } from "./services.ts";

/** Twilio's limit for a WhatsApp attachment. */
const MAX_BYTES = 16 * 1024 * 1024;

/** What became of one transfer. */
export interface Transferred extends TakenIn {
  bucket: string;
  path: string;
  file_id: string;
}

/**
 * Media at a time, of all the messages that this worker was sent: enough that one is hashed while others are on their
 * way, and no more than there is memory for, however many residents write at once.
 */
export const AT_ONCE = 4;
const slots = pLimit(AT_ONCE);

/**
 * Bytes that a worker of the webhook hashes in its life. CPU time is counted over a worker's life, and one that is killed
 * for it takes the webhook it is answering with it. 160 MiB take .8 s of the 2 s, without TLS.
 */
export const LIFE_BYTES = 64 * 1024 * 1024;

/**
 * Transfers one message's files and records for each that it is stored or why it is not; never throws. What is over
 * LIFE_BYTES, and a record that cannot be written, stays pending for the media worker. One line of log a file.
 */
export async function transferMedia(
  services: SystemServices,
  media: { record: PendingMedium; url: string }[],
  context: { name: string; requestId: string },
): Promise<void> {
  await slots.map(media, async ({ record, url }) => {
    const job = {
      function: context.name,
      request_id: context.requestId,
      file_id: record.file_id,
      job: "transfer",
    };
    if (hashed.bytes >= LIFE_BYTES) {
      log({ ...job, job: "left_to_worker", code: "ok", bytes: 0, ms: 0 });
      return;
    }
    await runJob(services.database, job, async () => {
      const { file_size } = await transferMedium(services, record, url, job);
      return { bytes: file_size };
    }).catch((error) => log({ ...job, code: "internal", job: "note_failure", cause: describe(error) }));
  });
}

/**
 * Takes one file in: download, check, hash, upload, record. `again`: an earlier try may have stored it, so Storage is asked
 * before it is sent a body. With TWILIO_DELETE_MEDIA=true Twilio's copy is removed
 * once the stored bytes have been read back and have the same hash; if that fails, a line of log under the job's request says
 * so. Throws FileError.
 */
export async function transferMedium(
  { database, storage, twilio }: SystemServices,
  record: PendingMedium,
  url: string,
  job: Job,
  again = false,
): Promise<Transferred> {
  const { credentials, deletesMedia } = twilio;
  // A refused body of some 200 KB leaves its connection to Storage unusable, and the next request on it hangs.
  const taken = again && await storage.has(record)
    ? await verifyStored(storage, record, url, credentials)
    : await takeIn(storage, await sourceOf(url, record, credentials), record, MAX_BYTES).catch((error) => {
      if (error instanceof StorageServiceError && error.reason === "already_stored") {
        return verifyStored(storage, record, url, credentials);
      }
      throw error;
    });
  if (deletesMedia && (await digest(await storage.read(record))).sha256 !== taken.sha256) {
    throw hashMismatch();
  }

  const { file_id, bucket, path } = record;
  await database.call("complete_media_transfer", {
    file_id,
    sha256: taken.sha256,
    file_size: taken.file_size,
  });
  if (deletesMedia) await removeTwiliosCopy(url, credentials, job);
  return { file_id, bucket, path, ...taken };
}

/** The file is stored: that Twilio keeps a copy is for the log, and no reason to fail. */
async function removeTwiliosCopy(url: string, credentials: Credentials, job: Job): Promise<void> {
  const started = performance.now();
  await deleteMedium(url, credentials).catch((error) => {
    const code = error instanceof FileError ? error.reason : "internal";
    const ms = Math.round(performance.now() - started);
    log({ ...job, job: "remove_twilio_copy", code, cause: describe((error as Error).cause ?? error), ms });
  });
}

async function sourceOf(url: string, record: PendingMedium, credentials: Credentials): Promise<Source> {
  const response = await fetchMedium(url, credentials);
  const length = response.headers.get("content-length");
  return {
    body: response.body!,
    announcedBytes: length === null ? undefined : Number(length),
    declaredType: record.content_type,
  };
}

/**
 * An earlier attempt stored the file and died before it was recorded: what lies there must be what Twilio has.
 */
async function verifyStored(
  storage: StorageService,
  record: PendingMedium,
  url: string,
  credentials: Credentials,
): Promise<TakenIn> {
  const response = await fetchMedium(url, credentials);
  const offered = await digest(response.body!);
  const stored = await digest(await storage.read(record));
  if (stored.sha256 !== offered.sha256) throw hashMismatch();
  return { content_type: record.content_type, file_size: stored.file_size, sha256: stored.sha256 };
}

/** The error for bytes in Storage that are not those they should be. */
export function hashMismatch(): StorageServiceError {
  return new StorageServiceError("internal", "The stored bytes are not those received.", "hash_mismatch");
}
