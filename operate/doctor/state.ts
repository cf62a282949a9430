/** What the database holds beside its schema: buckets, work, Realtime's partitions, people, the custody logs. */
import type postgres from "postgres";
import { BUCKETS } from "../../shared/storage/buckets.ts";
import { ROLES } from "../registry.ts";
import type { Finding, Outcome } from "./findings.ts";

/** Minutes. The worker is called each minute. */
const OVERDUE = 10;
/** Failures whose cause is the file itself, or somebody's will: nothing is wrong with the project. */
const NOT_OURS = ["payload_too_large", "type_mismatch", "unsupported_media_type", "deleted"];
/** Days. What went wrong earlier, and cannot be mended, is told as a number and no longer as WRONG. */
const RECENT = 7;
/** Seconds. Signed URLs and tokens end by the clock. */
const CLOCK_TOLERANCE = 60;

export async function clocks(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`select extract(epoch from clock_timestamp())::float8 as seconds`;
  const difference = Math.round(Date.now() / 1000 - row!.seconds);
  return {
    found: `this machine and the database agree to ${CLOCK_TOLERANCE} s`,
    findings: Math.abs(difference) > CLOCK_TOLERANCE
      ? [{ problem: "clock_differs", found: `this machine is ${difference} s ahead of the database` }]
      : [],
  };
}

export async function buckets(sql: postgres.TransactionSql): Promise<Outcome> {
  const rows = await sql`
    select id, public, to_jsonb(b) ->> 'versioning_status' as versioning, file_size_limit::float8 as max, coalesce(allowed_mime_types, '{}') as types from storage.buckets b`;
  const findings: Finding[] = [];
  for (const [id, limits] of Object.entries(BUCKETS)) {
    const bucket = rows.find((row) => row.id === id);
    if (!bucket) findings.push({ problem: "bucket_missing", found: `there is no bucket ${id}` });
    else {
      if (bucket.public) findings.push({ problem: "bucket_public", found: `${id} is public` });
      if (bucket.versioning && bucket.versioning !== "DISABLED") {
        findings.push({ problem: "bucket_versioned", found: `${id} keeps versions of its files` });
      }
      if (
        bucket.max !== limits.maxBytes || bucket.types.toSorted().join() !== limits.types.toSorted().join()
      ) {
        findings.push({
          problem: "bucket_limits",
          found: `${id} accepts other sizes or types than the code knows`,
        });
      }
    }
  }
  return { found: `${Object.keys(BUCKETS).join(", ")}: private, with their limits`, findings };
}

/** Files that are said to be stored lie in Storage, and nothing lies in our buckets that has no record. */
export async function storedFiles(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    with strays as (
      select o.created_at > now() - make_interval(days => ${RECENT}) as recent
      from storage.objects o
      where o.bucket_id in ('evidence', 'documents', 'gbv-evidence') and not exists (
        select from public.media_attachments m
        where m.file_id = private.safe_uuid(split_part(o.name, '/', 2)) and m.path = o.name
          and (o.bucket_id in (m.bucket, m.moved_from) or (o.bucket_id = 'gbv-evidence' and m.is_sensitive))
      )
    )
    select
      (select count(*)::integer from public.media_attachments m where m.status = 'stored') as stored,
      (select count(*)::integer from public.media_attachments m where m.status = 'stored' and not exists (
        select from storage.objects o where o.bucket_id = m.bucket and o.name = m.path
      )) as no_object,
      (select count(*)::integer from public.media_attachments m
        left join public.tickets t on t.id = m.ticket_id
        where m.is_sensitive is distinct from (m.bucket = 'gbv-evidence' or coalesce(t.is_sensitive, false))) as not_hidden,
      (select count(*)::integer from public.media_attachments m join public.tickets t on t.id = m.ticket_id
        where t.is_sensitive and m.bucket <> 'gbv-evidence' and m.status = 'stored'
          and (m.next_attempt_at is null or t.updated_at < now() - make_interval(mins => ${OVERDUE}))) as not_moved,
      (select count(*)::integer from strays where recent) as no_record,
      (select count(*)::integer from strays where recent is not true) as no_record_before`;
  const findings: Finding[] = [];
  if (row!.no_object > 0) {
    findings.push({
      problem: "object_missing",
      found: `${row!.no_object} stored files have no object in Storage`,
    });
  }
  if (row!.no_record > 0) {
    findings.push({
      problem: "record_missing",
      found: `${row!.no_record} objects in our buckets have no record, of the last ${RECENT} days`,
    });
  }
  if (row!.not_hidden > 0) {
    findings.push({
      problem: "sensitivity_differs",
      found: `${row!.not_hidden} files are not marked as their ticket is`,
    });
  }
  if (row!.not_moved > 0) {
    findings.push({
      problem: "move_missing",
      found: `${row!.not_moved} files of sensitive tickets are not in gbv-evidence`,
    });
  }
  return {
    found: `${row!.stored}, each with its object in Storage (not read)` +
      (row!.no_record_before
        ? `; ${row!.no_record_before} objects without a record, older than ${RECENT} days`
        : ""),
    findings,
  };
}

/** What ticket_counts tells is what there is. */
export async function ticketCounts(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    with kept as (
      select tenant_id, is_sensitive, status, tickets from private.ticket_counts
      union all
      select tenant_id, is_sensitive, status, change from private.ticket_count_changes
    ), differing as (
      select from (
        select tenant_id, is_sensitive, coalesce(status::text, '') as status, count(*) as tickets
        from public.tickets where tenant_id is not null group by 1, 2, 3
        union all
        select tenant_id, is_sensitive, status, -tickets from kept
      ) both_ways
      group by tenant_id, is_sensitive, status
      having sum(tickets) <> 0
    )
    select (select coalesce(sum(tickets), 0)::bigint::text from kept) as tickets,
      (select count(*)::integer from differing) as differing`;
  return {
    found: `${row!.tickets} tickets`,
    findings: row!.differing > 0
      ? [{ problem: "counts_differ", found: `${row!.differing} counts are not those of the tickets` }]
      : [],
  };
}

