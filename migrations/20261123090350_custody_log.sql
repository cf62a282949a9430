-- The custody log: what happened to each file, in records that are only ever added. Recording is one insert that waits for
-- nobody. Sealing gives records their place in a Merkle tree (RFC 9162), one log per municipality; from then on a record can be
-- proved to be in the log, and the log to have only grown. docs/custody.md describes every byte.

select private.lock_tables('{}');

create table if not exists public.custody_records (
  id uuid primary key,
  tenant_id uuid not null references public.municipalities (id),
  seq bigint check (seq > 0),
  file_id uuid, -- no foreign key: the record outlives the row
  ticket_id uuid,
  event text not null check (event in (
    'received', 'stored', 'hashed', 'moved', 'url_signed', 'certified', 'failed', 'retried', 'deleted',
    'report_opened', 'report_refused', 'marked_sensitive', 'message_moved', 'bundled',
    'person_changed', 'number_added', 'number_removed', 'municipality_added'
  )),
  recorded_at timestamptz not null,
  user_id uuid,
  user_role text,
  details jsonb not null,
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  check (
    file_id is not null or ticket_id is not null or event in (
      'report_refused', -- what was asked for may not exist
      'person_changed', 'number_added', 'number_removed', 'municipality_added'
    )
  )
);
create unique index if not exists custody_records_seq_idx on public.custody_records (tenant_id, seq) where seq is not null;
create index if not exists custody_records_unsealed_idx on public.custody_records (tenant_id, recorded_at, id) where seq is null;
create index if not exists custody_records_file_id_idx on public.custody_records (file_id, recorded_at);
create index if not exists custody_records_url_signed_idx on public.custody_records (tenant_id, recorded_at desc) where event = 'url_signed';
-- no estimate tells how much GBV evidence was looked at
alter table public.custody_records
  alter column id set statistics 0,
  alter column seq set statistics 0,
  alter column file_id set statistics 0,
  alter column ticket_id set statistics 0,
  alter column event set statistics 0,
  alter column recorded_at set statistics 0,
  alter column user_id set statistics 0,
  alter column user_role set statistics 0,
  alter column hash set statistics 0,
  alter column details set statistics 0,
  alter column tenant_id set statistics 0;

comment on table public.custody_records is
  'Append-only: receipt, storing, hashing, moves, each signed URL of GBV evidence, failures. The leaves of each municipality''s Merkle tree. No API role writes, changes or deletes them; tampering by a superuser is detected.';
comment on column public.custody_records.id is 'A UUID whose first 48 bits are the time: no count of other municipalities'' records can be read from it.';
comment on column public.custody_records.seq is 'Place in the municipality''s log, from 1; NULL until sealed. By time: recorded_at.';
comment on column public.custody_records.user_id is 'The user who acted; NULL for what the system did, in whoever''s transaction. No foreign key: the record outlives the account.';
comment on column public.custody_records.ticket_id is 'The ticket that was acted on, of a record that is not of one file.';
comment on column public.custody_records.hash is 'The leaf hash, hex: SHA-256 of a zero byte and private.custody_leaf().';

create table if not exists private.custody_logs (
  tenant_id uuid primary key references public.municipalities (id),
  size bigint not null check (size >= 0),
  root bytea not null,
  checkpoint_wanted boolean not null default false,
  sealed_at timestamptz not null default now()
);
comment on column private.custody_logs.checkpoint_wanted is 'A certificate was issued since the last checkpoint.';
comment on table private.custody_logs is 'How many records of each municipality are sealed, and the root of their tree. Locked by the sealer alone.';

create table if not exists private.custody_nodes (
  tenant_id uuid not null references public.municipalities (id),
  level smallint not null check (level > 0),
  place bigint not null check (place >= 0),
  hash bytea not null,
  primary key (tenant_id, level, place)
);
comment on table private.custody_nodes is
  'Complete nodes of each Merkle tree above its leaves: the one at (level, place) covers 2^level records from seq place * 2^level + 1 on. Never changed.';

alter table public.custody_records enable row level security;
alter table private.custody_logs enable row level security;
alter table private.custody_nodes enable row level security;

-- Ordinary and GBV evidence share a log: who may not know of GBV evidence sees none of it, or its gaps would tell.
create policy "police liaison and admins see what happened to files" on public.custody_records
  for select to authenticated
  using (tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()));
create policy "records: police liaison and admins only, whatever other policies there are" on public.custody_records
  as restrictive for all to public
  using (
    current_user = 'authenticated' and tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive())
  );
