import { invalidRange, noSuchBucket, StorageError } from "./errors.ts";
import type { Call } from "./request.ts";
import { mustBeValidKey } from "./request.ts";
import { mustFindObject, type StoredObject } from "./rows.ts";
import { findBucket } from "./upload.ts";
import { json } from "../json.ts";

/** The object, if the caller may read it; a public bucket's objects are everybody's. */
export async function readableObject(call: Call, publicRoute = false): Promise<StoredObject> {
  const bucket = await findBucket(call, call.bucket);
  if (!bucket.public && (publicRoute || !call.authenticated)) throw noSuchBucket();
  mustBeValidKey(call.key);
  const find = (tx: Parameters<typeof mustFindObject>[0]) => mustFindObject(tx, call.bucket, call.key);
  return await (bucket.public ? call.asService(find) : call.asCaller(find));
}

/** What a signed URL leads to: its token has been checked, no policy is asked. */
export async function signedObject(call: Call): Promise<{ object: StoredObject; expires: Date }> {
  const path = `${call.bucket}/${call.key}`;
  const { exp } = await call.service.signer.verify(call.query("token"), path, "download");
  mustBeValidKey(call.key);
  const object = await call.asService((tx) => mustFindObject(tx, call.bucket, call.key));
  return { object, expires: new Date(exp * 1000) };
}

/** The bytes, or a range of them, or 304; for HEAD the same headers. */
export async function serve(call: Call, object: StoredObject, expires?: Date): Promise<Response> {
  const { eTag, mimetype, lastModified } = (object.metadata ?? {}) as Record<string, string>;
  const size = Number(object.metadata?.size ?? 0);
  const headers = new Headers({
    "accept-ranges": "bytes",
    // Never a page that runs scripts on the storage host.
    "content-type": mimetype?.includes("text/html") ? "text/plain" : mimetype ?? "application/octet-stream",
    etag: eTag ?? "",
    "last-modified": new Date(lastModified ?? object.updated_at).toUTCString(),
    "x-robots-tag": "none",
  });
  if (expires) headers.set("expires", expires.toUTCString());
  // a HEAD is answered from the row, a GET from what the backend was given
  else if (call.request.method === "HEAD") {
    headers.set("cache-control", String(object.metadata?.cacheControl));
  } else headers.set("cache-control", call.files.cacheControl(object.version));
  const download = call.url.searchParams.get("download");
  if (download !== null) headers.set("content-disposition", attachment(download));

  if (isUnchanged(call, eTag ?? "", lastModified)) return new Response(null, { status: 304, headers });

  const range = byteRange(call.header("range"), size);
  headers.set("content-length", String(range.end + 1 - range.start));
  if (range.partial) headers.set("content-range", `bytes ${range.start}-${range.end}/${size}`);
  const status = range.partial ? 206 : 200;
  if (call.request.method === "HEAD") return new Response(null, { status, headers });
  const body = await call.files.read(object.version ?? "", range.start, range.end).catch(() => {
    throw new StorageError(404, "NoSuchKey", "The resource was not found", "Not found");
  });
  return new Response(body, { status, headers });
}

/** `info()` of supabase-js. */
export function describe(object: StoredObject): Response {
  const { size, mimetype, cacheControl, eTag } = (object.metadata ?? {}) as Record<string, string>;
  return json({
    id: object.id,
    name: object.name,
    version: object.version,
    bucket_id: object.bucket_id,
    size: size ?? null,
    content_type: mimetype ?? null,
    cache_control: cacheControl ?? null,
    etag: eTag ?? null,
    metadata: object.user_metadata,
    last_modified: object.updated_at,
    created_at: object.created_at,
  }, {
    headers: {
      "cache-control": cacheControl ?? "",
      etag: eTag ?? "",
      "last-modified": new Date(object.updated_at).toUTCString(),
    },
  });
}

function attachment(filename: string): string {
  if (filename === "") return "attachment;";
  const encoded = encodeURIComponent(filename);
  return `attachment; filename=${encoded}; filename*=UTF-8''${encoded}`;
}

function isUnchanged(call: Call, eTag: string, lastModified: string | undefined): boolean {
  const ifNoneMatch = call.header("if-none-match");
  if (ifNoneMatch) return ifNoneMatch === eTag;
  const since = call.header("if-modified-since");
  return Boolean(since && lastModified) &&
    Math.floor(Date.parse(lastModified!) / 1000) * 1000 <= Date.parse(since!);
}

/** A single range; anything else that is no range of bytes counts as none. */
function byteRange(header: string | undefined, size: number) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(header ?? "") ?? [];
  if (!first && !last) return { partial: false, start: 0, end: size - 1 };
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1;
  if (start > end) throw invalidRange();
  return { partial: true, start, end };
}
