/** A dashboard's upload: announced, then given a place that row-level security lets its user write to. */
import type { Bucket, UploadUrlRequest, UploadUrlResponse } from "../contracts.ts";
import { rpc } from "../platform/database.ts";
import { type Environment, publishableProject, required } from "../platform/environment.ts";
import { objectName } from "../storage/object-name.ts";
import { StorageService } from "../storage/service.ts";

/**
 * Announces the file (a `pending` record; it expires if nothing comes) and asks Storage, as the caller, for a signed
 * upload of it. Throws `forbidden`, `not_found` (a ticket the caller may not see), `payload_too_large`,
 * `unsupported_media_type`, `storage_unavailable`.
 */
export async function makeUploadSlot(
  environment: Environment,
  token: string,
  file: UploadUrlRequest,
): Promise<UploadUrlResponse> {
  const project = publishableProject(environment);
  const storage = new StorageService(project, required(environment, "PUBLIC_SUPABASE_URL"), token);
  const [slot] = await rpc<[{ bucket: Bucket; path: string; file_id: string; max_bytes: number }]>(
    project,
    "create_upload_slot",
    {
      purpose: file.purpose,
      filename: file.filename,
      object_name: objectName(file.filename),
      content_type: file.content_type,
      file_size: file.file_size,
      ticket_id: file.ticket_id ?? null,
      declared_sha256: file.sha256 ?? null,
    },
    token,
  );
  const ticket = await storage.createUploadTicket(slot);
  return {
    ...slot,
    token: ticket.token,
    signed_url: ticket.signedUrl,
    expires_at: ticket.expiresAt.toISOString(),
  };
}