create policy "nobody reads the logs' heads" on private.custody_logs for all to public using (false);
create policy "nobody reads the nodes" on private.custody_nodes for all to public using (false);

revoke all on public.custody_records from anon, authenticated, service_role;
revoke all on private.custody_logs, private.custody_nodes from public, anon, authenticated, service_role;
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
revoke execute on function private.refuse_change() from public, anon, authenticated, service_role;

create or replace trigger custody_records_kept
  before delete or truncate on public.custody_records
  for each statement execute function private.refuse_change();
-- Sealing gives a record its place, once. Nothing else changes.
create or replace trigger custody_records_append_only
  before update on public.custody_records
  for each row when (
    old.seq is not null or new.seq is null
    or old.id is distinct from new.id or old.tenant_id is distinct from new.tenant_id
    or old.file_id is distinct from new.file_id or old.ticket_id is distinct from new.ticket_id
    or old.event is distinct from new.event or old.recorded_at is distinct from new.recorded_at
    or old.user_id is distinct from new.user_id or old.user_role is distinct from new.user_role
    or old.details is distinct from new.details or old.hash is distinct from new.hash
  )
  execute function private.refuse_change();
create or replace trigger custody_nodes_append_only
  before update or delete or truncate on private.custody_nodes
  for each statement execute function private.refuse_change();

-- Nor does a file's row, or a message, go by mistake.
create or replace trigger media_attachments_kept
  before delete or truncate on public.media_attachments
  for each statement execute function private.refuse_change();

-- Recording ------------------------------------------------------------------------------------------------------------

create or replace function private.custody_leaf(r public.custody_records)
  returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  return jsonb_build_array(
    'custody/1', r.id, r.tenant_id, r.file_id, r.ticket_id, r.event,
    to_char(r.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    r.user_id, r.user_role, r.details
  )::text;
end
$$;
comment on function private.custody_leaf(public.custody_records) is
  'A record''s canonical text, whose UTF-8 bytes are its leaf. Its first element names the version: later versions leave the older ones valid.';
revoke execute on function private.custody_leaf(public.custody_records) from public, anon, authenticated, service_role;
grant execute on function private.custody_leaf(public.custody_records) to authenticated, service_role;

create or replace function private.custody_hash(r public.custody_records)
  returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  return encode(sha256('\x00'::bytea || convert_to(private.custody_leaf(r), 'UTF8')), 'hex');
end
$$;
comment on function private.custody_hash(public.custody_records) is 'What a record''s hash must be: its leaf hash by RFC 9162.';
revoke execute on function private.custody_hash(public.custody_records) from public, anon, authenticated, service_role;
grant execute on function private.custody_hash(public.custody_records) to authenticated;

create or replace function private.commitment(salt bytea, value text)
  returns text
  language plpgsql immutable
  set search_path = ''
as $$
begin
  return encode(sha256(salt || convert_to(value, 'UTF8')), 'hex');
end
$$;
comment on function private.commitment(bytea, text) is 'What stands in the log for a personal detail: SHA-256, hex, of salt and text. NULL without a salt.';
revoke execute on function private.commitment(bytea, text) from public, anon, authenticated, service_role;
grant execute on function private.commitment(bytea, text) to authenticated;

create function private.committed(details jsonb, file_id uuid)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  salt bytea;
begin
  if not details ?| array['filename', 'path'] then
    return details;
  end if;
  select m.custody_salt into salt from public.media_attachments m where m.file_id = committed.file_id;
  return details - array['filename', 'path'] || jsonb_build_object(
    'filename_commitment', private.commitment(salt, details ->> 'filename'),
    'path_commitment', private.commitment(salt, details ->> 'path')
  );
end
$$;
comment on function private.committed(jsonb, uuid) is 'Details as they go into the log: names of files (a path ends in one) as commitments, with the salt of the file''s row.';
revoke execute on function private.committed(jsonb, uuid) from public, anon, authenticated, service_role;

create function private.new_record_id()
  returns uuid
  language plpgsql volatile
  set search_path = ''
as $$
begin
  -- UUID version 7 (RFC 9562): milliseconds, then random bits
  return encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6
  ), 52, 1), 53, 1), 'hex')::uuid;
end
$$;
comment on function private.new_record_id() is 'An id that sorts by time, so that the index grows at its end.';
revoke execute on function private.new_record_id() from public, anon, authenticated, service_role;

