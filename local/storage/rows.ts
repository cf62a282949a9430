import { noSuchKey } from "./errors.ts";
import type { Tx } from "./request.ts";

/** A row of `storage.objects`. */
export interface StoredObject {
  id: string;
  bucket_id: string;
  name: string;
  version: string | null;
  metadata: Record<string, unknown> | null;
  user_metadata: Record<string, unknown> | null;
  created_at: Date;
  updated_at: Date;
}

/** What a probe or a final write puts into a row; what is undefined stays out of the statement. */
export interface ObjectValues {
  bucket_id: string;
  name: string;
  owner?: string;
  metadata?: Record<string, unknown> | null;
  user_metadata?: Record<string, unknown> | null;
  version: string;
}

export async function findObject(
  tx: Tx,
  bucket: string,
  name: string,
  lock: "" | "for update" = "",
): Promise<StoredObject | undefined> {
  const rows = await tx<StoredObject[]>`
    select * from storage.objects where name = ${name} and bucket_id = ${bucket} limit 1 ${tx.unsafe(lock)}`;
  return rows[0];
}

export async function mustFindObject(tx: Tx, bucket: string, name: string): Promise<StoredObject> {
  const found = await findObject(tx, bucket, name);
  if (!found) throw noSuchKey();
  return found;
}

export function insertObject(tx: Tx, values: ObjectValues) {
  const row = columns(tx, values);
  return tx`insert into storage.objects ${tx(row, ...Object.keys(row))}`;
}

/** Insert or overwrite, `returning *` (so SELECT policies apply as well), as the server does it. */
export async function upsertObject(tx: Tx, values: ObjectValues): Promise<StoredObject> {
  const row = columns(tx, values);
  const { bucket_id: _, name: __, ...changes } = row;
  const assignments = Object.keys(changes).map((column) => `"${column}" = excluded."${column}"`).join(", ");
  const rows = await tx<StoredObject[]>`
    insert into storage.objects ${tx(row, ...Object.keys(row))}
    on conflict (name, bucket_id) do update set ${tx.unsafe(assignments)} returning *`;
  return rows[0]!;
}

export async function updateObject(tx: Tx, bucket: string, name: string, values: ObjectValues) {
  const row = columns(tx, values);
  const rows = await tx<StoredObject[]>`
    update storage.objects set ${tx(row, ...Object.keys(row))}
    where bucket_id = ${bucket} and name = ${name} returning *`;
  if (!rows[0]) throw noSuchKey();
  return rows[0];
}

/** Serializes the final writes of one name, for at most five seconds. */
export async function lockName(tx: Tx, bucket: string, name: string): Promise<void> {
  await tx`select set_config('lock_timeout', '5s', true)`;
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${bucket}/${name}`}, 0))`;
  await tx`select set_config('lock_timeout', '0', true)`;
}

function columns(tx: Tx, values: ObjectValues): Record<string, string> {
  const json = (value: unknown) => value === undefined || value === null ? value : tx.json(value as never);
  const row = {
    bucket_id: values.bucket_id,
    name: values.name,
    owner: isUuid(values.owner) ? values.owner : undefined,
    owner_id: values.owner,
    metadata: json(values.metadata),
    user_metadata: json(values.user_metadata),
    version: values.version,
  };
  // postgres.js types want strings here; json parameters are as good.
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

function isUuid(value: string | undefined): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-5][0-9a-f]{3}-[089ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(value ?? "");
}