export async function dueWork(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    select count(*)::integer as due,
      -- a move is due since ever: its ticket turned sensitive when it was last changed
      coalesce(round(extract(epoch from now() - min(
        case when m.next_attempt_at > '-infinity' then m.next_attempt_at else t.updated_at end
      )) / 60), 0)::integer as minutes
    from public.media_attachments m left join public.tickets t on t.id = m.ticket_id
    where m.next_attempt_at <= now()`;
  return {
    found: row!.due === 0 ? "nothing is due" : `${row!.due} due, the oldest for ${row!.minutes} min`,
    findings: row!.minutes > OVERDUE
      ? [{
        problem: "work_overdue",
        found: `${row!.due} due, the oldest for ${row!.minutes} min: nothing works on it`,
      }]
      : [],
  };
}

/** No file failed of late but for what it is. Of a failure that no custody record tells, the file's own time counts. */
export async function failedFiles(sql: postgres.TransactionSql): Promise<Outcome> {
  const rows = await sql`
    select m.last_error as reason,
      coalesce(
        (select max(r.recorded_at) from public.custody_records r where r.file_id = m.file_id and r.event = 'failed'),
        m.created_at
      ) > now() - make_interval(days => ${RECENT}) as recent,
      count(*)::integer as n
    from public.media_attachments m where m.status = 'failed' group by 1, 2 order by 1, 2`;
  const list = (some: postgres.Row[]) => some.map(({ reason, n }) => `${n} ${reason}`).join(", ");
  const bad = rows.filter(({ reason, recent }) => recent && !NOT_OURS.includes(reason));
  const old = rows.filter(({ reason, recent }) => !recent && !NOT_OURS.includes(reason));
  const theirs = rows.filter(({ reason }) => NOT_OURS.includes(reason));
  return {
    found: [
      `none within ${RECENT} days through our fault`,
      ...old.length ? [`before: ${list(old)}`] : [],
      ...theirs.length ? [`because of the file itself, or deleted: ${list(theirs)}`] : [],
    ].join("; "),
    findings: bad.length ? [{ problem: "files_failed", found: `within ${RECENT} days: ${list(bad)}` }] : [],
  };
}

export async function realtime(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    with partitions as (
      select coalesce(bound[1]::timestamp, '-infinity') as since, coalesce(bound[2]::timestamp, 'infinity') as until
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']+)'\\) TO \\('([^']+)'\\)$$)) b (bound)
      where i.inhparent = 'realtime.messages'::regclass
    ), utc as (select now() at time zone 'UTC' as today)
    select
      exists (select from partitions) as any,
      exists (select from partitions, utc where today >= since and today < until) as today,
      exists (select from partitions, utc where today + interval '1 day' >= since and today + interval '1 day' < until) as tomorrow,
      exists (select from pg_publication_rel r where r.prrelid = 'realtime.messages'::regclass) as published,
      (select string_agg(tablename, ', ' order by tablename) from pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename in (
        'tickets', 'media_attachments', 'custody_records', 'inbound_messages', 'whatsapp_numbers', 'municipalities'
      )) as leaking`;
  const findings: Finding[] = [];
  if (!row!.today) {
    findings.push({
      problem: "partition_missing",
      found: row!.any
        ? "realtime.messages has no partition for today (UTC)"
        : "realtime.messages has no partition: nobody has joined a channel yet",
      ...!row!.any && {
        todo: "open a dashboard, which joins one; then run it again",
        unknown: true,
      },
    });
  } else if (!row!.tomorrow) {
    findings.push({
      problem: "partition_tomorrow_missing",
      found: "realtime.messages has no partition for tomorrow (UTC): dashboards fall silent at midnight",
    });
  }
  if (!row!.published) {
    findings.push({ problem: "publication_missing", found: "realtime.messages is in no publication" });
  }
  if (row!.leaking) {
    findings.push({
      problem: "table_published",
      found: `supabase_realtime publishes ${row!.leaking}: deletions in it reach everybody`,
      todo: `alter publication supabase_realtime drop table ${
        row!.leaking.split(", ").map((table: string) => `public.${table}`).join(", ")
      };`,
    });
  }
  return {
    found: "partitions for today and tomorrow, messages published, no table of ours beside them",
    findings,
  };
}

