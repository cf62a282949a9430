import { Buffer } from "node:buffer";
import {
  entityTooLarge,
  invalidMimeType,
  keyAlreadyExists,
  noContentProvided,
  noSuchBucket,
  StorageError,
  toStorageError,
} from "./errors.ts";
import type { ObjectMetadata } from "./files.ts";
import { readForm } from "./multipart.ts";
import { type Call, GLOBAL_SIZE_LIMIT, mustBeValidBucketName, mustBeValidKey } from "./request.ts";
import { findObject, insertObject, lockName, type ObjectValues, upsertObject } from "./rows.ts";

export interface Bucket {
  id: string;
  public: boolean;
  file_size_limit: number | null;
  allowed_mime_types: string[] | null;
}

/** Where an upload goes and in whose name. */
export interface Target {
  bucket: string;
  key: string;
  owner: string | undefined;
  upsert: boolean;
}

interface IncomingFile {
  body: AsyncIterable<Uint8Array>;
  type: string;
  cacheControl: string;
  userMetadata?: Record<string, unknown>;
  /** Known once a form's body was read; a raw body without a Content-Length is never too large. */
  tooLarge(): boolean;
}

/** An upload in one request: permission probe, bytes, final row. */
export async function upload(call: Call, target: Target): Promise<{ Id: string; Key: string }> {
  mustBeValidBucketName(target.bucket);
  const bucket = await findBucket(call, target.bucket);
  const file = await readIncoming(call, target.key, bucket);
  mustBeValidKey(target.key);
  const length = contentLength(call);
  const metadata = { mimetype: file.type, ...(length === undefined ? {} : { contentLength: length }) };
  await probeUpload(call, target, { metadata, user_metadata: file.userMetadata });

  const version = crypto.randomUUID();
  const written = await call.files.write(version, file.body, file.type, file.cacheControl);
  if (file.tooLarge()) {
    await call.files.remove(version);
    throw entityTooLarge();
  }
  const object = await completeUpload(call, target, version, written, { ...file.userMetadata });
  return { Id: object.id, Key: `${target.bucket}/${target.key}` };
}

/** May the caller write this row? Asked by writing it, version '1', and rolling back. */
export async function probeUpload(
  call: Call,
  target: Target,
  known: Pick<ObjectValues, "metadata" | "user_metadata"> = {},
): Promise<void> {
  const values = { bucket_id: target.bucket, name: target.key, owner: target.owner, version: "1", ...known };
  await call.probe((tx) => target.upsert ? upsertObject(tx, values) : insertObject(tx, values))
    .catch((failure) => {
      throw asKeyConflict(failure, !target.upsert);
    });
}

/**
 * The final row, as the service role. It overwrites whatever stands there by now, upsert or not: two uploads of
 * one name that both passed their probe both succeed. If the row is refused the new bytes go, else the old do.
 */
export async function completeUpload(
  call: Call,
  target: Target,
  version: string,
  metadata: ObjectMetadata,
  userMetadata: Record<string, unknown> | undefined,
) {
  const { bucket, key, owner } = target;
  try {
    const { object, replaced } = await call.asService(async (tx) => {
      await lockName(tx, bucket, key);
      const current = await findObject(tx, bucket, key, "for update");
      const values = { bucket_id: bucket, name: key, owner, metadata, user_metadata: userMetadata, version };
      return { object: await upsertObject(tx, values), replaced: current?.version };
    });
    if (replaced && replaced !== version) await call.files.remove(replaced);
    return object;
  } catch (failure) {
    await call.files.remove(version);
    throw failure;
  }
}

export async function findBucket(call: Call, id: string): Promise<Bucket> {
  const [bucket] = await call.asService((tx) =>
    tx<Bucket[]>`
      select id, public, file_size_limit::float8, allowed_mime_types from storage.buckets where id = ${id}`
  );
  if (!bucket) throw noSuchBucket();
  return bucket;
}

/** Compared literally: a type with parameters does not match. */
export function checkMimeType(type: string, allowed: string[] | null): void {
  if (!allowed?.length) return;
  const [kind, subtype] = type.split("/");
  const matches = allowed.some((each) => {
    const [allowedKind, allowedSubtype] = each.split("/");
    return kind === allowedKind && (allowedSubtype === "*" || subtype === allowedSubtype);
  });
  if (subtype === undefined || !matches) throw invalidMimeType(type);
}

export function sizeLimit(bucket: Bucket): number {
  return Math.min(bucket.file_size_limit ?? GLOBAL_SIZE_LIMIT, GLOBAL_SIZE_LIMIT);
}

export function parseUserMetadata(json: string | undefined): Record<string, unknown> | undefined {
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A 23505 of the probe is a name that is taken. */
export function asKeyConflict(failure: unknown, isInsert: boolean): StorageError {
  const error = toStorageError(failure);
  return isInsert && error.code === "ResourceAlreadyExists" ? keyAlreadyExists() : error;
}

async function readIncoming(call: Call, key: string, bucket: Bucket): Promise<IncomingFile> {
  const contentType = call.header("content-type");
  const isPlaceholder = key.endsWith(".emptyFolderPlaceholder");
  const limit = isPlaceholder ? 0 : sizeLimit(bucket);
  const allowed = isPlaceholder ? null : bucket.allowed_mime_types;

  if (contentType?.startsWith("multipart/form-data")) {
    const form = await readForm(call.body, contentType).catch((failure) => {
      throw noContentProvided(failure.message);
    });
    if (!form) throw noContentProvided();
    const { cacheControl, metadata, userMetadata, contentType: type } = form.fields;
    checkMimeType(type || form.type, allowed);
    const truncated = truncate(form.body, limit);
    return {
      body: truncated.body,
      type: type || form.type,
      cacheControl: cacheControl ? `max-age=${cacheControl}` : "no-cache",
      userMetadata: parseUserMetadata(metadata ?? userMetadata),
      tooLarge: () => truncated.reached(),
    };
  }

  const type = contentType || "application/octet-stream";
  checkMimeType(type, allowed);
  const encoded = call.header("x-metadata");
  const length = contentLength(call);
  if (length !== undefined && length > limit) throw entityTooLarge();
  return {
    body: exactly(call.body, length),
    type,
    cacheControl: call.header("cache-control") ?? "no-cache",
    userMetadata: parseUserMetadata(encoded && Buffer.from(encoded, "base64").toString()),
    tooLarge: () => false,
  };
}

function contentLength(call: Call): number | undefined {
  const header = call.header("content-length");
  return header !== undefined && Number(header) >= 0 ? Number(header) : undefined;
}

/** A body shorter than it said is one that was cut off. */
async function* exactly(body: AsyncIterable<Uint8Array>, length: number | undefined) {
  let read = 0;
  for await (const chunk of body) {
    read += chunk.length;
    yield chunk;
  }
  if (length !== undefined && read !== length) {
    throw new StorageError(500, "InternalError", "Request stream closed before upload could complete");
  }
}

function truncate(source: AsyncIterable<Uint8Array>, limit: number) {
  let read = 0;
  async function* body() {
    for await (const chunk of source) {
      const room = limit - read;
      read += chunk.length;
      if (room > 0) yield chunk.subarray(0, room);
    }
  }
  return { body: body(), reached: () => read > limit };
}
