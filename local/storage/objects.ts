import { Buffer } from "node:buffer";
import { accessDenied, invalidRequest, noSuchKey } from "./errors.ts";
import { type Call, mustBeValidBucketName, mustBeValidKey } from "./request.ts";
import {
  findObject,
  lockName,
  mustFindObject,
  type StoredObject,
  updateObject,
  upsertObject,
} from "./rows.ts";
import { parseUserMetadata, probeUpload } from "./upload.ts";
import { json } from "../json.ts";

const UPLOAD_URL_SECONDS = 2 * 60 * 60;
const NOT_VISIBLE = "Either the object does not exist or you do not have access to it";

export async function remove(call: Call): Promise<Response> {
  await call.asCaller(async (tx) => {
    const [deleted] = await tx<StoredObject[]>`
      delete from storage.objects where name = ${call.key} and bucket_id = ${call.bucket} returning *`;
    if (deleted) return await call.files.remove(deleted.version);
    const exists = await call.asService((other) => findObject(other, call.bucket, call.key));
    throw exists ? accessDenied("Access denied") : noSuchKey();
  });
  return json({ message: "Successfully deleted" });
}

/** Deletes those the caller may delete and answers with them; the others are passed over in silence. */
export async function removeMany(call: Call): Promise<Response> {
  const { prefixes } = await call.json(["prefixes"]);
  mustBeStrings("prefixes", prefixes);
  const deleted = await call.asCaller(async (tx) => {
    const rows = await tx<StoredObject[]>`
      delete from storage.objects where bucket_id = ${call.bucket} and name = any(${prefixes}) returning *`;
    // Inside the transaction, as the server does: a commit that fails afterwards has lost the bytes.
    await Promise.all(rows.map((row) => call.files.remove(row.version)));
    return rows;
  });
  return json(deleted.map(presented));
}

/** A copy is checked by policies and triggers alone: not against the target's size or type limits. */
export async function copy(call: Call): Promise<Response> {
  const { from, to, body } = await sourceAndTarget(call);
  mustBeValidKey(to.key);
  const source = await call.asCaller((tx) => mustFindObject(tx, from.bucket, from.key));
  const keepMetadata = body.copyMetadata !== false;
  const metadata = { ...source.metadata, ...(keepMetadata ? {} : body.metadata as Record<string, unknown>) };
  const encoded = call.header("x-metadata");
  const user_metadata = keepMetadata
    ? source.user_metadata
    : parseUserMetadata(encoded && Buffer.from(encoded, "base64").toString()) ?? null;
  const target = { ...to, owner: call.owner, upsert: call.upsert };
  await probeUpload(call, target, { metadata, user_metadata });

  const version = crypto.randomUUID();
  const { eTag, lastModified } = await call.files.copy(source.version!, version, "", "");
  try {
    const { object, replaced } = await call.asService(async (tx) => {
      await lockName(tx, to.bucket, to.key);
      const current = await findObject(tx, to.bucket, to.key, "for update");
      const object = await upsertObject(tx, {
        bucket_id: to.bucket,
        name: to.key,
        owner: call.owner,
        metadata: { ...metadata, lastModified, eTag },
        user_metadata,
        version,
      });
      return { object, replaced: current?.version };
    });
    if (replaced) await call.files.remove(replaced);
    return json({ Id: object.id, Key: `${to.bucket}/${to.key}`, ...presented(object) });
  } catch (failure) {
    await call.files.remove(version);
    throw failure;
  }
}

export async function move(call: Call): Promise<Response> {
  const { from, to } = await sourceAndTarget(call);
  mustBeValidKey(to.key);
  const version = crypto.randomUUID();
  const changes = { bucket_id: to.bucket, name: to.key, owner: call.owner, version };
  await call.probe(async (tx) => {
    await mustFindObject(tx, from.bucket, from.key);
    await updateObject(tx, from.bucket, from.key, changes);
  });
  const source = await call.asService((tx) => mustFindObject(tx, from.bucket, from.key));
  if (from.bucket !== to.bucket || from.key !== to.key) {
    const { mimetype, cacheControl } = source.metadata as Record<string, string>;
    const metadata = await call.files.copy(source.version!, version, mimetype ?? "", cacheControl ?? "");
    try {
      await call.asService(async (tx) => {
        await lockName(tx, from.bucket, to.key);
        await updateObject(tx, from.bucket, from.key, {
          ...changes,
          metadata,
          user_metadata: source.user_metadata,
        });
      });
    } catch (failure) {
      await call.files.remove(version);
      throw failure;
    }
    await call.files.remove(source.version);
  }
  return json({ message: "Successfully moved", Id: source.id, Key: to.key });
}

export async function list(call: Call): Promise<Response> {
  const { prefix, limit, offset, search, sortBy } = await call.json(["prefix"]);
  const folder = prefix && !String(prefix).endsWith("/") ? `${prefix}/` : String(prefix);
  const { column, order } = (sortBy ?? {}) as { column?: string; order?: string };
  const rows = await call.asCaller((tx) =>
    tx`select * from storage.search(${folder}, ${call.bucket}, ${Number(limit ?? 100)},
      ${folder.split("/").length}, ${Number(offset ?? 0)}, ${String(search ?? "")},
      ${column ?? "name"}, ${order ?? "asc"})`
  );
  return json(rows);
}

