-- The chain of custody: what happened to each file, in records that are only ever added, each holding the hash of the one
-- before in its municipality; and the handing out of files, which writes such a record before a URL of GBV evidence exists.

create table public.custody_records (
  tenant_id uuid not null references public.municipalities (id),
  seq bigint not null check (seq > 0),
  file_id uuid not null references public.media_attachments (file_id),
  event text not null check (event in (
    'received', 'stored', 'hashed', 'moved', 'url_signed', 'certified', 'failed', 'expired', 'retried'
  )),
  recorded_at timestamptz not null,
  user_id uuid,
  user_role text,
  details jsonb not null,
  previous_hash text not null check (previous_hash ~ '^[0-9a-f]{64}$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  primary key (tenant_id, seq)
);
create index custody_records_file_id_idx on public.custody_records (file_id, seq);

comment on table public.custody_records is
  'Append-only, hash-chained per municipality: receipt, storing, hashing, moves, each signed URL of GBV evidence, failures. No API role writes, changes or deletes it; verify_custody() finds what a superuser did.';
comment on column public.custody_records.user_id is 'Who acted; NULL for the system. No foreign key: the record outlives the account.';
comment on column public.custody_records.previous_hash is 'Hash of the record before (seq - 1); 64 zeros for the first.';
comment on column public.custody_records.hash is 'SHA-256, hex, of all other columns: private.custody_hash().';

-- The end of each chain: where the next record goes on, and by which a missing last record is found.
create table private.custody_heads (
  tenant_id uuid primary key references public.municipalities (id),
  seq bigint not null,
  hash text not null
);
comment on table private.custody_heads is 'The last record of each municipality''s chain. Locked by who adds one, so that the chain never forks.';

alter table public.custody_records enable row level security;
alter table private.custody_heads enable row level security;

create policy "staff see what happened to the files they may read" on public.custody_records
  for select to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and (select private.caller_is_staff())
    and exists (select 1 from public.media_attachments m where m.file_id = custody_records.file_id)
  );
create policy "nobody reads the heads" on private.custody_heads for all to public using (false);

revoke all on public.custody_records from anon, authenticated, service_role;
grant select on public.custody_records to authenticated, service_role;

create function private.refuse_change()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = format('%I is only ever added to', tg_table_name);
end
$$;
comment on function private.refuse_change() is 'Trigger: keeps even the tables'' owner from changing records by mistake.';

create trigger custody_records_append_only
  before update or delete or truncate on public.custody_records
  for each statement execute function private.refuse_change();

create function private.custody_hash(r public.custody_records)
  returns text
  language sql stable
  set search_path = ''
as $$
  select encode(sha256(convert_to(jsonb_build_array(
    r.tenant_id, r.seq, r.file_id, r.event,
    to_char(r.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    r.user_id, r.user_role, r.details, r.previous_hash
  )::text, 'UTF8')), 'hex')
$$;
comment on function private.custody_hash(public.custody_records) is 'What a record''s hash must be.';

-- SECURITY DEFINER: nobody has the right to write records, or they could write what they like.
create function private.record_custody(tenant_id uuid, file_id uuid, event text, details jsonb default '{}')
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  head private.custody_heads;
  record public.custody_records;
begin
  insert into private.custody_heads (tenant_id, seq, hash) values (record_custody.tenant_id, 0, repeat('0', 64))
  on conflict do nothing;
  -- held until this transaction ends: records are chained in the order they become visible
  select h.* into head from private.custody_heads h where h.tenant_id = record_custody.tenant_id for update;
  record := row(
    record_custody.tenant_id, head.seq + 1, record_custody.file_id, record_custody.event,
    clock_timestamp(),
    (select auth.uid()), case when (select auth.uid()) is not null then private.caller_role() end,
    jsonb_strip_nulls(record_custody.details), head.hash, ''
  );
  record.hash := private.custody_hash(record);
  insert into public.custody_records select record.*;
  update private.custody_heads h set seq = record.seq, hash = record.hash where h.tenant_id = record_custody.tenant_id;
end
$$;
comment on function private.record_custody(uuid, uuid, text, jsonb) is
  'Adds a record to a municipality''s chain. Who acted comes from the token alone.';

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

-- SECURITY DEFINER: reads whole chains, of which the caller may see but parts.
create function private.first_tampered(tenant_id uuid)
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
      end as problem
    from chained c
    union all
    select h.tenant_id, h.seq, 'the last records are missing or were changed'
    from private.custody_heads h
    where (first_tampered.tenant_id is null or h.tenant_id = first_tampered.tenant_id)
      and h.seq > 0
      and not exists (
        select 1 from public.custody_records r where r.tenant_id = h.tenant_id and r.seq = h.seq and r.hash = h.hash
      )
    union all
    select r.tenant_id, r.seq, 'this record stands after the end of the chain'
    from public.custody_records r
    left join private.custody_heads h on h.tenant_id = r.tenant_id
    where (first_tampered.tenant_id is null or r.tenant_id = first_tampered.tenant_id) and r.seq > coalesce(h.seq, 0)
  )
  select distinct on (p.tenant_id) p.tenant_id, p.seq, p.problem
  from problems p
  where p.problem is not null
  order by p.tenant_id, p.seq
