import { Buffer } from "node:buffer";
import { invalidSignature, StorageError, toStorageError } from "./errors.ts";
import { type Call, mustBeValidBucketName, mustBeValidKey } from "./request.ts";
import {
  checkMimeType,
  completeUpload,
  findBucket,
  parseUserMetadata,
  probeUpload,
  sizeLimit,
  type Target,
} from "./upload.ts";

/** An upload under way; it lives as long as the process. */
interface Upload {
  bucket: string;
  key: string;
  version: string;
  length: number;
  offset: number;
  /** Upload-Metadata, decoded. */
  metadata: Record<string, string>;
  busy: boolean;
}

const uploads = new WeakMap<Call["service"], Map<string, Upload>>();

/** TUS 1.0 with creation. Errors are plain text with their true status, unlike elsewhere in Storage. */
export async function resumable(call: Call, signed: boolean): Promise<Response> {
  try {
    if (call.request.method !== "OPTIONS" && call.header("tus-resumable") !== "1.0.0") {
      return answer(412, {}, "Tus-Resumable Required\n");
    }
    switch (call.request.method) {
      case "OPTIONS":
        return answer(204, { "tus-version": "1.0.0", "tus-extension": "creation,creation-with-upload" });
      case "POST":
        return await create(call, signed);
      case "PATCH":
        return await append(call, signed);
      default:
        return await head(call, signed);
    }
  } catch (failure) {
    const { statusCode, message } = toStorageError(failure);
    return answer(statusCode, {}, message);
  }
}

async function create(call: Call, signed: boolean): Promise<Response> {
  const metadata = parseMetadata(call.header("upload-metadata"));
  const bucketName = metadata.bucketName ?? "";
  const objectName = metadata.objectName ?? "";
  mustBeValidBucketName(bucketName);
  mustBeValidKey(objectName);
  const length = Number(call.header("upload-length") ?? NaN);
  if (!Number.isInteger(length) || length < 0) {
    return answer(400, {}, "Upload-Length or Upload-Defer-Length header required\n");
  }
  const upload: Upload = {
    bucket: bucketName,
    key: objectName,
    version: crypto.randomUUID(),
    length,
    offset: 0,
    metadata,
    busy: false,
  };
  const target = await authorize(call, upload, signed);
  const bucket = await findBucket(call, bucketName);
  if (length > sizeLimit(bucket)) return answer(413, {}, "Maximum size exceeded\n");
  // An upload that names no type is not checked.
  if (metadata.contentType) checkMimeType(metadata.contentType, bucket.allowed_mime_types);

  const id = Buffer.from(`${bucketName}/${objectName}/${upload.version}`).toString("base64url");
  uploadsOf(call).set(id, upload);
  const location = `${call.service.context.url}/storage/v1/upload/resumable${signed ? "/sign" : ""}/${id}`;
  const withBytes = call.header("content-type") === "application/offset+octet-stream";
  const headers = withBytes || length === 0 ? await receive(call, id, upload, target) : {};
  return answer(201, { location, ...headers });
}

async function append(call: Call, signed: boolean): Promise<Response> {
  const { id, upload } = findUpload(call);
  const target = await authorize(call, upload, signed);
  if (call.header("content-type") !== "application/offset+octet-stream") {
    return answer(403, {}, "Content-Type header required\n");
  }
  if (upload.busy) return answer(423, {}, "The resource is locked");
  if (Number(call.header("upload-offset") ?? NaN) !== upload.offset) {
    return answer(409, {}, "Upload-Offset conflict\n");
  }
  if (upload.offset === upload.length) return answer(204, { "upload-offset": String(upload.offset) });
  return answer(204, await receive(call, id, upload, target));
}

async function head(call: Call, signed: boolean): Promise<Response> {
  const { upload } = findUpload(call);
  if (signed) await authorize(call, upload, signed);
  return answer(200, {
    "upload-offset": String(upload.offset),
    "upload-length": String(upload.length),
    "upload-metadata": stringifyMetadata(upload.metadata),
    "cache-control": "no-store",
  });
}

/** As the server keeps it: what the client sent, and a cache control in any case. */
function stringifyMetadata(metadata: Record<string, string>): string {
  const kept = { ...metadata, cacheControl: cacheControlOf(metadata) };
  return Object.entries(kept).map(([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`).join();
}

function cacheControlOf({ cacheControl }: Record<string, string>): string {
  return /^-?\d+$/.test(cacheControl ?? "") ? `max-age=${cacheControl}` : "no-cache";
}

/**
 * A signed token stands for permission, and its upsert flag is not looked at: even one minted without it overwrites
 * here. Without a token the caller is probed at every request.
 */
async function authorize(call: Call, upload: Upload, signed: boolean): Promise<Target> {
  const { bucket, key } = upload;
  if (signed) {
    const signature = call.header("x-signature");
    if (!signature) throw invalidSignature("Missing x-signature header");
    const { owner, upsert } = await call.service.signer.verify(signature, `${bucket}/${key}`, "upload");
    return { bucket, key, owner, upsert: upsert ?? false };
  }
  const target = { bucket, key, owner: call.owner, upsert: call.upsert };
  if (call.request.method !== "HEAD") {
    const { contentType } = upload.metadata;
    await probeUpload(call, target, {
      metadata: { ...(contentType ? { mimetype: contentType } : {}), contentLength: upload.length },
      user_metadata: parseUserMetadata(upload.metadata.metadata),
    });
  }
  return target;
}

/** Takes bytes in; with the last one the row is written. */
async function receive(
  call: Call,
  id: string,
  upload: Upload,
  target: Target,
): Promise<Record<string, string>> {
  upload.busy = true;
  try {
    await call.files.append(upload.version, upload.offset, counted(call, upload));
  } finally {
    upload.busy = false;
  }
  if (upload.offset < upload.length) return { "upload-offset": String(upload.offset) };
  const { contentType, metadata } = upload.metadata;
  const written = await call.files.describe(
    upload.version,
    contentType || "application/octet-stream",
    cacheControlOf(upload.metadata),
  );
  await completeUpload(call, target, upload.version, written, parseUserMetadata(metadata)).catch(
    (failure) => {
      uploadsOf(call).delete(id);
      throw failure;
    },
  );
  return { "upload-offset": String(upload.offset), "tus-complete": "1" };
}

async function* counted(call: Call, upload: Upload) {
  for await (const chunk of call.body) {
    if (upload.offset + chunk.length > upload.length) {
      throw new StorageError(413, "TusError", "upload's size exceeded\n");
    }
    yield chunk;
    upload.offset += chunk.length;
  }
}

function findUpload(call: Call): { id: string; upload: Upload } {
  const id = call.rawPath.split("/").at(-1) ?? "";
  const upload = uploadsOf(call).get(id);
  if (!upload) throw new StorageError(404, "TusError", "The file for this url was not found\n");
  return { id, upload };
}

function uploadsOf(call: Call): Map<string, Upload> {
  const known = uploads.get(call.service) ?? new Map<string, Upload>();
  uploads.set(call.service, known);
  return known;
}

function parseMetadata(header: string | undefined): Record<string, string> {
  const pairs = (header ?? "").split(",").map((pair) => pair.trim().split(" "));
  return Object.fromEntries(
    pairs.map(([key, value]) => [key, Buffer.from(value ?? "", "base64").toString()]),
  );
}

function answer(status: number, headers: Record<string, string>, body: string | null = null): Response {
  return new Response(status === 204 ? null : body, {
    status,
    headers: { "tus-resumable": "1.0.0", ...headers },
  });
}
