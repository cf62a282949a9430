-- Verifying the custody log: records against hashes, nodes against records, checkpoints against nodes, files' rows against
-- records. Whole logs are read in slices by the media worker; what a person waits for is bounded.

select private.lock_tables('{}');

create table if not exists public.custody_audits (
  tenant_id uuid not null references public.municipalities (id),
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  size bigint not null,
  records_checked bigint not null default 0,
  files_checked bigint not null default 0,
  last_file uuid not null default '00000000-0000-0000-0000-000000000000',
  fault_seq bigint,
  fault text,
  primary key (tenant_id, started_at)
);
create index if not exists custody_audits_running_idx on public.custody_audits (started_at) where finished_at is null;
comment on table public.custody_audits is 'Audits of each municipality''s custody log, slice by slice: how far each has come, and the first fault it found.';
comment on column public.custody_audits.size is 'Sealed records when it began: those are verified.';
comment on column public.custody_audits.last_file is 'How far it has come in the files, by file_id.';

alter table public.custody_audits enable row level security;
create policy "police liaison and admins read audits" on public.custody_audits
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()), false) is not null);
create policy "audits: police liaison and admins only, whatever other policies there are" on public.custody_audits
  as restrictive for all to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(current_user = 'authenticated' and (select private.caller_sees_sensitive()), false) is not null
  );
revoke all on public.custody_audits from anon, authenticated, service_role;
grant select on public.custody_audits to authenticated, service_role;
create or replace trigger custody_audits_kept
  before delete or truncate on public.custody_audits
  for each statement execute function private.refuse_change();

create or replace function private.recorded_file(file_id uuid)
  returns table (
    seq bigint, received_at timestamptz, filename_commitment text, sha256 text, file_size bigint, content_type text, bucket text
  )
  language sql stable
  set search_path = ''
as $$
  -- of each fact the latest that was recorded
  select
    max(r.seq),
    min(r.recorded_at) filter (where r.event = 'received'),
    (array_agg(r.details ->> 'filename_commitment' order by r.recorded_at) filter (where r.details ? 'filename_commitment'))[1],
    (array_agg(r.details ->> 'sha256' order by r.recorded_at desc) filter (where r.details ? 'sha256'))[1],
    (array_agg((r.details ->> 'file_size')::bigint order by r.recorded_at desc) filter (where r.details ? 'file_size'))[1],
    (array_agg(r.details ->> 'content_type' order by r.recorded_at desc) filter (where r.details ? 'content_type'))[1],
    (array_agg(r.details ->> 'bucket' order by r.recorded_at desc) filter (where r.details ? 'bucket'))[1]
  from public.custody_records r
  where r.file_id = recorded_file.file_id and r.event in ('received', 'stored', 'hashed', 'moved')
$$;
comment on function private.recorded_file(uuid) is 'What the log''s records say a file is.';
revoke execute on function private.recorded_file(uuid) from public, anon, authenticated, service_role;
grant execute on function private.recorded_file(uuid) to authenticated;

create or replace function private.file_fault(file public.media_attachments)
  returns table (seq bigint, problem text)
  language plpgsql stable
  set search_path = ''
as $$
begin
  if file.status = 'stored' and file.read_back_sha256 <> file.sha256 then
    return query select 0::bigint, 'the stored bytes of the file ' || file.file_id || ' are not those received';
  end if;
  return query
    select coalesce(told.seq, 0), 'the file ' || file.file_id || ' is not as recorded'
    from private.recorded_file(file.file_id) told
    where file.status = 'stored' and file.read_back_sha256 <> file.sha256 is not true and (
      told.received_at is null
      or (told.sha256, told.file_size, told.bucket) is distinct from (file.sha256, file.file_size, file.bucket)
      -- without its salt, the name was lawfully destroyed
      or file.custody_salt is not null
        and told.filename_commitment is distinct from private.commitment(file.custody_salt, file.filename)
    );
end
$$;
comment on function private.file_fault(public.media_attachments) is 'Whether the bytes last read back are those received, and a stored file''s row, by which it is found and certified, says what its records say; no row when it does.';
revoke execute on function private.file_fault(public.media_attachments) from public, anon, authenticated, service_role;
grant execute on function private.file_fault(public.media_attachments) to authenticated;