-- The functions that write records. What the system does and what a person does are told apart by the function that is
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
  record public.custody_records;
begin
  record := row(
    private.new_record_id(), append_custody_record.tenant_id, null, append_custody_record.file_id,
    append_custody_record.ticket_id, append_custody_record.event, clock_timestamp(), append_custody_record.user_id,
    append_custody_record.user_role,
    jsonb_strip_nulls(private.committed(append_custody_record.details, append_custody_record.file_id)), ''
  );
  record.hash := private.custody_hash(record);
  insert into public.custody_records select record.*;
end
$$;
comment on function private.append_custody_record(uuid, text, jsonb, uuid, uuid, uuid, text) is
  'Adds a record, unsealed: one insert, which waits for nobody. Called only by record_system_event and record_user_event.';
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
    or event not in ('url_signed', 'certified', 'bundled', 'retried', 'report_opened', 'report_refused', 'marked_sensitive', 'message_moved')
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

-- Sealing --------------------------------------------------------------------------------------------------------------

-- Plans are pinned to index scans: the tables have no statistics on purpose, and a new one has none yet.
-- SECURITY DEFINER: no API role writes places or nodes. It takes no content from its caller.
create function private.seal_custody(tenant_id uuid, only_file uuid default null, batch integer default 5000)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  old_size bigint;
  new_size bigint;
  ids uuid[];
begin
  insert into private.custody_logs (tenant_id, size, root) values (seal_custody.tenant_id, 0, sha256(''))
  on conflict do nothing;
  if only_file is null then
    -- somebody else is sealing: then this need not
    select l.size into old_size from private.custody_logs l where l.tenant_id = seal_custody.tenant_id for update skip locked;
    if not found then
      return 0;
    end if;
    select array_agg(u.id order by u.recorded_at, u.id) into ids from (
      select r.id, r.recorded_at from public.custody_records r
      where r.tenant_id = seal_custody.tenant_id and r.seq is null
      order by r.recorded_at, r.id limit batch
    ) u;
  else
    select l.size into old_size from private.custody_logs l where l.tenant_id = seal_custody.tenant_id for update;
    select array_agg(r.id order by r.recorded_at, r.id) into ids from public.custody_records r
    where r.file_id = only_file and r.tenant_id = seal_custody.tenant_id and r.seq is null;
  end if;
  if ids is null then
    return 0;
  end if;
  new_size := old_size + cardinality(ids);
  update public.custody_records r set seq = old_size + u.n
  from unnest(ids) with ordinality u (id, n) where r.id = u.id;
  for height in 1..62 loop
    exit when new_size >> height = old_size >> height;
    if height = 1 then
      insert into private.custody_nodes (tenant_id, level, place, hash)
      select seal_custody.tenant_id, 1, (r.seq - 1) >> 1, sha256('\x01'::bytea || string_agg(decode(r.hash, 'hex'), ''::bytea order by r.seq))
      from public.custody_records r
      where r.tenant_id = seal_custody.tenant_id and r.seq > old_size >> 1 << 1 and r.seq <= new_size >> 1 << 1
      group by (r.seq - 1) >> 1;
    else
      insert into private.custody_nodes (tenant_id, level, place, hash)
      select seal_custody.tenant_id, height, n.place >> 1, sha256('\x01'::bytea || string_agg(n.hash, ''::bytea order by n.place))
      from private.custody_nodes n
      where n.tenant_id = seal_custody.tenant_id and n.level = height - 1
        and n.place >= old_size >> height << 1 and n.place < new_size >> height << 1
      group by n.place >> 1;
    end if;
  end loop;
  update private.custody_logs l
  set size = new_size, root = private.custody_range(l.tenant_id, 0, new_size), sealed_at = now(),
    checkpoint_wanted = l.checkpoint_wanted or only_file is not null
  where l.tenant_id = seal_custody.tenant_id;
  return cardinality(ids);
end
$$;
comment on function private.seal_custody(uuid, uuid, integer) is
  'Gives up to `batch` unsealed records of a municipality, or all of one file, their place in its log; how many. One sealer at a time: a second one returns 0, or for one file waits.';