export async function municipalities(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    select
      (select count(*)::integer from public.municipalities) as municipalities,
      (select count(*)::integer from public.whatsapp_numbers) as numbers,
      (select count(*)::integer from public.whatsapp_numbers n
      where not exists (select from public.municipalities m where m.id = n.tenant_id)) as orphans`;
  const { municipalities, numbers, orphans } = row!;
  const findings: Finding[] = [];
  if (municipalities === 0) {
    findings.push({ problem: "municipalities_none", found: "there is no municipality" });
  } else if (numbers === 0) findings.push({ problem: "numbers_none", found: "no municipality has a number" });
  if (orphans > 0) {
    findings.push({
      problem: "number_orphan",
      found: `${orphans} numbers belong to no municipality that exists`,
    });
  }
  return { found: `${municipalities}, with ${numbers} numbers`, findings };
}

export async function users(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    with claims as (
      select raw_app_meta_data ->> 'tenant_id' as tenant, raw_app_meta_data ->> 'role' as role from auth.users
    ), judged as (
      select exists (select from public.municipalities m where m.id = private.safe_uuid(tenant)) as belongs,
        tenant is null and role is null as outsider,
        coalesce(role, '') = any (${ROLES}) as has_role
      from claims
    )
    select
      count(*) filter (where belongs and has_role)::integer as well,
      count(*) filter (where outsider)::integer as outsiders,
      count(*) filter (where not belongs and not outsider)::integer as homeless,
      count(*) filter (where belongs and not has_role)::integer as roleless
    from judged`;
  const { well, outsiders, homeless, roleless } = row!;
  const findings: Finding[] = [];
  if (homeless > 0) {
    findings.push({
      problem: "user_municipality",
      found: `${homeless} users have a role, but no municipality that exists: they see nothing`,
    });
  }
  if (roleless > 0) {
    findings.push({
      problem: "user_role",
      found: `${roleless} users have an unknown role, or none: they count as citizens`,
    });
  }
  return {
    found: `${well} of a municipality` + (outsiders ? `; ${outsiders} of none, who see nothing of ours` : ""),
    findings,
  };
}

/** Minutes after which a record should have its place in the log. */
const UNSEALED = 5;

export async function custody(sql: postgres.TransactionSql): Promise<Outcome> {
  const rows = await sql`select v.tenant_id, v.seq, v.problem from public.verify_custody() v`;
  const [logs] = await sql`
    select count(*)::integer as n, coalesce(sum(size), 0)::bigint::text as records,
      (select to_char(min(last) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') from (
        select max(a.finished_at) as last from public.custody_audits a group by a.tenant_id
      ) audits) as audited
    from private.custody_logs`;
  const [unsealed] = await sql`
    select count(*)::integer as n from public.custody_records r
    where r.seq is null and r.recorded_at < now() - make_interval(mins => ${UNSEALED})`;
  const findings: Finding[] = rows.map(({ tenant_id, seq, problem }) => ({
    problem: "custody_tampered",
    found: `municipality ${tenant_id}, record ${seq}: ${problem}`,
  }));
  if (unsealed!.n > 0) {
    findings.push({
      problem: "custody_unsealed",
      found: `${unsealed!.n} records have waited more than ${UNSEALED} minutes to be sealed`,
    });
  }
  return {
    found: `${logs!.n} logs intact, ${logs!.records} records, ${
      logs!.audited ? `audited since ${logs!.audited}` : "not audited yet"
    }`,
    findings,
  };
}
