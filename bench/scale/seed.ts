/**
 * One municipality with so many tickets among fifty that share a tenth as many, in a stand-in's database: a ticket a minute, half
 * of them by WhatsApp, with files, messages and a sealed custody log as our functions and triggers would have left them. The same
 * rows each time, but for their times. There are no bytes behind the files.
 */
import type postgres from "postgres";
import { loadTable } from "../harness/database.ts";
import { MBOMBELA } from "../harness/files.ts";

const OTHERS = 50;
const STEPS = [
  tickets,
  senders,
  messages,
  files,
  objects,
  records,
  nodes,
  checkpoints,
  broadcasts,
];
/** Seconds that seeding may take on two idle cores; what takes longer is said, not stopped. */
export const bound = (size: number): number => 20 + size * 0.0006;

/** Fills the database. `sql` is a superuser's. */
export async function seedScale(
  sql: postgres.Sql,
  size: number,
  progress: (text: string) => void = () => {},
): Promise<void> {
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const one = await sql.reserve();
  try {
    await one`set session_replication_role = replica`; // no triggers, no foreign keys: the rows are as they would leave them
    await one`set work_mem = '256MB'`;
    await one`set maintenance_work_mem = '512MB'`;
    await outline(one, size);
    for (const step of STEPS) {
      await step(one, sql);
      progress(`${size} tickets: ${step.name} after ${seconds().toFixed(1)} s`);
    }
    await one`drop table bench_outline, bench_files`;
    await one`vacuum analyze`;
    await one`checkpoint`;
    await one`reset all`;
  } finally {
    one.release();
  }
  const late = seconds() > bound(size) ? `, beyond the ${bound(size).toFixed(0)} s it should take` : "";
  progress(`${size} tickets seeded in ${seconds().toFixed(1)} s${late}`);
}

type Sql = postgres.ReservedSql;

/** A number from 0 to `of` - 1 that looks random and is the same each time. */
const chance = (what: string, salt: number, of: number) =>
  `((hashint8extended(${what}, ${salt}) & 1048575) % ${of})`;

/** A municipality's place 0 is the large one; ticket 0 of each is its newest. */
async function outline(sql: Sql, size: number): Promise<void> {
  await sql`
    insert into public.municipalities (slug, name)
    select 'scale-' || n, 'Scale ' || n from generate_series(1, ${OTHERS}::integer) n`;
  const each = Math.max(1, Math.round(size / 10 / OTHERS));
  await sql.unsafe(`
    create unlogged table bench_outline as
    select *,
      created_at + case
        when created_at + lag <= now() then lag
        else (now() - created_at) * (${chance("g", 3, 1000)} / 1000.0)
      end as updated_at
    from (
      select md5('ticket' || place || '-' || n)::uuid as id, tenant_id, place, n, g,
        now() - (n * step + 1) * interval '1 minute' as created_at,
        (${chance("g", 1, 10080)} + 1) * interval '1 minute' as lag,
        ${chance("g", 2, 50)} = 0 as is_sensitive,
        n % 2 = 1 as by_whatsapp,
        md5('person' || place || '-' || (n / 2) % greatest(1, tickets / 6))::uuid as person,
        number, gbv_number
      from (
        select m.*, n, place::bigint * 10000000 + n as g
        from (
          select id as tenant_id, 0 as place, ${size} as tickets, 1 as step, '+27130000001' as number, '+27130000002' as gbv_number
          from public.municipalities where id = '${MBOMBELA}'
          union all
          select id, substr(slug, 7)::integer, ${each}, ${size} / ${each}, '+27997' || slug, '+27998' || slug
          from public.municipalities where slug like 'scale-%'
        ) m, generate_series(0, m.tickets - 1) n
      ) numbered
    ) timed`);
  await sql`
    insert into public.whatsapp_numbers (number, tenant_id, is_sensitive)
    select distinct n.number, o.tenant_id, n.number = o.gbv_number
    from bench_outline o, unnest(array[o.number, o.gbv_number]) n (number)
    where o.place > 0`;
}