revoke execute on function private.seal_custody(uuid, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function private.seal_custody(uuid, uuid, integer) to authenticated; -- a certificate seals its file's records

-- SECURITY DEFINER: as private.seal_custody.
create function public.seal_custody(batch integer default 5000)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  municipality uuid;
  sealed integer;
begin
  for municipality in
    select m.id from public.municipalities m
    where exists (select from public.custody_records r where r.tenant_id = m.id and r.seq is null)
    order by random()
  loop
    sealed := private.seal_custody(municipality, null, least(batch, 20000));
    if sealed > 0 then
      return sealed; -- one municipality a transaction: its lock is short
    end if;
  end loop;
  return 0;
end
$$;
comment on function public.seal_custody(integer) is 'Seals a batch of one municipality that has unsealed records; how many it sealed, 0 when there is nothing to do.';
revoke execute on function public.seal_custody(integer) from public, anon, authenticated, service_role;
grant execute on function public.seal_custody(integer) to service_role;

-- Proofs ---------------------------------------------------------------------------------------------------------------

create or replace function private.custody_range(tenant_id uuid, low bigint, high bigint)
  returns bytea
  language plpgsql stable
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  parts bytea[] := '{}';
  position bigint := low;
  height integer;
  part bytea;
begin
  if low = high then
    return sha256('');
  end if;
  while position < high loop
    height := 0;
    while position + (2::bigint << height) <= high and height < 61 loop
      height := height + 1;
    end loop;
    if height = 0 then
      select decode(r.hash, 'hex') into part from public.custody_records r
      where r.tenant_id = custody_range.tenant_id and r.seq = position + 1;
    else
      select n.hash into part from private.custody_nodes n
      where n.tenant_id = custody_range.tenant_id and n.level = height and n.place = position >> height;
    end if;
    parts := parts || part;
    position := position + (1::bigint << height);
  end loop;
  part := parts[cardinality(parts)];
  for i in reverse cardinality(parts) - 1..1 loop
    part := sha256('\x01'::bytea || parts[i] || part);
  end loop;
  return part;
end
$$;
comment on function private.custody_range(uuid, bigint, bigint) is
  'MTH(D[low:high]) of RFC 9162, for ranges that its trees are made of: `low` is a multiple of the largest power of two that fits. One read a complete subtree. NULL where records or nodes are missing.';
revoke execute on function private.custody_range(uuid, bigint, bigint) from public, anon, authenticated, service_role;

-- SECURITY DEFINER: reads nodes, which no API role may. It gives away hashes alone.
create or replace function private.custody_root(tenant_id uuid, size bigint)
  returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return encode(private.custody_range(tenant_id, 0, size), 'hex');
end
$$;
comment on function private.custody_root(uuid, bigint) is 'The root, hex, of a municipality''s log when it had so many records.';
revoke execute on function private.custody_root(uuid, bigint) from public, anon, authenticated, service_role;
grant execute on function private.custody_root(uuid, bigint) to authenticated, service_role;

-- SECURITY DEFINER: the head of a log is not readable otherwise.
create or replace function private.custody_size(tenant_id uuid)
  returns bigint
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return coalesce((select l.size from private.custody_logs l where l.tenant_id = custody_size.tenant_id), 0);
end
$$;
comment on function private.custody_size(uuid) is 'How many records of a municipality are sealed.';
revoke execute on function private.custody_size(uuid) from public, anon, authenticated, service_role;
grant execute on function private.custody_size(uuid) to authenticated, service_role;

-- SECURITY DEFINER: as custody_root.
create function private.inclusion_path(tenant_id uuid, seq bigint, size bigint)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  low bigint := 0;
  high bigint := size;
  half bigint;
  path text[] := '{}';
begin
  if seq is null or seq > size then
    return null;
  end if;
  while high - low > 1 loop
    half := private.largest_power_below(high - low);
    if seq - 1 < low + half then
      path := encode(private.custody_range(tenant_id, low + half, high), 'hex') || path;
      high := low + half;
    else
      path := encode(private.custody_range(tenant_id, low, low + half), 'hex') || path;
      low := low + half;
    end if;
  end loop;
  return to_jsonb(path);
end
$$;
comment on function private.inclusion_path(uuid, bigint, bigint) is 'PATH(seq - 1, D[size]) of RFC 9162: hashes, hex, from the leaf up. NULL if the record is not in a log of that size.';
revoke execute on function private.inclusion_path(uuid, bigint, bigint) from public, anon, authenticated, service_role;
grant execute on function private.inclusion_path(uuid, bigint, bigint) to authenticated, service_role;

-- SECURITY DEFINER: as custody_root.
create function private.consistency_path(tenant_id uuid, old_size bigint, size bigint)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  low bigint := 0;
  high bigint := size;
  half bigint;
  whole boolean := true;
  path text[] := '{}';
begin
  if old_size not between 0 and size then
    return null;
  end if;
  if old_size = 0 then
    return '[]';
  end if;
  while old_size < high loop
    half := private.largest_power_below(high - low);
    if old_size <= low + half then
      path := encode(private.custody_range(tenant_id, low + half, high), 'hex') || path;
      high := low + half;
    else
      path := encode(private.custody_range(tenant_id, low, low + half), 'hex') || path;
      low := low + half;
      whole := false;
    end if;
  end loop;
  if not whole then
    path := encode(private.custody_range(tenant_id, low, high), 'hex') || path;
  end if;
  return to_jsonb(path);
end
$$;
comment on function private.consistency_path(uuid, bigint, bigint) is
  'PROOF(old_size, D[size]) of RFC 9162, hex. Empty for 0 and for equal sizes. NULL if the log never had that size.';
revoke execute on function private.consistency_path(uuid, bigint, bigint) from public, anon, authenticated, service_role;
grant execute on function private.consistency_path(uuid, bigint, bigint) to authenticated, service_role;

create or replace function private.largest_power_below(n bigint)
  returns bigint
  language plpgsql immutable
  set search_path = ''
as $$
declare
  power bigint := 1;
begin
  while power << 1 < n loop
    power := power << 1;
  end loop;
  return power;
end
$$;
comment on function private.largest_power_below(bigint) is 'The largest power of two smaller than n, where RFC 9162 splits a tree.';
revoke execute on function private.largest_power_below(bigint) from public, anon, authenticated, service_role;

create function public.custody_proof(file_id uuid, size bigint default null)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  tenant uuid;
  at_size bigint;
begin
  if (select auth.jwt()) ->> 'role' = 'authenticated' and not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  -- row-level security: what may not be read does not exist
  select r.tenant_id into tenant from public.custody_records r where r.file_id = custody_proof.file_id limit 1;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  at_size := coalesce(size, private.custody_size(tenant));
  if at_size not between 0 and private.custody_size(tenant) then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'size: the log never had it';
  end if;
  return jsonb_build_object(
    'municipality_id', tenant, 'size', at_size, 'root', private.custody_root(tenant, at_size),
    'records', (
      select jsonb_agg(jsonb_build_object(
        'seq', r.seq, 'hash', r.hash, 'leaf', private.custody_leaf(r),
        'proof', private.inclusion_path(r.tenant_id, r.seq, at_size)
      ) order by r.recorded_at, r.id)
      from public.custody_records r where r.file_id = custody_proof.file_id
    )
  );
end
$$;
comment on function public.custody_proof(uuid, bigint) is
  'Every record of a file with its proof of inclusion in the log, at its present or a given earlier size: {municipality_id, size, root, records: [{seq, hash, leaf, proof}]}. proof is NULL for a record not in it yet. For admins and police liaison.';
revoke execute on function public.custody_proof(uuid, bigint) from public, anon, authenticated, service_role;
grant execute on function public.custody_proof(uuid, bigint) to authenticated, service_role;

create function public.custody_consistency(old_size bigint, size bigint default null, municipality_id uuid default null)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  at_size bigint;
begin
  if (select auth.jwt()) ->> 'role' = 'authenticated' then
    if not private.caller_sees_sensitive() or private.caller_tenant() is null then
      raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
    end if;
    municipality_id := private.caller_tenant();
  end if;
  at_size := coalesce(size, private.custody_size(municipality_id));
  if old_size not between 0 and at_size or at_size > private.custody_size(municipality_id) then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'old_size, size: the log never had them';
  end if;
  return jsonb_build_object(
    'municipality_id', municipality_id,
    'old_size', old_size, 'old_root', private.custody_root(municipality_id, old_size),
    'size', at_size, 'root', private.custody_root(municipality_id, at_size),
    'proof', private.consistency_path(municipality_id, old_size, at_size)
  );
end
$$;
comment on function public.custody_consistency(bigint, bigint, uuid) is
  'Proof that the log only grew from old_size to size (now by default): {old_size, old_root, size, root, proof}. Users ask of their own municipality. For admins, police liaison and the service.';
revoke execute on function public.custody_consistency(bigint, bigint, uuid) from public, anon, authenticated, service_role;
grant execute on function public.custody_consistency(bigint, bigint, uuid) to authenticated, service_role;
