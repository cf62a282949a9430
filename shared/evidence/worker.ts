/** The media worker's round: takes what is due, one file at a time, until nothing is or its time is up. */
import type { Bucket } from "../contracts.ts";
import { rpc } from "../platform/database.ts";
import { type Environment, notConfigured, required, secretProject } from "../platform/environment.ts";
import { StorageServiceError } from "../platform/errors.ts";
import { agreedType, sniffType } from "../storage/media-type.ts";
import { StorageService, type StoredFile } from "../storage/service.ts";
import { digest } from "../storage/take-in.ts";
import { type Job, runJob } from "./job.ts";
import { fernetFrom } from "./sealing.ts";
import { hashMismatch, transferMedium } from "./transfer.ts";

/** Milliseconds of a round; a request must be answered within 150 s, and the last file begun may take a minute. */
const ROUND_MS = 60_000;
/** Bytes of a round: reading and hashing take an isolate's CPU time, of which it has 2 s. */
const ROUND_BYTES = 48 * 1024 * 1024;

/** One job, as `claim_media_work` gives it. */
interface Work extends StoredFile {
  work: "transfer" | "hash" | "move" | "delete_old" | "given_up";
  file_id: string;
  content_type: string;
  /** NULL for a medium not yet transferred. */
  file_size: number | null;
  sha256: string | null;
  media_index: number | null;
  moved_from: Bucket | null;
  encrypted_payload: string | null;
}

/** What a round did. */
export interface Round {
  done: number;
  failed: number;
}

/**
 * Works until nothing is due. Each job is claimed, done and noted by itself, so a round may die anywhere: what it held comes
 * due again when its lease ends. One line of log a job. Throws where the database cannot be asked or told.
 */
export async function runDueWork(
  environment: Environment,
  context: { name: string; requestId: string },
): Promise<Round> {
  const project = secretProject(environment);
  const storage = new StorageService(project, required(environment, "SUPABASE_URL"));
  const round = { done: 0, failed: 0 };
  const deadline = performance.now() + ROUND_MS;
  let bytes = 0;
  while (performance.now() < deadline && bytes < ROUND_BYTES) {
    const work = await rpc<Work | { work: "more" } | null>(project, "claim_media_work", {});
    if (!work) break;
    if (work.work === "more") continue;
    // a medium's size is known once it is here
    bytes += work.file_size ?? 4 * 1024 * 1024;
    const job = {
      function: context.name,
      request_id: context.requestId,
      file_id: work.file_id,
      job: work.work,
    };
    const succeeded = await runJob(environment, job, () => perform(environment, storage, work, job));
    if (succeeded) round.done++;
    else round.failed++;
  }
  return round;
}

/** Does it; the bytes that were stored or read back. */
async function perform(
  environment: Environment,
  storage: StorageService,
  work: Work,
  job: Job,
): Promise<{ bytes: number } | void> {
  const project = secretProject(environment);
  switch (work.work) {
    case "transfer": {
      const url = await mediaUrl(environment, work);
      const { file_size } = await transferMedium(
        environment,
        { ...work, media_index: work.media_index! },
        url,
        job,
      );
      return { bytes: file_size };
    }
    case "hash": {
      const { sha256, file_size, head } = await readBack(storage, work, work);
      const sniffed = agreedType(work.content_type, await sniffType(head)) ?? null;
      await rpc(project, "complete_media_hash", { file_id: work.file_id, sha256, sniffed_type: sniffed });
      return { bytes: file_size };
    }
    case "move":
      return { bytes: await move(environment, storage, work) };
    case "given_up":
      throw new StorageServiceError("internal", "Every try died without a word.", "internal");
    case "delete_old":
      await storage.remove({ bucket: work.moved_from!, path: work.path });
      await rpc(project, "complete_media_deletion", { file_id: work.file_id });
  }
}

/**
 * Into gbv-evidence: a copy, read back; then the record names it; then the old file goes, and with it every URL of it
 * that was handed out. A copy that an earlier try left is used if it is the same. Returns its size in bytes.
 */
async function move(environment: Environment, storage: StorageService, work: Work): Promise<number> {
  const project = secretProject(environment);
  const target: StoredFile = { bucket: "gbv-evidence", path: work.path };
  const source = await readBack(storage, work, work);
  if (work.sha256 && work.sha256 !== source.sha256) throw hashMismatch();
  await storage.copy(work, target.bucket).catch((error) => {
    if (!(error instanceof StorageServiceError && error.reason === "already_stored")) throw error;
  });
  const copy = await readBack(storage, target, work);
  if (copy.sha256 !== source.sha256) throw hashMismatch();
  await rpc(project, "complete_media_move", { file_id: work.file_id, sha256: copy.sha256 });
  await storage.remove(work);
  await rpc(project, "complete_media_deletion", { file_id: work.file_id });
  return copy.file_size;
}

/** Size and hash of what lies in Storage; an answer that was cut short is none. */
async function readBack(storage: StorageService, file: StoredFile, { file_size }: Work) {
  const found = await digest(await storage.read(file));
  if (found.file_size !== file_size) throw hashMismatch();
  return found;
}

/** Where the medium lies at Twilio, from the sealed parameters of its message. */
async function mediaUrl(environment: Environment, work: Work): Promise<string> {
  let params: Record<string, string | string[]>;
  try {
    params = JSON.parse(await (await fernetFrom(environment)).decrypt(work.encrypted_payload ?? ""));
  } catch (cause) {
    throw notConfigured("ENCRYPTION_KEY_PREVIOUS", cause); // sealed with a key we no longer have
  }
  return [params[`MediaUrl${work.media_index}`]].flat()[0]!;
}