async function tickets(sql: Sql): Promise<void> {
  const sign = (at: number) =>
    `substr('23456789ABCDEFGHJKLMNPQRSTUVWXYZ', ((x >> ${at * 5}) & 31)::integer + 1, 1)`;
  await sql.unsafe(`
    insert into public.tickets (
      id, tenant_id, tracking_number, category, status, severity, is_sensitive, description, encrypted_description, sealed_with,
      reporter_id, last_message_at, created_at, updated_at
    )
    select id, tenant_id,
      'TKT-' || to_char(created_at at time zone 'Africa/Johannesburg', 'YYYYMMDD') || '-' || ${
    [0, 1, 2, 3, 4, 5].map(sign).join(" || ")
  },
      case when is_sensitive then 'gbv' else (array['water', 'roads', 'electricity', 'waste', 'sanitation', 'other'])[
        1 + ${chance("g", 4, 6)}] end,
      case
        when n < 4320 and fate < 600 or fate < 30 then 'open'
        when n < 4320 and fate < 850 or fate < 45 then 'in_progress'
        when fate between 997 and 998 then 'escalated'
        when fate < 500 then 'resolved'
        else 'closed'
      end,
      case when is_sensitive then 'critical' else (array['low', 'medium', 'medium', 'high'])[1 + ${
    chance("g", 5, 4)
  }] end,
      is_sensitive,
      case when not is_sensitive then 'Burst pipe at the corner, water runs down the road, number ' || n end,
      case when is_sensitive then 'gAAAAA' || repeat(md5(id::text), 6) end,
      case when is_sensitive then '5ca1ab1e' end,
      case when not by_whatsapp then person end,
      case when by_whatsapp then least(created_at + interval '5 minutes', now()) end,
      created_at, updated_at
    from (
      select *, (g * 387420489 + 12345) & 1073741823 as x, ${chance("g", 6, 1000)} as fate from bench_outline
    ) o
    order by created_at`);
  await sql`select private.recount_tickets()`;
}

/** Who writes has three tickets. */
async function senders(sql: Sql): Promise<void> {
  await sql`
    insert into private.sender_identities (sender_ref, sender_id)
    select distinct md5('ref' || person::text), person from bench_outline where by_whatsapp`;
  await sql`
    insert into private.ticket_origins (ticket_id, sender_id, channel, channel_number)
    select id, person, 'whatsapp', case when is_sensitive then gbv_number else number end from bench_outline where by_whatsapp`;
}

/** Two a ticket by WhatsApp, and a few of other tickets: one a ticket, of all. */
async function messages(sql: Sql): Promise<void> {
  await sql`
    insert into public.inbound_messages (
      message_sid, tenant_id, ticket_id, channel, channel_number, sender_id, sender_refs, kind, is_sensitive, body, encrypted_payload,
      sealed_with, reply, received_at
    )
    select 'SM' || md5(id::text || k), tenant_id, id, 'whatsapp', case when is_sensitive then gbv_number else number end, person,
      array[md5('ref' || person::text)], 'text', is_sensitive,
      case when not is_sensitive then 'Water runs down the road since ' || n end,
      'gAAAAA' || repeat(md5(id::text || k), 36), '5ca1ab1e',
      case when k = 0 and not is_sensitive then 'reference' else 'thanks' end,
      least(created_at + k * interval '5 minutes', now())
    from bench_outline, generate_series(0, 1) k
    where by_whatsapp or n % 40 = 0
    order by created_at, k`;
}