create or replace function private.log_faults(tenant_id uuid, low bigint default 1, high bigint default null)
  returns table (seq bigint, problem text)
  language plpgsql stable
  set search_path = ''
  set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  municipality constant uuid := log_faults.tenant_id;
  size constant bigint := private.custody_size(municipality);
  top constant bigint := least(coalesce(high, size), size);
begin
  return query
    select s.seq, case when s.seq <> s.before + 1 then 'records before this one are missing' else 'this record was changed' end
    from (
      select r, r.seq, r.hash, lag(r.seq, 1, low - 1) over (order by r.seq) as before
      from public.custody_records r where r.tenant_id = municipality and r.seq between low and top
    ) s
    where s.seq <> s.before + 1 or s.hash <> private.custody_hash(s.r);
  for height in 1..62 loop
    exit when top >> height = 0;
    if height = 1 then
      return query
        select (made.place << 1) + 1, 'a node of the tree is not that of its records'
        from (
          select (r.seq - 1) >> 1 as place, count(*) as parts,
            sha256('\x01'::bytea || string_agg(decode(r.hash, 'hex'), ''::bytea order by r.seq)) as hash
          from public.custody_records r
          where r.tenant_id = municipality and r.seq > (low - 1) >> 1 << 1 and r.seq <= top >> 1 << 1
          group by 1
        ) made
        left join private.custody_nodes n on n.tenant_id = municipality and n.level = 1 and n.place = made.place
        where made.parts = 2 and n.hash is distinct from made.hash;
    else
      return query
        select (made.place << height) + 1, 'a node of the tree is not that of its records'
        from (
          select c.place >> 1 as place, count(*) as parts, sha256('\x01'::bytea || string_agg(c.hash, ''::bytea order by c.place)) as hash
          from private.custody_nodes c
          where c.tenant_id = municipality and c.level = height - 1
            and c.place >= (low - 1) >> height << 1 and c.place < top >> height << 1
          group by 1
        ) made
        left join private.custody_nodes n on n.tenant_id = municipality and n.level = height and n.place = made.place
        where made.parts = 2 and n.hash is distinct from made.hash;
    end if;
  end loop;
  return query
    select c.size, 'the log is not the one that this checkpoint was made of'
    from public.custody_checkpoints c
    where c.tenant_id = municipality and c.size between low and greatest(coalesce(high, c.size), top)
      and c.root is distinct from encode(private.custody_range(municipality, 0, c.size), 'hex');
  if top < size then
    return;
  end if;
  return query
    select size, 'the last records are missing'
    where size > 0 and not exists (select from public.custody_records r where r.tenant_id = municipality and r.seq = size);
  return query
    select min(r.seq), 'this record is beyond the end of the log'
    from public.custody_records r where r.tenant_id = municipality and r.seq > size having count(*) > 0;
  return query
    select size, 'the root is not that of the records'
    from private.custody_logs l
    where l.tenant_id = municipality and l.root is distinct from private.custody_range(municipality, 0, size);
  return query
    select size, 'the tree has nodes beyond the end of the log'
    from generate_series(1, 62) h (level)
    where exists (
      select from private.custody_nodes n where n.tenant_id = municipality and n.level = h.level and n.place >= size >> h.level
    )
    limit 1;
  return query
    select 0::bigint, 'the unsealed record ' || u.id || ' was changed'
    from (
      select r, r.id, r.hash from public.custody_records r
      where r.tenant_id = municipality and r.seq is null order by r.recorded_at limit 1000
    ) u
    where u.hash <> private.custody_hash(u.r);
end
$$;
comment on function private.log_faults(uuid, bigint, bigint) is
  'What is wrong with records low to high of a log, the nodes above them and the checkpoints made meanwhile; with the last record also with its end.';
revoke execute on function private.log_faults(uuid, bigint, bigint) from public, anon, authenticated, service_role;

create or replace function private.first_tampered(tenant_id uuid)
  returns table (municipality_id uuid, seq bigint, problem text)
  language sql stable
  set search_path = ''
