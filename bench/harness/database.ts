/** A stand-in's database filled with files, and the policies of its storage.objects exchanged. Only for a stand-in. */
import type postgres from "postgres";

/** Municipalities among which the files are shared out; the first is the seed's mbombela. */
const MUNICIPALITIES = 40;
const TICKETS_EACH = 500;

type LoadedTable = "storage.objects" | "public.media_attachments" | "public.custody_records";

/**
 * Adds so many stored files to each bucket, as `{municipality}/{file_id}/photo.jpg`, shared out among 40 municipalities in
 * turn: rows of storage.objects, and the records of the same files, each on one of its municipality's 500 tickets. There
 * are no bytes behind them, and no custody log. `sql` is a superuser's.
 */
export async function loadFiles(
  sql: postgres.Sql,
  files: { evidence: number; documents: number },
): Promise<void> {
  await sql`
    insert into public.municipalities (slug, name)
    select 'bench-' || n, 'Bench ' || n from generate_series(2, ${MUNICIPALITIES}::integer) as n`;
  await sql`
    insert into public.tickets (id, tenant_id, category)
    select ${ticketId(sql, sql`m.tenant_id`, sql`n`)}, m.tenant_id, 'water'
    from ${municipalities(sql)} m, generate_series(0, ${TICKETS_EACH}::integer - 1) as n`;
  // The two tables at once, each on a connection of its own: there are two cores.
  await Promise.all([
    loadTable(sql, "storage.objects", (tx) =>
      tx`
      insert into storage.objects (bucket_id, name, owner_id, version, metadata)
      select bucket, path, owner, md5('version' || n), jsonb_build_object(
        'eTag', '"' || md5('etag' || n) || '"', 'size', 200000, 'mimetype', 'image/jpeg', 'cacheControl', 'max-age=3600',
        'lastModified', '2026-11-01T08:00:00.000Z', 'contentLength', 200000, 'httpStatusCode', 200)
      from ${allFiles(tx, files)}`),
    loadTable(sql, "public.media_attachments", (tx) =>
      tx`
      insert into public.media_attachments (
        file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, sha256, purpose, status, created_by,
        stored_at, next_attempt_at
      )
      select file_id, tenant_id, ${
        ticketId(tx, tx`tenant_id`, tx`n / ${MUNICIPALITIES}::integer`)
      }, bucket, path,
        'photo.jpg', 'image/jpeg', 200000, md5('a' || n) || md5('b' || n), bucket, 'stored', owner::uuid, now(), null
      from ${allFiles(tx, files)}`),
  ]);
  await sql`vacuum analyze public.tickets`;
  await sql`checkpoint`;
}

/**
 * Fills a table without its triggers, indexes and checks, which are made again after: a good deal faster for many rows. The
 * checks are not made to look at these rows, which takes longest of all.
 */
export async function loadTable(
  sql: postgres.Sql,
  table: LoadedTable,
  insert: (tx: postgres.TransactionSql) => postgres.PendingQuery<postgres.Row[]>,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`set local maintenance_work_mem = '1GB'`;
    const constraints = await tx<{ drop: string; create: string }[]>`
      select format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop,
        format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
          || case contype when 'c' then ' not valid' else '' end as create
      from pg_constraint where conrelid = ${table}::regclass and contype in ('p', 'u', 'c')`;
    const indexes = await tx<{ drop: string; create: string }[]>`
      select format('drop index %s', indexrelid::regclass) as drop, pg_get_indexdef(indexrelid) as create
      from pg_index
      where indrelid = ${table}::regclass and indexrelid not in (select conindid from pg_constraint where conindid <> 0)`;
    const all = [...constraints, ...indexes];
    for (const { drop } of all) await tx.unsafe(drop);
    await insert(tx);
    for (const { create } of all) await tx.unsafe(create);
  });
  await sql`vacuum analyze ${sql(table)}`;
}

/** The municipalities that get files, numbered from 0. */
function municipalities(sql: postgres.ISql) {
  return sql`(
    select id as tenant_id, row_number() over (order by slug <> 'mbombela', slug) - 1 as place
    from public.municipalities where slug <> 'polokwane'
  )`;
}

/** Every file to be added; the same, by `n`, each time it is asked for. */
function allFiles(sql: postgres.ISql, { evidence, documents }: { evidence: number; documents: number }) {
  return sql`(
    select n, bucket, tenant_id, file_id, tenant_id || '/' || file_id || '/photo.jpg' as path, tenant_id::text as owner
    from (
      select n, md5('file' || n)::uuid as file_id,
        case when n < ${documents}::integer then 'documents' else 'evidence' end as bucket
      from generate_series(0, ${documents}::integer + ${evidence}::integer - 1) as n
    ) f
    join ${municipalities(sql)} m on m.place = n % ${MUNICIPALITIES}::integer
  ) files`;
}

function ticketId(sql: postgres.ISql, tenant: postgres.Fragment, n: postgres.Fragment) {
  return sql`md5(${tenant}::text || (${n}) % ${TICKETS_EACH}::integer)::uuid`;
}