/** Keys in order of name (or a time), page after page; with a delimiter, folders as one entry each. */
export async function listV2(call: Call): Promise<Response> {
  const { prefix = "", limit, cursor, with_delimiter, sortBy } = await call.json();
  const page = Math.min(Number(limit ?? 1000), 1000);
  const asked = (sortBy ?? {}) as { column?: string; order?: string };
  const position = cursor ? JSON.parse(Buffer.from(String(cursor), "base64").toString()) : undefined;
  const column: string = position?.column ?? asked.column ?? "name";
  const order = (position?.order ?? asked.order) === "desc" ? "desc" : "asc";
  const found = await call.asCaller((tx) => {
    const sort = tx.unsafe(column === "created_at" || column === "updated_at" ? column : "null::timestamptz");
    const entries = with_delimiter
      ? tx`select distinct on (entry) case when entry = name then id end as id, entry as name,
          updated_at, created_at, last_accessed_at, metadata
        from (select *, ${prefix as string} ||
            (regexp_match(substr(name, length(${prefix as string}) + 1), '^[^/]*/?'))[1] as entry
          from storage.objects) o
        where bucket_id = ${call.bucket} and starts_with(name, ${prefix as string}) order by entry, name`
      : tx`select id, name, updated_at, created_at, last_accessed_at, metadata from storage.objects
        where bucket_id = ${call.bucket} and starts_with(name, ${prefix as string})`;
    const after = position
      ? tx`where (coalesce(date_trunc('milliseconds', ${sort}), 'epoch'), name collate "C")
          ${tx.unsafe(order === "asc" ? ">" : "<")} (${
        position.time ?? new Date(0).toISOString()
      }, ${position.name})`
      : tx``;
    return tx<StoredObject[]>`select * from (${entries}) as entries ${after}
      order by ${sort} ${tx.unsafe(order)}, name collate "C" ${tx.unsafe(order)} limit ${page + 1}`;
  });
  const shown = found.slice(0, page);
  const last = shown.at(-1);
  const hasNext = found.length > page && last !== undefined;
  const time = last && (column === "created_at" || column === "updated_at") ? last[column] : undefined;
  const key = (name: string) => name.replace(/\/$/, "").split("/").at(-1);
  return json({
    hasNext,
    ...(hasNext
      ? {
        nextCursor: Buffer.from(JSON.stringify({ name: last.name, time, column, order })).toString("base64"),
        nextCursorKey: last.name,
      }
      : {}),
    folders: shown.filter((row) => row.id === null).map(({ name }) => ({ id: null, name, key: key(name) })),
    objects: shown.filter((row) => row.id !== null).map((row) =>
      with_delimiter ? { ...row, key: key(row.name) } : row
    ),
  });
}

export async function sign(call: Call): Promise<Response> {
  const seconds = expiresIn(await call.json(["expiresIn"]));
  mustBeValidBucketName(call.bucket);
  mustBeValidKey(call.key);
  await call.asCaller((tx) => mustFindObject(tx, call.bucket, call.key));
  // As sent, decoded by decodeURI: a needlessly encoded `%2C` stays so and the URL will not verify.
  const path = decodeURI(call.rawPath.split("/").slice(3).join("/"));
  return json({ signedURL: await signedPath(call, path, seconds) });
}

export async function signMany(call: Call): Promise<Response> {
  const body = await call.json(["expiresIn", "paths"]);
  const seconds = expiresIn(body);
  const { paths } = body;
  mustBeStrings("paths", paths);
  const rows = await call.asCaller((tx) =>
    tx<{ name: string }[]>`
      select name from storage.objects where bucket_id = ${call.bucket} and name = any(${paths})`
  );
  const visible = new Set(rows.map((row) => row.name));
  return json(
    await Promise.all(
      paths.map(async (path) =>
        visible.has(path)
          ? { error: null, path, signedURL: await signedPath(call, `${call.bucket}/${path}`, seconds) }
          : { error: NOT_VISIBLE, path, signedURL: null }
      ),
    ),
  );
}

/** Whoever holds the token uploads as its owner for two hours, with no policy asked again. */
export async function signUpload(call: Call): Promise<Response> {
  const { bucket, key, owner, upsert } = call;
  await probeUpload(call, { bucket, key, owner, upsert });
  const token = await call.service.signer.upload(`${bucket}/${key}`, owner, upsert, UPLOAD_URL_SECONDS);
  return json({ url: `/object/upload/sign/${bucket}/${key}?token=${token}`, token });
}

async function signedPath(call: Call, path: string, seconds: number): Promise<string> {
  return `/object/sign/${path}?token=${await call.service.signer.download(path, seconds)}`;
}

function expiresIn(body: Record<string, unknown>): number {
  const seconds = Number(body.expiresIn);
  if (!Number.isInteger(seconds)) throw invalidRequest("body/expiresIn must be integer");
  if (seconds < 1) throw invalidRequest("body/expiresIn must be >= 1");
  return seconds;
}

function mustBeStrings(name: string, value: unknown): asserts value is string[] {
  if (!Array.isArray(value)) throw invalidRequest(`body/${name} must be array`);
  if (value.length === 0) throw invalidRequest(`body/${name} must NOT have fewer than 1 items`);
  if (!value.every((each) => typeof each === "string")) throw invalidRequest(`body/${name}/0 must be string`);
}

async function sourceAndTarget(call: Call) {
  const body = await call.json(["bucketId", "sourceKey", "destinationKey"]);
  const bucket = String(body.bucketId);
  return {
    body,
    from: { bucket, key: String(body.sourceKey) },
    to: { bucket: String(body.destinationBucket ?? bucket), key: String(body.destinationKey) },
  };
}

function presented(object: StoredObject) {
  return Object.fromEntries(Object.entries(object).filter(([column]) => column !== "path_tokens"));
}