/** 1.7 a ticket; of 51 one is waiting or in doubt. */
async function files(sql: Sql, pool: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    create unlogged table bench_files as
    select file_id, tenant_id, ticket_id, bucket, tenant_id || '/' || file_id || '/photo.jpg' as path, is_sensitive, created_at,
      case bucket when 'evidence' then 'evidence' when 'documents' then 'documents' else 'gbv-evidence' end as purpose,
      by_whatsapp, case when by_whatsapp then 'SM' || md5(ticket_id::text || k) end as message_sid,
      case when not by_whatsapp then person end as created_by,
      situation, situation not in ('failed', 'awaiting_transfer') as is_stored,
      situation in ('stored', 'in_doubt') as is_hashed,
      least(created_at + interval '20 seconds', now()) as stored_at,
      decode(md5('salt' || f), 'hex') as salt, md5('a' || f) || md5('b' || f) as sha256,
      200000 + ${chance("f", 7, 100000)} as file_size, f
    from (
      select *, case
          when is_sensitive then 'gbv-evidence'
          when not by_whatsapp and ${chance("f", 8, 100)} < 15 then 'documents'
          else 'evidence'
        end as bucket,
        case
          when ${chance("f", 9, 51)} > 0 then 'stored'
          when by_whatsapp and ${chance("f", 10, 2)} = 0 then 'failed'
          when by_whatsapp then 'awaiting_transfer'
          when ${chance("f", 10, 2)} = 0 and not is_sensitive then 'awaiting_hash'
          else 'in_doubt'
        end as situation
      from (
        select o.*, o.id as ticket_id, k, g * 2 + k as f, md5('file' || o.id || k)::uuid as file_id
        from bench_outline o, generate_series(0, case when ${chance("g", 11, 10)} < 7 then 1 else 0 end) k
      ) numbered
    ) placed`);
  await loadTable(pool, "public.media_attachments", (tx) =>
    tx`
    insert into public.media_attachments (
      file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, sha256, purpose, source, status, message_sid,
      media_index, attempts, next_attempt_at, last_error, is_sensitive, created_by, custody_salt, read_back_at, read_back_sha256,
      created_at, stored_at
    )
    select file_id, tenant_id, ticket_id, bucket, path, 'photo.jpg', 'image/jpeg', case when is_stored then file_size end,
      case when is_hashed then sha256 end, purpose, case when by_whatsapp then 'whatsapp' else 'web' end,
      case situation when 'failed' then 'failed' when 'awaiting_transfer' then 'pending' else 'stored' end,
      message_sid, case when by_whatsapp then 0 end,
      case situation when 'failed' then 8 when 'awaiting_transfer' then 3 when 'awaiting_hash' then 3 else 1 end,
      case when situation like 'awaiting%' then now() + interval '6 hours' end,
      case when situation in ('failed', 'awaiting_transfer', 'awaiting_hash') then 'storage_unavailable'
        when situation = 'in_doubt' then 'type_mismatch' end,
      is_sensitive, created_by, salt,
      case when is_hashed and created_at < now() - interval '90 days' then now() - (f % 85) * interval '1 day' end,
      case when is_hashed and created_at < now() - interval '90 days' then sha256 end,
      created_at, case when is_stored then stored_at end
    from bench_files order by created_at, f`);
}

async function objects(_: Sql, pool: postgres.Sql): Promise<void> {
  await loadTable(pool, "storage.objects", (tx) =>
    tx`
    insert into storage.objects (bucket_id, name, owner, owner_id, version, metadata, created_at, updated_at, last_accessed_at)
    select bucket, path, created_by, created_by::text, md5('version' || f)::uuid::text, jsonb_build_object(
        'eTag', '"' || md5('etag' || f) || '"', 'size', file_size, 'mimetype', 'image/jpeg', 'cacheControl', 'max-age=0',
        'lastModified', stored_at, 'contentLength', file_size, 'httpStatusCode', 200),
      stored_at, stored_at, stored_at
    from bench_files where is_stored order by created_at, f`);
}

/** Receipt, storing or hash, moves and failures, and three readings of each GBV file by one of twenty officers; all sealed. */
async function records(_: Sql, pool: postgres.Sql): Promise<void> {
  await loadTable(pool, "public.custody_records", (tx) =>
    tx.unsafe(`
    insert into public.custody_records (id, tenant_id, seq, file_id, event, recorded_at, user_id, user_role, details, hash)
    select id, tenant_id, seq, file_id, event, recorded_at, user_id, user_role, details,
      private.custody_hash(
        row(id, tenant_id, seq, file_id, null, event, recorded_at, user_id, user_role, details, '')::public.custody_records
      )
    from (
      select tenant_id, file_id, event, recorded_at, details,
        (lpad(to_hex((extract(epoch from recorded_at) * 1000)::bigint), 12, '0') || '7' || substr(unique_text, 1, 3) || '8'
          || substr(unique_text, 4, 15))::uuid as id,
        row_number() over (partition by tenant_id order by recorded_at, unique_text) as seq,
        case when event = 'url_signed' then md5('officer' || ${chance("f", 12, 20)})::uuid end as user_id,
        case when event = 'url_signed' then 'saps_liaison' end as user_role
      from (
        select f.tenant_id, f.file_id, f.f, r.event, f.created_at + r.after as recorded_at, jsonb_strip_nulls(r.details) as details,
          md5(f.f || r.event || r.after) as unique_text
        from bench_files f cross join lateral (
          select 'received' as event, interval '0' as after, jsonb_build_object(
              'source', case when by_whatsapp then 'whatsapp' else 'web' end,
              'filename_commitment', encode(sha256(salt || convert_to('photo.jpg', 'UTF8')), 'hex'),
              'path_commitment', encode(sha256(salt || convert_to(path, 'UTF8')), 'hex'),
              'ticket_id', ticket_id, 'content_type', 'image/jpeg',
              'bucket', case when is_sensitive and not by_whatsapp then 'evidence' else bucket end,
              'message_sid', message_sid, 'media_index', case when by_whatsapp then 0 end,
              'file_size', case when not by_whatsapp then file_size end, 'uploaded_by', created_by
            ) as details
          union all
          select case when by_whatsapp then 'stored' else 'hashed' end, interval '20 seconds', jsonb_build_object(
              'sha256', sha256, 'file_size', file_size, 'content_type', 'image/jpeg',
              'bucket', case when by_whatsapp then bucket end,
              'sniffed_type', case when not by_whatsapp and situation = 'stored' then 'image/jpeg' end
            )
          where is_hashed
          union all
          select 'moved', interval '30 seconds',
            jsonb_build_object('from', 'evidence', 'bucket', bucket, 'sha256', sha256, 'file_size', file_size)
          where is_hashed and is_sensitive and not by_whatsapp
          union all
          select 'failed', interval '40 seconds', jsonb_build_object('reason', 'storage_unavailable', 'attempts', 8)
          where situation = 'failed'
          union all
          select 'url_signed', k * interval '45 seconds',
            jsonb_build_object('expires_in', 300, 'request_id', md5('request' || f.f || k)::uuid)
          from generate_series(1, 3) k where is_hashed and is_sensitive
        ) r
      ) made
    ) placed
    order by recorded_at`));
}

/** The trees above the records, as sealing builds them. */
async function nodes(sql: Sql): Promise<void> {
  let { count } = await sql`
    insert into private.custody_nodes (tenant_id, level, place, hash)
    select tenant_id, 1, (seq - 1) >> 1, sha256('\\x01'::bytea || string_agg(decode(hash, 'hex'), ''::bytea order by seq))
    from public.custody_records where seq is not null
    group by tenant_id, (seq - 1) >> 1 having count(*) = 2`;
  for (let height = 2; count > 0; height++) {
    ({ count } = await sql`
      insert into private.custody_nodes (tenant_id, level, place, hash)
      select tenant_id, ${height}, place >> 1, sha256('\\x01'::bytea || string_agg(hash, ''::bytea order by place))
      from private.custody_nodes where level = ${height - 1}
      group by tenant_id, place >> 1 having count(*) = 2`);
  }
  await sql`analyze private.custody_nodes`;
  await sql`
    insert into private.custody_logs (tenant_id, size, root)
    select tenant_id, max(seq), private.custody_range(tenant_id, 0, max(seq)) from public.custody_records group by tenant_id`;
}

/** One an hour, and an audit a day. */
async function checkpoints(sql: Sql): Promise<void> {
  await sql`insert into public.custody_keys (key_id, name, public_key) values ('5ca1ab1e', 'bench', encode(sha256('bench'), 'base64'))`;
  await sql`
    insert into public.custody_checkpoints (tenant_id, size, root, note, key_id, created_at)
    select tenant_id, size, private.custody_root(tenant_id, size), 'bench' || E'\n' || size, '5ca1ab1e', created_at
    from (
      select tenant_id, date_trunc('hour', recorded_at) + interval '1 hour' as created_at, max(seq) as size
      from public.custody_records group by 1, 2
    ) hourly
    where created_at <= now()`;
  await sql`
    insert into public.custody_audits (tenant_id, started_at, finished_at, size, records_checked)
    select tenant_id, created_at, created_at + interval '1 minute', size, size
    from public.custody_checkpoints where extract(hour from created_at) = 3`;
  await sql`
    insert into public.custody_audits (tenant_id, started_at, finished_at, size, records_checked)
    select tenant_id, now() - interval '1 hour', now(), size, size from private.custody_logs`;
}

/** What Realtime keeps: some messages of each of the newest tickets, however many tickets there are. */
async function broadcasts(sql: Sql): Promise<void> {
  await sql`
    insert into realtime.messages (topic, extension, payload, event, private, inserted_at, updated_at)
    select 'municipality:' || tenant_id || case when is_sensitive then ':gbv' else '' end, 'broadcast',
      jsonb_build_object('type', 'UPDATE', 'ticket_id', id, 'status', 'open', 'municipality_id', tenant_id),
      'ticket_event', true, at, at
    from (
      select *, (created_at + k * interval '1 minute') at time zone 'UTC' as at from bench_outline, generate_series(0, 4) k
      where place = 0
    ) told
    where at >= (now() at time zone 'UTC')::date - 1 and at <= now() at time zone 'UTC'`;
}
