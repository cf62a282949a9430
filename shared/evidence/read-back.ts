/** Reads stored files back against their hashes, each after so many days: a whole collection in that time. */
import * as z from "zod/mini";
import { Bucket } from "../contracts.ts";
import { FileError } from "../platform/errors.ts";
import { log } from "../platform/log.ts";
import { digest } from "../storage/hash.ts";
import type { WorkerServices } from "./services.ts";

const Due = z.nullable(z.object({
  file_id: z.string(),
  bucket: Bucket,
  path: z.string(),
  file_size: z.number(),
  sha256: z.string(),
}));

/** A finding is in the file's row; the audit, the doctor and certificates report it. */
export async function readBackFiles(
  { database, storage, custody }: WorkerServices,
  context: { name: string; requestId: string },
  left: { deadline: number; bytes: number },
): Promise<void> {
  let { bytes } = left;
  while (bytes > 0 && performance.now() < left.deadline) {
    const file = await database.call("claim_read_back", { days: custody.readBackDays }, Due);
    if (!file) return;
    bytes -= file.file_size;
    const about = {
      function: context.name,
      request_id: context.requestId,
      file_id: file.file_id,
      job: "read_back",
    };
    try {
      const { sha256, file_size } = await digest(await storage.read(file));
      await database.call("complete_read_back", { file_id: file.file_id, sha256 });
      log({ ...about, code: sha256 === file.sha256 ? "ok" : "hash_mismatch", bytes: file_size });
    } catch (error) {
      // due again in an hour; Storage may be unwell
      log({ ...about, code: error instanceof FileError ? error.reason : "internal", final: false });
      return;
    }
  }
}
