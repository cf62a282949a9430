/** A dashboard's upload: announced, then given a place that row-level security lets its user write to. */
import * as z from "zod/mini";
import { Bucket, type UploadUrlRequest, type UploadUrlResponse } from "../contracts.ts";
import { typeOfFile, withoutDirection } from "../file-types.ts";
import { objectName } from "../storage/object-name.ts";
import type { CallerServices } from "./services.ts";

/** As `create_upload_slot` answers. */
const Slots = z.tuple([
  z.object({ bucket: Bucket, path: z.string(), file_id: z.string(), max_bytes: z.number() }),
]);

/**
 * Announces the file (a `pending` record; it expires if nothing comes) and asks Storage, as the caller, for a signed
 * upload of it. Throws `forbidden`, `not_found` (a ticket the caller may not see), `payload_too_large`,
 * `unsupported_media_type`, `storage_unavailable`.
 */
export async function makeUploadSlot(
  { database, storage }: CallerServices,
  token: string,
  file: UploadUrlRequest,
): Promise<UploadUrlResponse> {
  const name = withoutDirection(file.filename);
  const filename = ["", ".", ".."].includes(name.trim()) ? "file" : name;
  const [slot] = await database.as(token).call(
    "create_upload_slot",
    {
      purpose: file.purpose,
      filename,
      object_name: objectName(filename),
      content_type: typeOfFile(file.content_type, filename),
      file_size: file.file_size,
      ticket_id: file.ticket_id ?? null,
      declared_sha256: file.sha256 ?? null,
    },
    Slots,
  );
  const ticket = await storage.as(token).createUploadTicket(slot);
  return {
    ...slot,
    token: ticket.token,
    signed_url: ticket.signedUrl,
    expires_at: ticket.expiresAt.toISOString(),
  };
}
