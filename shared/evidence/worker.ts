/** The media worker's round: takes what is due, one file at a time, until nothing is or its time is up. */
import * as z from "zod/mini";
import { Bucket, type MediaWorkerResponse } from "../contracts.ts";
import { ServiceError, StorageServiceError } from "../platform/errors.ts";
import type { Fernet } from "../platform/fernet.ts";
import { describe, log } from "../platform/log.ts";
import { notConfigured } from "../platform/settings.ts";
import { agreedType, sniffType } from "../storage/media-type.ts";
import type { StorageService, StoredFile } from "../storage/service.ts";
import { digest } from "../storage/hash.ts";
import { runCustody } from "./custody.ts";
import { type Job, runJob } from "./job.ts";
import { readBackFiles } from "./read-back.ts";
import { resealTokens } from "./reseal.ts";
import type { SystemServices, WorkerServices } from "./services.ts";
import { hashMismatch, transferMedium } from "./transfer.ts";

/** Milliseconds of a round; an isolate lives for 150 s, and the last file begun may take a minute. */
const ROUND_MS = 60_000;
/** Milliseconds that the custody log has at least. */
const CUSTODY_MS = 10_000;
/** Bytes of a round: reading and hashing take an isolate's CPU time, of which it has 2 s. */
const ROUND_BYTES = 48 * 1024 * 1024;

/** One job, as `claim_media_work` gives it. */
const Work = z.object({
  work: z.enum(["transfer", "hash", "move", "delete_old"]),
  file_id: z.string(),
  bucket: Bucket,
  path: z.string(),
  content_type: z.string(),
  /** NULL for a file not yet transferred. */
  file_size: z.nullable(z.number()),
  sha256: z.nullable(z.string()),
  media_index: z.nullable(z.number()),
  moved_from: z.nullable(Bucket),
  encrypted_payload: z.nullable(z.string()),
});
type Work = z.infer<typeof Work>;

/** `given_up`: the database has just failed it, since every try died without a word. `more`: ask again. */
const Claim = z.nullable(z.union([
  Work,
  z.object({ work: z.literal("given_up"), file_id: z.string() }),
  z.object({ work: z.literal("more") }),
]));

/** One round, with a line of log of its own when it ends, however it does. */
export async function runRound(
  services: WorkerServices,
  context: { name: string; requestId: string },
): Promise<MediaWorkerResponse> {
  const started = performance.now();
  const line = { function: context.name, request_id: context.requestId, job: "round" };
  const ms = () => Math.round(performance.now() - started);
  try {
    const round = await runDueWork(services, context);
    log({ ...line, code: "ok", ...round, ms: ms() });
    return round;
  } catch (error) {
    const code = error instanceof ServiceError ? error.code : "internal";
    log({ ...line, code, cause: describe(error), ms: ms() });
    throw error;
  }
}

/**
 * Works until nothing is due. Each job is claimed, done and noted by itself, so a round may die anywhere: what it held comes
 * due again when its lease ends. One line of log a job. Throws where the database cannot be asked or told.
 */
async function runDueWork(
  services: WorkerServices,
  context: { name: string; requestId: string },
): Promise<MediaWorkerResponse> {
  const round = { done: 0, failed: 0 };
  const deadline = performance.now() + ROUND_MS;
  let bytes = 0;
  while (performance.now() < deadline && bytes < ROUND_BYTES) {
    const work = await services.database.call("claim_media_work", {}, Claim);
    if (!work) break;
    if (work.work === "more") continue;
    const job = {
      function: context.name,
      request_id: context.requestId,
      file_id: work.file_id,
      job: work.work,
    };
    if (work.work === "given_up") {
      log({ ...job, code: "internal", final: true, ms: 0 });
      round.failed++;
      continue;
    }
    // a file's size is known once it is here
    bytes += work.file_size ?? 4 * 1024 * 1024;
    const succeeded = await runJob(services.database, job, () => perform(services, work, job));
    if (succeeded) round.done++;
    else round.failed++;
  }
  // a round full of files still seals what they recorded
  await runCustody(services, Math.max(deadline, performance.now() + CUSTODY_MS));
  await resealTokens(services, context, deadline);
  await readBackFiles(services, context, { deadline, bytes: ROUND_BYTES - bytes });
  return round;
}

/** Does it; the bytes that were stored or read back. */
async function perform(
  services: SystemServices,
  work: Work,
  job: Job,
): Promise<{ bytes: number } | void> {
  const { database, storage, sealer } = services;
  switch (work.work) {
    case "transfer": {
      const url = await mediaUrl(sealer, work);
      const { file_size } = await transferMedium(
        services,
        { ...work, media_index: work.media_index! },
        url,
        job,
        true,
      );
      return { bytes: file_size };
    }
    case "hash": {
      const { sha256, file_size, head } = await readBack(storage, work, work);
      const sniffed = agreedType(work.content_type, await sniffType(head)) ?? null;
      await database.call("complete_media_hash", { file_id: work.file_id, sha256, sniffed_type: sniffed });
      return { bytes: file_size };
    }
    case "move":
      return { bytes: await move(services, work) };
    case "delete_old":
      await storage.remove({ bucket: work.moved_from!, path: work.path });
      await database.call("complete_media_deletion", { file_id: work.file_id });
  }
}

/**
 * Into gbv-evidence: a copy, read back; then the record names it; then the old file goes, and with it every URL of it
 * that was handed out. A copy that an earlier try left is used if it is the same. Returns its size in bytes.
 */
async function move({ database, storage }: SystemServices, work: Work): Promise<number> {
  const target: StoredFile = { bucket: "gbv-evidence", path: work.path };
  const source = await readBack(storage, work, work);
  if (work.sha256 && work.sha256 !== source.sha256) throw hashMismatch();
  await storage.copy(work, target.bucket).catch((error) => {
    if (!(error instanceof StorageServiceError && error.reason === "already_stored")) throw error;
  });
  const copy = await readBack(storage, target, work);
  if (copy.sha256 !== source.sha256) throw hashMismatch();
  await database.call("complete_media_move", { file_id: work.file_id, sha256: copy.sha256 });
  await storage.remove(work);
  await database.call("complete_media_deletion", { file_id: work.file_id });
  return copy.file_size;
}

/** Size and hash of what lies in Storage; an answer that was cut short is none. */
async function readBack(storage: StorageService, file: StoredFile, { file_size }: Work) {
  const found = await digest(await storage.read(file));
  if (found.file_size !== file_size) throw hashMismatch();
  return found;
}

/** The file's URL at Twilio, from the sealed parameters of its message. */
async function mediaUrl(sealer: Fernet, work: Work): Promise<string> {
  let params: Record<string, string | string[]>;
  try {
    params = JSON.parse(await sealer.decrypt(work.encrypted_payload ?? ""));
  } catch (cause) {
    throw notConfigured("ENCRYPTION_KEY_PREVIOUS", cause); // sealed with a key we no longer have
  }
  return [params[`MediaUrl${work.media_index}`]].flat()[0]!;
}
