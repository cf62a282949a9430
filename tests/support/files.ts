/** Files in the buckets, put there as the world puts them: by the service, by a user, on a ticket. */
import { assert } from "./assert.ts";
import type { Bucket, UploadUrlResponse } from "../../shared/contracts.ts";
import { MUNICIPALITIES, ok, type Person, sample, service, type Slug } from "./stack.ts";

export interface KnownFile {
  bucket: Bucket;
  path: string;
  fileId: string;
  slug: Slug;
  blob: Blob;
}

export function freshPath(tenant: string, name = "photo.jpg"): { path: string; fileId: string } {
  const fileId = crypto.randomUUID();
  return { path: `${tenant}/${fileId}/${name}`, fileId };
}

/** A file of nobody in particular (a backend's upload). */
export async function serviceFile(bucket: Bucket, slug: Slug): Promise<KnownFile> {
  const blob = sample();
  const { path, fileId } = freshPath(MUNICIPALITIES[slug].id);
  await ok(service.storage.from(bucket).upload(path, blob));
  return { bucket, path, fileId, slug, blob };
}

/** A file uploaded by a person without announcing it. */
export async function ownFile(owner: Person, bucket: Bucket): Promise<KnownFile> {
  const blob = sample();
  const { path, fileId } = freshPath(owner.tenant);
  await ok(owner.supabase.storage.from(bucket).upload(path, blob));
  return { bucket, path, fileId, slug: owner.slug, blob };
}

/** Asks upload-url for a place. */
export async function announce(
  owner: Person,
  fields: Record<string, unknown> = {},
): Promise<UploadUrlResponse> {
  const body = {
    purpose: "evidence",
    filename: "photo.jpg",
    content_type: "image/jpeg",
    file_size: 2000,
    ...fields,
  };
  return await ok(
    owner.supabase.functions.invoke<UploadUrlResponse>("upload-url", { body }),
  ) as UploadUrlResponse;
}

/** A file on a ticket, uploaded as a dashboard does. */
export async function ticketFile(
  owner: Person,
  ticketId: string,
  fields: Record<string, unknown> = {},
): Promise<KnownFile> {
  const blob = sample();
  const slot = await announce(owner, { ticket_id: ticketId, ...fields });
  await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  return { bucket: slot.bucket, path: slot.path, fileId: slot.file_id, slug: owner.slug, blob };
}

/** Whether Storage gives the person the bytes. Any other outcome than "yes, these bytes" or "not found" fails. */
export async function canDownload(reader: Person, file: KnownFile): Promise<boolean> {
  const { data, error } = await reader.supabase.storage.from(file.bucket).download(file.path);
  if (data) {
    assert(data.size === file.blob.size, "the bytes are others");
    return true;
  }
  assertRefusal(error, ["404"]);
  return false;
}

/** Asks for a URL of the file by signed-url, as one does before reading GBV evidence. */
export async function open(reader: Person, file: KnownFile): Promise<void> {
  const { error } = await reader.supabase.functions.invoke("signed-url", { body: { file_id: file.fileId } });
  if (error) assert((await error.context.json()).error.code === "not_found", "signed-url failed");
}

/** Whether Storage signs a URL for the person, with his own token. */
export async function canSign(reader: Person, file: KnownFile): Promise<boolean> {
  const { data, error } = await reader.supabase.storage.from(file.bucket).createSignedUrl(file.path, 60);
  if (data) return true;
  assertRefusal(error, ["404"]);
  return false;
}

/** Whether a list of the file's folder shows it. */
export async function canList(reader: Person, file: KnownFile): Promise<boolean> {
  const folder = file.path.slice(0, file.path.lastIndexOf("/"));
  const storage = reader.supabase.storage.from(file.bucket);
  const { data, error } = await storage.listV2({ prefix: `${folder}/`, with_delimiter: true });
  if (error) throw error;
  return data.objects.length > 0;
}

/** A refusal is Storage's own, with one of these codes: a crash must not count as one. */
export function assertRefusal(error: unknown, codes: string[]): void {
  const code = String((error as { statusCode?: unknown })?.statusCode);
  assert(codes.includes(code), `expected a refusal ${codes}, got ${code}: ${(error as Error)?.message}`);
}
