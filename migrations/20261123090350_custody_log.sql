-- The custody log: what happened to each file, in records that are only ever added. Recording is one insert that waits for
-- nobody; custody_tree gives the records their place. docs/custody.md describes every byte.

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
create index if not exists custody_records_reader_idx on public.custody_records (tenant_id, user_id, recorded_at desc) where event = 'url_signed';
-- no estimate reveals how much GBV evidence was read
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
comment on column public.custody_records.id is 'A UUID whose first 48 bits are the time. It does not reveal how many records other municipalities have.';
comment on column public.custody_records.seq is 'Place in the municipality''s log, from 1; NULL until sealed. By time: recorded_at.';
comment on column public.custody_records.user_id is 'The user who acted; NULL for what the system did, in anybody''s transaction. No foreign key: the record outlives the account.';
comment on column public.custody_records.ticket_id is 'The ticket, for a record that is not about one file.';
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

-- Ordinary and GBV evidence share a log. People who may not know of GBV evidence see none of it: gaps would give it away.
-- nullif, here and for checkpoints, time stamps and audits: as in the policies of tickets
create policy "police liaison and admins see what happened to files" on public.custody_records
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()), false) is not null);
create policy "records: police liaison and admins only, whatever other policies there are" on public.custody_records
  as restrictive for all to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(current_user = 'authenticated' and (select private.caller_sees_sensitive()), false) is not null
  );
create policy "nobody reads the logs' heads" on private.custody_logs for all to public using (false);
create policy "nobody reads the nodes" on private.custody_nodes for all to public using (false);

revoke all on public.custody_records from anon, authenticated, service_role;
revoke all on private.custody_logs, private.custody_nodes from public, anon, authenticated, service_role;
grant select on public.custody_records to authenticated, service_role;

-- `or replace`, here and below: the uninstall keeps what protects and verifies records.
create or replace function private.refuse_change()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = format('%s: records of evidence are kept', tg_table_name);
end
$$;
comment on function private.refuse_change() is 'Trigger: stops even the tables'' owner from changing records by mistake.';
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

-- Nor can a file's row be deleted by mistake.
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
comment on function private.commitment(bytea, text) is 'What the log holds in place of a personal detail: SHA-256, hex, of salt and text. NULL without a salt.';
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

-- The functions that write records. Which function is called decides whether the system or a person acted, never the role or
-- claims of the transaction: an upload with a user's own token commits as that user, but the receipt that a deferred trigger then
-- writes is not the user's act.
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

-- SECURITY DEFINER: nobody may write records directly, or they could write anything. No role may call it: triggers and functions
-- of this schema do, as its owner.
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
  'Records what the system did. The record names no user, in anybody''s transaction.';
revoke execute on function private.record_system_event(uuid, text, jsonb, uuid, uuid)
  from public, anon, authenticated, service_role;

-- SECURITY DEFINER: as record_system_event. Users may call it, because functions that run as the caller do, so it checks everything
-- that it writes.
create function private.record_user_event(
  tenant_id uuid, event text, details jsonb default '{}', file_id uuid default null, ticket_id uuid default null
)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  -- a user's record is of their own municipality, and only of what users do; a token without a user counts for nothing
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