$$;
comment on function private.first_tampered(uuid) is 'As verify_custody, without asking who calls.';

create function public.verify_custody(municipality_id uuid default null)
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
  return query select t.municipality_id, t.seq, t.problem from private.first_tampered(verify_custody.municipality_id) t;
end
$$;
comment on function public.verify_custody(uuid) is
  'The first record of each chain that was tampered with, and how; no row when all is well. Users verify their own municipality''s.';

create function public.custody_certificate(file_id uuid)
  returns jsonb
  language plpgsql volatile
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  if not private.caller_is_staff() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for staff';
  end if;
  -- row-level security: what may not be read does not exist
  select m.* into file from public.media_attachments m where m.file_id = custody_certificate.file_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  perform private.record_custody(file.tenant_id, file.file_id, 'certified');
  return jsonb_build_object(
    'purpose', 'Facts certified under section 15(4) of the Electronic Communications and Transactions Act 25 of 2002',
    'file', jsonb_build_object(
      'file_id', file.file_id, 'filename', file.filename, 'sha256', file.sha256, 'declared_sha256', file.declared_sha256,
      'file_size', file.file_size, 'content_type', file.content_type, 'source', file.source, 'status', file.status,
      'message_sid', file.message_sid, 'media_index', file.media_index, 'bucket', file.bucket, 'path', file.path,
      'received_at', (
        select min(r.recorded_at) from public.custody_records r where r.file_id = file.file_id and r.event = 'received'
      ),
      'stored_at', file.stored_at
    ),
    'municipality', (select to_jsonb(m) - 'created_at' from public.municipalities m where m.id = file.tenant_id),
    'tracking_number', (select t.tracking_number from public.tickets t where t.id = file.ticket_id),
    'records', (
      select jsonb_agg(to_jsonb(r) - 'tenant_id' - 'file_id' order by r.seq)
      from public.custody_records r where r.file_id = file.file_id
    ),
    'chain', private.custody_head(file.tenant_id),
    'issued_at', now(),
    'issued_by', jsonb_build_object('user_id', (select auth.uid()), 'role', private.caller_role())
  );
end
$$;
comment on function public.custody_certificate(uuid) is
  'All that an officer certifies of a file the caller may read: what it is, its SHA-256, every record of it, the chain''s head and whether the chain is intact. Issuing it is recorded.';

-- SECURITY DEFINER: as first_tampered.
create function private.custody_head(tenant_id uuid)
  returns jsonb
  language sql stable security definer
  set search_path = ''
as $$
  select jsonb_build_object(
    'seq', h.seq, 'hash', h.hash,
    'intact', not exists (select 1 from private.first_tampered(custody_head.tenant_id)),
    'first_tampered', (select to_jsonb(t) from private.first_tampered(custody_head.tenant_id) t)
  )
  from private.custody_heads h where h.tenant_id = custody_head.tenant_id
$$;
comment on function private.custody_head(uuid) is 'The end of a municipality''s chain, and whether the chain is intact.';

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
      gbv := private.is_gbv(file.bucket, file.ticket_id);
      expires_seconds := coalesce(expires_in, case when gbv then 300 else 3600 end);
      refused := case
        when expires_seconds not between 1 and case when gbv then 900 else 86400 end then 'invalid_request'
      end;
      if gbv and refused is null then
        perform private.record_custody(
          file.tenant_id, file_id, 'url_signed',
          jsonb_build_object('expires_in', expires_seconds, 'request_id', left(request_id, 100))
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
  private.record_custody(uuid, uuid, text, jsonb),
  private.first_tampered(uuid),
  private.custody_head(uuid),
  public.verify_custody(uuid),
  public.custody_certificate(uuid),
  public.open_evidence(jsonb, text, integer)
  from public;
grant execute on function
  private.record_custody(uuid, uuid, text, jsonb),
  private.first_tampered(uuid),
  private.custody_head(uuid),
  public.verify_custody(uuid),
  public.custody_certificate(uuid),
  public.open_evidence(jsonb, text, integer)
  to authenticated;
grant execute on function private.first_tampered(uuid), public.verify_custody(uuid) to service_role;
