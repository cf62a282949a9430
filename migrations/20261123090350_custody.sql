-- The chain of custody: what happened to each file, in records that are only ever added, each holding the hash of the one
-- before in its municipality; and the handing out of files, which writes such a record before a URL of GBV evidence exists.

create table if not exists public.custody_records (
  tenant_id uuid not null references public.municipalities (id),
  seq bigint not null check (seq > 0),
  file_id uuid, -- no foreign key: its row lock would stand against the order head after file
  ticket_id uuid,
  event text not null check (event in (
    'received', 'stored', 'hashed', 'moved', 'url_signed', 'certified', 'failed', 'retried', 'deleted',
    'report_opened', 'marked_sensitive', 'message_moved'
  )),
  recorded_at timestamptz not null,
  user_id uuid,
  user_role text,
  details jsonb not null,
  previous_hash text not null check (previous_hash ~ '^[0-9a-f]{64}$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  primary key (tenant_id, seq),
  check (file_id is not null or ticket_id is not null)
);
create index if not exists custody_records_file_id_idx on public.custody_records (file_id, seq);
create index if not exists custody_records_url_signed_idx on public.custody_records (tenant_id, recorded_at desc) where event = 'url_signed';
-- no estimate tells how much GBV evidence was looked at
alter table public.custody_records alter column event set statistics 0, alter column tenant_id set statistics 0;

comment on table public.custody_records is
  'Append-only, hash-chained per municipality: receipt, storing, hashing, moves, each signed URL of GBV evidence, failures. No API role writes, changes or deletes it; verify_custody() finds what a superuser did.';
comment on column public.custody_records.user_id is 'The user who acted; NULL for what the system did, in whoever''s transaction. No foreign key: the record outlives the account.';
comment on column public.custody_records.ticket_id is 'The ticket that was acted on, of a record that is not of one file.';
comment on column public.custody_records.previous_hash is 'Hash of the record before (seq - 1); 64 zeros for the first.';
comment on column public.custody_records.hash is 'SHA-256, hex, of all other columns: private.custody_hash().';

-- The end of each chain: where the next record goes on, and by which a missing last record is found.
create table if not exists private.custody_heads (
  tenant_id uuid primary key references public.municipalities (id),
  seq bigint not null,
  hash text not null
);
comment on table private.custody_heads is 'The last record of each municipality''s chain. Locked by who adds one, so that the chain never forks.';

alter table public.custody_records enable row level security;
alter table private.custody_heads enable row level security;

-- Ordinary and GBV evidence share a chain: who may not know of GBV evidence sees none of it, or its gaps would tell.
create policy "police liaison and admins see what happened to files" on public.custody_records
  for select to authenticated
  using (tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()));
create policy "nobody reads the heads" on private.custody_heads for all to public using (false);
revoke all on private.custody_heads from public, anon, authenticated, service_role;

revoke all on public.custody_records from anon, authenticated, service_role;
grant select on public.custody_records to authenticated, service_role;

-- `or replace`, here and below: the uninstall leaves what keeps and verifies records.
create or replace function private.refuse_change()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = format('%s: records of evidence are kept', tg_table_name);
end
$$;
comment on function private.refuse_change() is 'Trigger: keeps even the tables'' owner from changing records by mistake.';

create or replace trigger custody_records_append_only
  before update or delete or truncate on public.custody_records
  for each statement execute function private.refuse_change();

-- Nor does a file's row, or a message, go by mistake.
create or replace trigger media_attachments_kept
  before delete or truncate on public.media_attachments
  for each statement execute function private.refuse_change();