as $$
  select distinct on (m.id) m.id, f.seq, f.problem
  from public.municipalities m
  cross join lateral (
    select l.seq, l.problem, false as of_a_file from private.log_faults(m.id) l
    union all
    select p.seq, p.problem, true
    from public.media_attachments a cross join lateral private.file_fault(a) p where a.tenant_id = m.id
  ) f
  where first_tampered.tenant_id is null or m.id = first_tampered.tenant_id
  order by m.id, f.of_a_file, f.seq, f.problem desc
$$;
comment on function private.first_tampered(uuid) is 'Verifies whole logs at once, for operators and tests: the first fault of each.';
revoke execute on function private.first_tampered(uuid) from public, anon, authenticated, service_role;

-- SECURITY DEFINER: reads parts of the log that the caller may not see.
create or replace function private.recent_fault(tenant_id uuid, budget integer)
  returns table (municipality_id uuid, seq bigint, problem text)
  language plpgsql stable security definer
  set search_path = ''
  set enable_seqscan = off -- altered files are hardly ever there, and the planner expects to meet one at once
as $$
declare
  size constant bigint := private.custody_size(recent_fault.tenant_id);
  audit public.custody_audits;
begin
  select a.* into audit from public.custody_audits a
  where a.tenant_id = recent_fault.tenant_id and (a.fault is not null or a.finished_at is not null)
  order by a.started_at desc limit 1;
  if audit.fault is not null then
    return query select recent_fault.tenant_id, audit.fault_seq, audit.fault;
  else
    return query
      select recent_fault.tenant_id, f.seq, f.problem
      from (
        select l.seq, l.problem from private.log_faults(recent_fault.tenant_id, greatest(1, size - budget + 1)) l
        union all
        (
          select p.seq, p.problem from public.media_attachments m cross join lateral private.file_fault(m) p
          where m.tenant_id = recent_fault.tenant_id and m.read_back_sha256 <> m.sha256 limit 1
        )
      ) f
      order by f.seq limit 1;
  end if;
