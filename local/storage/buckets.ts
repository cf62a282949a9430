import {
  bucketAlreadyExists,
  bucketNotEmpty,
  entityTooLarge,
  noSuchBucket,
  StorageError,
  toStorageError,
} from "./errors.ts";
import { type Call, GLOBAL_SIZE_LIMIT, mustBeValidBucketName, type Tx } from "./request.ts";
import { json } from "../json.ts";

/** The server's answer has an empty text where a bucket has no owner. */
const columns = (tx: Tx) =>
  tx`id, name, coalesce(owner::text, '') as owner, public, file_size_limit::float8, allowed_mime_types, created_at, updated_at`;

export async function createBucket(call: Call): Promise<Response> {
  const body = await call.json(["name"]);
  const name = String(body.name);
  mustBeValidBucketName(name);
  const row = {
    id: String(body.id ?? name),
    name,
    owner_id: call.owner ?? null,
    public: Boolean(body.public),
    file_size_limit: sizeLimit(body.file_size_limit) ?? null,
    allowed_mime_types: body.allowed_mime_types as string[] | undefined ?? null,
  };
  await call.asCaller((tx) => tx`insert into storage.buckets ${tx(row)}`).catch((failure) => {
    const error = toStorageError(failure);
    throw error.code === "ResourceAlreadyExists" ? bucketAlreadyExists() : error;
  });
  return json({ name });
}

export async function listBuckets(call: Call): Promise<Response> {
  const query = call.url.searchParams;
  const sort = ["id", "name", "created_at", "updated_at"].find((each) => each === query.get("sortColumn"));
  return json(
    await call.asCaller((tx) =>
      tx`select ${columns(tx)}, type from storage.buckets
        where strpos(lower(name), lower(${query.get("search") ?? ""})) > 0
        order by ${tx(sort ?? "id")} ${tx.unsafe(query.get("sortOrder") === "desc" ? "desc" : "asc")}
        limit ${query.get("limit")}::int offset ${query.get("offset")}::int`
    ),
  );
}

export async function getBucket(call: Call): Promise<Response> {
  const [bucket] = await call.asCaller((tx) =>
    tx`select ${columns(tx)} from storage.buckets where id = ${call.bucket}`
  );
  if (!bucket) throw noSuchBucket();
  return json(bucket);
}

export async function updateBucket(call: Call): Promise<Response> {
  const body = await call.json();
  const changes = Object.fromEntries(
    Object.entries({
      public: body.public as boolean | undefined,
      file_size_limit: sizeLimit(body.file_size_limit),
      allowed_mime_types: body.allowed_mime_types as string[] | null | undefined,
    }).filter(([, value]) => value !== undefined),
  );
  if (Object.keys(changes).length > 0) {
    const { count } = await call.asCaller((tx) =>
      tx`update storage.buckets set ${tx(changes)} where id = ${call.bucket}`
    );
    if (count === 0) throw noSuchBucket();
  }
  return json({ message: "Successfully updated" });
}

/** The server queues this; here it is done when the answer comes. */
export async function emptyBucket(call: Call): Promise<Response> {
  await getBucket(call);
  await call.asCaller(async (tx) => {
    const rows = await tx<{ version: string | null }[]>`
      delete from storage.objects where bucket_id = ${call.bucket} returning version`;
    await Promise.all(rows.map((row) => call.files.remove(row.version)));
  });
  return json({ message: "Empty bucket has been queued. Completion may take up to an hour." });
}

export async function deleteBucket(call: Call): Promise<Response> {
  await getBucket(call);
  const [object] = await call.asService((tx) =>
    tx`select 1 from storage.objects where bucket_id = ${call.bucket} limit 1`
  );
  if (object) throw bucketNotEmpty();
  const { count } = await call.asCaller((tx) => tx`delete from storage.buckets where id = ${call.bucket}`);
  if (count === 0) throw noSuchBucket();
  return json({ message: "Successfully deleted" });
}

/** Bytes, or text such as `50MB`; units are decimal. */
function sizeLimit(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return value;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(gb|mb|kb|b)?$/i.exec(String(value)) ?? [];
  if (!number) {
    throw new StorageError(
      400,
      "InvalidRequest",
      "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B",
    );
  }
  const bytes = Number(number) * ({ gb: 1e9, mb: 1e6, kb: 1e3 }[unit?.toLowerCase() ?? "b"] ?? 1);
  if (bytes > GLOBAL_SIZE_LIMIT) throw entityTooLarge();
  return bytes;
}
