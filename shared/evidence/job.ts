/** One job on a file: done, or noted as failed; either way one line of log. */
import type { DatabaseClient } from "../platform/database.ts";
import { FileError } from "../platform/errors.ts";
import { describe, log } from "../platform/log.ts";

/** Whose job, and what: the fields that its line of log begins with. */
export interface Job {
  function: string;
  request_id: string;
  file_id: string;
  job: string;
}

/**
 * Does the work, which may give further fields for the log. Returns whether it succeeded; if not, the file's record has the
 * reason and whether it is final. Throws what noting the failure throws: then the job comes due again by itself.
 */
export async function runJob(
  database: DatabaseClient,
  job: Job,
  work: () => Promise<Record<string, number> | void>,
): Promise<boolean> {
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  try {
    const fields = await work();
    log({ ...job, code: "ok", ...fields, ms: ms() });
    return true;
  } catch (error) {
    const { reason, final } = error instanceof FileError ? error : { reason: "internal", final: false };
    log({ ...job, code: reason, final, cause: describe((error as Error).cause ?? error), ms: ms() });
    await database.call("fail_media_work", { file_id: job.file_id, reason, final });
    return false;
  }
}