end
$$;
comment on function private.recent_fault(uuid, integer) is 'What the last audit found; if nothing, what is wrong with the newest records, so many.';
revoke execute on function private.recent_fault(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function private.recent_fault(uuid, integer) to authenticated, service_role;

create or replace function public.verify_custody(
  municipality_id uuid default null,
  known_size bigint default null,
  known_root text default null
)
  returns table (tenant_id uuid, seq bigint, problem text)
  language plpgsql stable
  set search_path = ''
as $$
declare
  budget integer := 5000;
begin
  if (select auth.jwt()) ->> 'role' = 'authenticated' then
    if not private.caller_sees_sensitive() or private.caller_tenant() is null then
      raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
    end if;
    municipality_id := private.caller_tenant();
  end if;
  for verify_custody.tenant_id in
    select m.id from public.municipalities m
    where verify_custody.municipality_id is null or m.id = verify_custody.municipality_id
  loop
    return query select f.municipality_id, f.seq, f.problem from private.recent_fault(verify_custody.tenant_id, budget) f;
    -- a statement's time is shared by all municipalities
    budget := greatest(100, budget / 2);
  end loop;
  if known_size is not null and (
    known_size not between 0 and private.custody_size(verify_custody.municipality_id)
    or private.custody_root(verify_custody.municipality_id, known_size) is distinct from known_root
  ) then
    return query select verify_custody.municipality_id, known_size, 'the log is not the one that was certified then';
  end if;
end
$$;
comment on function public.verify_custody(uuid, bigint, text) is
  'What the last audit of each log found; if nothing, what is wrong with its newest 5,000 records; no row when all is well. known_size and known_root, from a certificate or checkpoint, show whether the log was rewritten. Users verify their own municipality''s.';
revoke execute on function public.verify_custody(uuid, bigint, text) from public, anon, authenticated, service_role;
grant execute on function public.verify_custody(uuid, bigint, text) to authenticated, service_role;

-- SECURITY DEFINER: reads every record, and writes audits, which no API role may.
create function public.audit_custody(slice integer default 2000)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  audit public.custody_audits;
  file public.media_attachments;
  found_seq bigint;
  found_problem text;
  upto bigint;
  files integer := 0;
begin
  -- one auditor at a time; who is second need not wait
  if not pg_try_advisory_xact_lock(hashtextextended('audit_custody', 0)) then
    return null;
  end if;
  select a.* into audit from public.custody_audits a where a.finished_at is null order by a.started_at limit 1;
  if not found then
    insert into public.custody_audits (tenant_id, size)
    select l.tenant_id, l.size from private.custody_logs l
    where l.size > 0 and not exists (
      select from public.custody_audits a where a.tenant_id = l.tenant_id and a.started_at > now() - interval '20 hours'
    )
    order by l.sealed_at limit 1
    returning * into audit;
    if not found then
      return null;
    end if;
  end if;
  if audit.records_checked < audit.size then
    upto := least(audit.records_checked + slice, audit.size);
    select f.seq, f.problem into found_seq, found_problem
    from private.log_faults(audit.tenant_id, audit.records_checked + 1, upto) f order by f.seq limit 1;
    audit.records_checked := upto;
  else
    for file in
      select m.* from public.media_attachments m
      where m.tenant_id = audit.tenant_id and m.file_id > audit.last_file order by m.file_id limit slice
    loop
      files := files + 1;
      audit.last_file := file.file_id;
      if found_problem is null then
        select f.seq, f.problem into found_seq, found_problem from private.file_fault(file) f;
      end if;
    end loop;
    audit.files_checked := audit.files_checked + files;
    if files < slice then
      audit.finished_at := clock_timestamp();
    end if;
  end if;
  if audit.fault is null then
    audit.fault := found_problem;
    audit.fault_seq := found_seq;
  end if;
  update public.custody_audits a
  set records_checked = audit.records_checked, files_checked = audit.files_checked, last_file = audit.last_file,
    finished_at = audit.finished_at, fault = audit.fault, fault_seq = audit.fault_seq
  where a.tenant_id = audit.tenant_id and a.started_at = audit.started_at;
  return jsonb_build_object(
    'municipality_id', audit.tenant_id, 'records', audit.records_checked, 'files', audit.files_checked,
    'finished', audit.finished_at is not null, 'fault', audit.fault
  );
end
$$;
comment on function public.audit_custody(integer) is
  'Verifies the next slice of the audit that is under way, or begins one of a municipality that had none for 20 hours: {municipality_id, records, files, finished, fault}; NULL when nothing is due.';
revoke execute on function public.audit_custody(integer) from public, anon, authenticated, service_role;
grant execute on function public.audit_custody(integer) to service_role;

-- Stored bytes ---------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER, in both: no API role has the right to write media_attachments.
create function public.claim_read_back(days integer default 90)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  select m.* into file from public.media_attachments m
  where m.status = 'stored' and m.stored_at is not null and coalesce(m.read_back_at, m.stored_at) < now() - make_interval(days => days)
    and m.sha256 is not null and m.moved_from is null
  order by coalesce(m.read_back_at, m.stored_at) limit 1
  for no key update skip locked;
  if not found then
    return null;
  end if;
  -- a lease: who dies reading is followed an hour later
  update public.media_attachments m set read_back_at = now() - make_interval(days => days) + interval '1 hour'
  where m.file_id = file.file_id;
  return jsonb_build_object(
    'file_id', file.file_id, 'bucket', file.bucket, 'path', file.path, 'file_size', file.file_size, 'sha256', file.sha256
  );
end
$$;
comment on function public.claim_read_back(integer) is
  'The stored file whose bytes have gone unverified for longest, if for so many days; for an hour the caller''s alone: {file_id, bucket, path, file_size, sha256}; NULL when none is due.';
revoke execute on function public.claim_read_back(integer) from public, anon, authenticated, service_role;
grant execute on function public.claim_read_back(integer) to service_role;

create function public.complete_read_back(file_id uuid, sha256 text)
  returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update public.media_attachments m set read_back_at = now(), read_back_sha256 = complete_read_back.sha256
  where m.file_id = complete_read_back.file_id and m.status = 'stored'
$$;
comment on function public.complete_read_back(uuid, text) is 'What the bytes of a stored file hash to now.';
revoke execute on function public.complete_read_back(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.complete_read_back(uuid, text) to service_role;