create or replace function private.custody_hash(r public.custody_records)
  returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  return encode(sha256(convert_to(jsonb_build_array(
    r.tenant_id, r.seq, r.file_id, r.ticket_id, r.event,
    to_char(r.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    r.user_id, r.user_role, r.details, r.previous_hash
  )::text, 'UTF8')), 'hex');
end
$$;
comment on function private.custody_hash(public.custody_records) is 'What a record''s hash must be.';

-- The three functions that write records. What the system does and what a person does are told apart by the function that is
-- called, never by the role or the claims a transaction happens to have: an upload with a user's own token commits as that
-- user, and the receipt that a deferred trigger writes then is still not the user's act.
create function private.append_custody_record(
  tenant_id uuid, event text, details jsonb, file_id uuid, ticket_id uuid, user_id uuid, user_role text
)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  head private.custody_heads;
  record public.custody_records;
begin
  insert into private.custody_heads (tenant_id, seq, hash) values (append_custody_record.tenant_id, 0, repeat('0', 64))
  on conflict do nothing;
  -- held until this transaction ends: records are chained in the order they become visible. Always the last lock taken.
  select h.* into head from private.custody_heads h where h.tenant_id = append_custody_record.tenant_id for update;
  record := row(
    append_custody_record.tenant_id, head.seq + 1, append_custody_record.file_id, append_custody_record.ticket_id,
    append_custody_record.event, clock_timestamp(), append_custody_record.user_id, append_custody_record.user_role,
    jsonb_strip_nulls(append_custody_record.details), head.hash, ''
  );
  record.hash := private.custody_hash(record);
  insert into public.custody_records select record.*;
  update private.custody_heads h set seq = record.seq, hash = record.hash where h.tenant_id = append_custody_record.tenant_id;
end
$$;
comment on function private.append_custody_record(uuid, text, jsonb, uuid, uuid, uuid, text) is
  'Adds a record to a municipality''s chain. Called only by record_system_event and record_user_event.';
revoke execute on function private.append_custody_record(uuid, text, jsonb, uuid, uuid, uuid, text)
  from public, anon, authenticated, service_role;

-- SECURITY DEFINER: nobody has the right to write records, or they could write what they like. No role may call it: triggers
-- and functions of this schema do, as its owner.
create function private.record_system_event(
  tenant_id uuid, event text, details jsonb default '{}', file_id uuid default null, ticket_id uuid default null
)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform private.append_custody_record(tenant_id, event, details, file_id, ticket_id, null, null);
end
$$;
comment on function private.record_system_event(uuid, text, jsonb, uuid, uuid) is
  'Records what the system did. The record names no user, whoever''s transaction it is written in.';
revoke execute on function private.record_system_event(uuid, text, jsonb, uuid, uuid)
  from public, anon, authenticated, service_role;

-- SECURITY DEFINER: as record_system_event. A user's role may call it, since functions that run as the caller do, so it checks
-- everything that it writes.
create function private.record_user_event(
  tenant_id uuid, event text, details jsonb default '{}', file_id uuid default null, ticket_id uuid default null
)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  -- a user's record is of their own municipality, and only of what users do; a token without a user is nobody's
  if (select auth.uid()) is null
    or tenant_id is distinct from private.caller_tenant()
    or event not in ('url_signed', 'certified', 'retried', 'report_opened', 'marked_sensitive', 'message_moved')
  then
    raise exception using errcode = '42501', message = 'this is not for a user to record';
  end if;
  perform private.append_custody_record(
    tenant_id, event, details, file_id, ticket_id, (select auth.uid()), private.caller_role()
  );
end
$$;
comment on function private.record_user_event(uuid, text, jsonb, uuid, uuid) is
  'Records what the caller did. Who that is comes from the verified token alone.';
revoke execute on function private.record_user_event(uuid, text, jsonb, uuid, uuid)
  from public, anon, authenticated, service_role;
grant execute on function private.record_user_event(uuid, text, jsonb, uuid, uuid) to authenticated;

create view public.evidence_access_log with (security_invoker = true) as
select
  r.tenant_id, r.seq, r.file_id, r.user_id, r.user_role,
  (r.details ->> 'expires_in')::integer as expires_in, r.details ->> 'request_id' as request_id,
  r.recorded_at as accessed_at
from public.custody_records r
where r.event = 'url_signed';
comment on view public.evidence_access_log is 'Every signed URL of GBV evidence: who was given it, in what role, when, for how many seconds.';
revoke all on public.evidence_access_log from anon, authenticated, service_role;
grant select on public.evidence_access_log to authenticated, service_role;

create or replace function private.recorded_file(file_id uuid)
  returns table (
    seq bigint, received_at timestamptz, filename text, sha256 text, file_size bigint, content_type text, bucket text
  )
  language sql stable
  set search_path = ''
as $$
  -- of each fact the latest that was recorded
  select
    max(r.seq),
    min(r.recorded_at) filter (where r.event = 'received'),
    (array_agg(r.details ->> 'filename' order by r.seq) filter (where r.details ? 'filename'))[1],
    (array_agg(r.details ->> 'sha256' order by r.seq desc) filter (where r.details ? 'sha256'))[1],
    (array_agg((r.details ->> 'file_size')::bigint order by r.seq desc) filter (where r.details ? 'file_size'))[1],
    (array_agg(r.details ->> 'content_type' order by r.seq desc) filter (where r.details ? 'content_type'))[1],
    (array_agg(r.details ->> 'bucket' order by r.seq desc) filter (where r.details ? 'bucket'))[1]
  from public.custody_records r
  where r.file_id = recorded_file.file_id and r.event in ('received', 'stored', 'hashed', 'moved')
$$;
comment on function private.recorded_file(uuid) is 'What the chain''s records say a file is.';

-- SECURITY DEFINER: reads whole chains, of which the caller may see but parts.
create or replace function private.first_tampered(tenant_id uuid)
  returns table (municipality_id uuid, seq bigint, problem text)
  language sql stable security definer
  set search_path = ''
as $$
  with chained as (
    select r, r.tenant_id, r.seq,
      lag(r.seq, 1, 0::bigint) over chain as seq_before,
      lag(r.hash, 1, repeat('0', 64)) over chain as hash_before
    from public.custody_records r
    where first_tampered.tenant_id is null or r.tenant_id = first_tampered.tenant_id
    window chain as (partition by r.tenant_id order by r.seq)
  ), problems as (
    select c.tenant_id, c.seq, case
        when c.seq <> c.seq_before + 1 then 'records before this one are missing'
        when (c.r).hash <> private.custody_hash(c.r) then 'this record was changed'
        when (c.r).previous_hash <> c.hash_before then 'this record does not continue the one before'
      end as problem, false as of_a_file
    from chained c
    union all
    select h.tenant_id, h.seq, 'the last records are missing or were changed', false
    from private.custody_heads h
    where (first_tampered.tenant_id is null or h.tenant_id = first_tampered.tenant_id)
      and h.seq > 0
      and not exists (
        select 1 from public.custody_records r where r.tenant_id = h.tenant_id and r.seq = h.seq and r.hash = h.hash
      )
    union all
    select r.tenant_id, r.seq, 'this record stands after the end of the chain', false
    from public.custody_records r
    left join private.custody_heads h on h.tenant_id = r.tenant_id
    where (first_tampered.tenant_id is null or r.tenant_id = first_tampered.tenant_id) and r.seq > coalesce(h.seq, 0)
    union all
    -- what stands in media_attachments, by which files are found and certified, is what the records say
    select m.tenant_id, coalesce(told.seq, 0), 'the file ' || m.file_id || ' is not as recorded', true
    from public.media_attachments m
    cross join lateral private.recorded_file(m.file_id) told
    where (first_tampered.tenant_id is null or m.tenant_id = first_tampered.tenant_id)
      and m.status = 'stored'
      and (told.received_at, told.filename, told.sha256, told.file_size, told.bucket)
        is distinct from (coalesce(told.received_at, '-infinity'), m.filename, m.sha256, m.file_size, m.bucket)
  )
  select distinct on (p.tenant_id) p.tenant_id, p.seq, p.problem
  from problems p
  where p.problem is not null
  order by p.tenant_id, p.of_a_file, p.seq
$$;
comment on function private.first_tampered(uuid) is 'As verify_custody, without asking who calls.';

create or replace function public.verify_custody(
  municipality_id uuid default null,
  known_seq bigint default null,
  known_hash text default null
)
  returns table (tenant_id uuid, seq bigint, problem text)
  language plpgsql stable
  set search_path = ''
as $$
begin
  if (select auth.uid()) is not null then
    if not private.caller_sees_sensitive() or private.caller_tenant() is null then
      raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
    end if;
    municipality_id := private.caller_tenant();
  end if;
  return query
    select t.municipality_id, t.seq, t.problem from private.first_tampered(verify_custody.municipality_id) t;
  if known_seq is not null and not exists (
    select 1 from public.custody_records r
    where r.tenant_id = verify_custody.municipality_id and r.seq = known_seq and r.hash = known_hash
  ) then
    return query select verify_custody.municipality_id, known_seq, 'the chain is not the one that was certified then';
  end if;
end
$$;
comment on function public.verify_custody(uuid, bigint, text) is
  'The first record of each chain that was tampered with, and how; no row when all is well. known_seq and known_hash, from a printed certificate, show whether the whole chain was written anew. Users verify their own municipality''s.';

create function public.custody_certificate(file_id uuid)
  returns jsonb
  language plpgsql volatile
  set search_path = ''
as $$
declare
  file public.media_attachments;
  told record;
  tampered jsonb;
begin
  if not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  -- row-level security: what may not be read does not exist
  select m.* into file from public.media_attachments m where m.file_id = custody_certificate.file_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  -- verified before the chain's head is held: nobody waits for it
  select to_jsonb(t) into tampered from private.first_tampered(file.tenant_id) t;
  perform private.record_user_event(file.tenant_id, 'certified', '{}', file.file_id);
  select r.* into told from private.recorded_file(file.file_id) r;
  return jsonb_build_object(
    'purpose', 'Facts certified under section 15(4) of the Electronic Communications and Transactions Act 25 of 2002',
    'file', jsonb_build_object(
      -- as the records say, which cannot be changed without a trace
      'file_id', file.file_id, 'filename', told.filename, 'sha256', told.sha256, 'file_size', told.file_size,
      'content_type', told.content_type, 'bucket', told.bucket, 'received_at', told.received_at,
      'declared_sha256', file.declared_sha256, 'source', file.source, 'status', file.status, 'path', file.path,
      'message_sid', file.message_sid, 'media_index', file.media_index, 'stored_at', file.stored_at
    ),
    'municipality', (select to_jsonb(m) - 'created_at' from public.municipalities m where m.id = file.tenant_id),
    'tracking_number', (select t.tracking_number from public.tickets t where t.id = file.ticket_id),
    'records', (
      select jsonb_agg(to_jsonb(r) - 'tenant_id' - 'file_id' order by r.seq)
      from public.custody_records r where r.file_id = file.file_id
    ),
    'chain', (
      select jsonb_build_object(
        'seq', r.seq, 'hash', r.hash, 'intact', tampered is null, 'first_tampered', tampered
      )
      from public.custody_records r where r.tenant_id = file.tenant_id order by r.seq desc limit 1
    ),
    'issued_at', now(),
    'issued_by', jsonb_build_object('user_id', (select auth.uid()), 'role', private.caller_role())
  );
end
$$;
comment on function public.custody_certificate(uuid) is
  'All that an officer certifies of a file: what it is by its records, its SHA-256, every record of it, the chain''s head and whether the chain was intact. For admins and police liaison; issuing it is recorded.';

create function public.open_evidence(files jsonb, request_id text, expires_in integer default null)
  returns table (ordinal integer, file_id uuid, bucket text, path text, expires_seconds integer, gbv boolean, refused text)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  wanted jsonb;
  file public.media_attachments;
begin
  if (select auth.uid()) is null or private.caller_tenant() is null then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'the token names no municipality';
  end if;
  if jsonb_array_length(files) not between 1 and 100 then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'files: 1 to 100';
  end if;
  for ordinal, wanted in select f.ordinality::integer - 1, f.value from jsonb_array_elements(files) with ordinality f loop
    -- row-level security decides; what may not be read does not exist
    if wanted ? 'file_id' then
      select m.* into file from public.media_attachments m
      where m.file_id = private.safe_uuid(wanted ->> 'file_id') and m.status = 'stored';
    else
      select m.* into file from public.media_attachments m
      where m.bucket = wanted ->> 'bucket' and m.path = wanted ->> 'path' and m.status = 'stored';
    end if;
    if not found then
      file_id := null; bucket := null; path := null; gbv := null; expires_seconds := null;
      refused := 'not_found';
    else
      file_id := file.file_id; bucket := file.bucket; path := file.path;
      gbv := file.is_sensitive;
      expires_seconds := coalesce(expires_in, case when gbv then 300 else 3600 end);
      refused := case
        when expires_seconds not between 1 and case when gbv then 900 else 86400 end then 'invalid_request'
      end;
      if gbv and refused is null then
        perform private.record_user_event(
          file.tenant_id, 'url_signed',
          jsonb_build_object('expires_in', expires_seconds, 'request_id', left(request_id, 100)), file_id
        );
      end if;
    end if;
    return next;
  end loop;
end
$$;
comment on function public.open_evidence(jsonb, text, integer) is
  'Which of the files ({file_id} or {bucket, path}, at most 100) the caller may be given URLs of, in the order asked; notes each GBV one. expires_in in seconds: 1 to 86400, default 3600; for GBV evidence at most 900, default 300.';

revoke execute on function
  private.refuse_change(),
  private.custody_hash(public.custody_records),
  private.first_tampered(uuid),
  private.recorded_file(uuid),
  public.verify_custody(uuid, bigint, text),
  public.custody_certificate(uuid),
  public.open_evidence(jsonb, text, integer)
  from public, anon, authenticated, service_role;
grant execute on function
  private.first_tampered(uuid),
  private.recorded_file(uuid),
  public.verify_custody(uuid, bigint, text),
  public.custody_certificate(uuid),
  public.open_evidence(jsonb, text, integer)
  to authenticated;
grant execute on function private.first_tampered(uuid), public.verify_custody(uuid, bigint, text) to service_role;
