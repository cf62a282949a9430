-- Files: one row each, from the moment a file is announced. The row says who may read the file (storage.objects asks it),
-- proves what was received, and is the job of the media worker; there is no second queue.

select private.lock_tables('{public.tickets in share row exclusive mode}', with_policies => false);

create table if not exists public.media_attachments (
  file_id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.municipalities (id),
  ticket_id uuid,
  bucket text not null check (bucket in ('evidence', 'documents', 'gbv-evidence')),
  path text not null,
  filename text not null,
  content_type text not null check (length(content_type) between 1 and 255),
  file_size bigint check (file_size > 0),
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  declared_sha256 text check (declared_sha256 ~ '^[0-9a-f]{64}$'),
  purpose text not null check (purpose in ('evidence', 'documents', 'proof_of_residence', 'gbv-evidence')),
  source text not null default 'web' check (source in ('web', 'whatsapp')),
  status text not null default 'pending' check (status in ('pending', 'stored', 'failed', 'expired')),
  message_sid text,
  media_index smallint check (media_index between 0 and 99),
  attempts smallint not null default 0 check (attempts >= 0),
  next_attempt_at timestamptz default now() + interval '24 hours',
  last_error text,
  is_sensitive boolean not null default false,
  moved_from text check (moved_from in ('evidence', 'documents')),
  created_by uuid,
  -- the log has only a commitment to the file's name: destroying name and salt leaves the log whole
  custody_salt bytea default uuid_send(gen_random_uuid()),
  read_back_at timestamptz,
  read_back_sha256 text check (read_back_sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null default now(),
  stored_at timestamptz,
  -- no separators, and no control characters or marks of direction, which make a name look like another one
  constraint media_attachments_filename_check check (
    length(filename) between 1 and 255
    and filename !~ '[/\\\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]'
    and btrim(filename) not in ('', '.', '..')
  ),
  -- the path says the municipality; named here too, it is looked up in one index
  constraint media_attachments_path_key unique (bucket, path, tenant_id),
  constraint media_attachments_medium_key unique (message_sid, media_index),
  constraint media_attachments_ticket_fkey foreign key (tenant_id, ticket_id) references public.tickets (tenant_id, id),
  -- the pattern is a constant: one built from the row's ids would be compiled for every row, at 2 ms each
  constraint media_attachments_path_check check (
    starts_with(path, tenant_id || '/' || file_id || '/')
    and substr(path, 75) ~ '^[A-Za-z0-9_][A-Za-z0-9._-]{0,179}$'
  ),
  constraint media_attachments_medium_check check (
    (source = 'whatsapp') = (message_sid is not null) and (message_sid is null) = (media_index is null)
  ),
  constraint media_attachments_bucket_of_purpose_check check (
    bucket = 'gbv-evidence'
    or bucket = case when purpose = 'evidence' then 'evidence' when purpose <> 'gbv-evidence' then 'documents' end
  ),
  constraint media_attachments_stored_check check (
    status <> 'stored'
    or (file_size is not null and stored_at is not null and (source = 'web' or sha256 is not null))
  ),
  constraint media_attachments_sensitive_check check (is_sensitive or bucket <> 'gbv-evidence'),
  constraint media_attachments_failed_check check (status <> 'failed' or last_error is not null)
);
create index if not exists media_attachments_created_at_idx on public.media_attachments (tenant_id, created_at desc);
create index if not exists media_attachments_ticket_idx on public.media_attachments (tenant_id, ticket_id);
-- one index per kind of work, so that none waits behind another's backlog (claim_media_work)
create index if not exists media_attachments_due_moves_idx on public.media_attachments (next_attempt_at)
  where next_attempt_at is not null and (moved_from is not null or (status = 'stored' and is_sensitive and bucket <> 'gbv-evidence'));
create index if not exists media_attachments_due_transfers_idx on public.media_attachments (next_attempt_at)
  where next_attempt_at is not null and status = 'pending' and source = 'whatsapp';
create index if not exists media_attachments_due_uploads_idx on public.media_attachments (next_attempt_at)
  where next_attempt_at is not null and status = 'pending' and source = 'web';
create index if not exists media_attachments_due_hashes_idx on public.media_attachments (next_attempt_at)
  where next_attempt_at is not null and status <> 'pending' and not (moved_from is not null or (status = 'stored' and is_sensitive and bucket <> 'gbv-evidence'));
create index if not exists media_attachments_read_back_idx on public.media_attachments (coalesce(read_back_at, stored_at))
  where status = 'stored' and stored_at is not null; -- which all stored have: so it is read for this alone, and not beside others
create index if not exists media_attachments_tenant_file_idx on public.media_attachments (tenant_id, file_id); -- audits go through files by it
create index if not exists media_attachments_altered_idx on public.media_attachments (tenant_id) where read_back_sha256 <> sha256;
-- these two with the municipality, or the planner would look through all of that too
create index if not exists media_attachments_sha256_idx on public.media_attachments (sha256, tenant_id) where sha256 is not null;
create index if not exists media_attachments_created_by_idx on public.media_attachments (created_by, tenant_id, created_at) where created_by is not null;
create index if not exists media_attachments_announced_idx on public.media_attachments (created_by) where status = 'pending' and created_by is not null;

-- as for tickets: no estimate reveals how much GBV evidence there is
alter table public.media_attachments
  alter column ticket_id set statistics 0,
  alter column bucket set statistics 0,
  alter column path set statistics 0,
  alter column filename set statistics 0,
  alter column content_type set statistics 0,
  alter column file_size set statistics 0,
  alter column sha256 set statistics 0,
  alter column declared_sha256 set statistics 0,
  alter column purpose set statistics 0,
  alter column source set statistics 0,
  alter column status set statistics 0,
  alter column message_sid set statistics 0,
  alter column media_index set statistics 0,
  alter column attempts set statistics 0,
  alter column next_attempt_at set statistics 0,
  alter column last_error set statistics 0,
  alter column is_sensitive set statistics 0,
  alter column moved_from set statistics 0,
  alter column created_by set statistics 0,
  alter column read_back_at set statistics 0,
  alter column read_back_sha256 set statistics 0,
  alter column created_at set statistics 0,
  alter column stored_at set statistics 0,
  alter column tenant_id set statistics 0;
alter index public.media_attachments_read_back_idx alter column 1 set statistics 0;

comment on table public.media_attachments is
  'Every file, announced, stored or failed. Only functions write it; people who may read the file may read its row.';
comment on column public.media_attachments.filename is 'The original name, any Unicode; the name in `path` is its safe form.';
comment on column public.media_attachments.content_type is 'Declared at first; what Storage recorded once the file has landed.';
comment on column public.media_attachments.file_size is 'Bytes. Declared at first (NULL for WhatsApp); what Storage recorded once the file has landed.';
comment on column public.media_attachments.sha256 is 'Of the bytes, hex, computed by us; never the one a browser declared.';
comment on column public.media_attachments.declared_sha256 is 'What the browser said it would upload, hex.';
comment on column public.media_attachments.next_attempt_at is
  'When the row is due for the media worker; a lease while it is being worked on; NULL when nothing is left to do. An announced upload has 24 hours.';
comment on column public.media_attachments.attempts is 'Tries so far, including those that died.';
comment on column public.media_attachments.is_sensitive is
  'GBV evidence: its ticket is sensitive, or it is in gbv-evidence. Triggers maintain it in the transaction that changes either.';
comment on column public.media_attachments.moved_from is 'The bucket of an old copy that has not been deleted yet.';
comment on column public.media_attachments.last_error is 'Stable code for why the last attempt failed; shown to staff.';
comment on column public.media_attachments.custody_salt is
  'Salt of the commitments to this file''s name and path in its custody records. NULL once lawfully destroyed.';
comment on column public.media_attachments.read_back_at is 'When the stored bytes were last read back and hashed; due again after 90 days (READ_BACK_DAYS).';
comment on column public.media_attachments.read_back_sha256 is 'SHA-256 of the bytes read back then. If it is not sha256, the stored file was altered.';
comment on column public.media_attachments.created_by is
  'The user who uploaded it. No foreign key: evidence outlives the account.';

-- A file is GBV evidence by its bucket, or because its ticket is sensitive and it has not been moved yet. The row itself says so,
-- so that policies on files, stored objects and records need no join. The ticket's row is the source: two triggers follow it.
--
-- SECURITY DEFINER: the answer must not depend on whether the writer may see the ticket.
create function private.follow_own_ticket()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  ticket_is_sensitive boolean;
begin
  -- Locked until this commits: a ticket that turns sensitive meanwhile waits, and then finds this file.
  select t.is_sensitive into ticket_is_sensitive from public.tickets t where t.id = new.ticket_id for share;
  new.is_sensitive := new.bucket = 'gbv-evidence' or coalesce(ticket_is_sensitive, false);
  if new.is_sensitive and new.bucket <> 'gbv-evidence' and new.status = 'stored' then
    new.next_attempt_at := '-infinity'; -- to be moved, before all other work
  end if;
  return new;
end
$$;
comment on function private.follow_own_ticket() is
  'Trigger: a new file, or one that moves to another ticket or bucket, is as sensitive as its ticket and bucket.';
revoke execute on function private.follow_own_ticket() from public, anon, authenticated, service_role;

create trigger media_follow_ticket_insert
  before insert on public.media_attachments
  for each row execute function private.follow_own_ticket();
-- no column list: a column that another trigger changes is not in the statement's
create trigger media_follow_ticket_update
  before update on public.media_attachments
  for each row when ((new.ticket_id, new.bucket, new.is_sensitive) is distinct from (old.ticket_id, old.bucket, old.is_sensitive))
  execute function private.follow_own_ticket();

-- By statement, and comparing rows: whatever made a ticket sensitive (the flag, its category, a trigger of an adopted table),
-- its files follow in the same transaction.
-- SECURITY DEFINER: a user who changes a ticket has no right to write files.
create function private.follow_changed_tickets()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  changed uuid[];
begin
  -- a full join, since it is never a nested loop, for which a plan made when there were few rows would settle
  select array_agg(n.id) into changed
  from old_rows o full join new_rows n on n.id = o.id
  where n.is_sensitive is distinct from o.is_sensitive;
  if changed is null then
    return null;
  end if;
  -- Every file is touched, so that this waits for one that is just being stored; the trigger above then decides.
  update public.media_attachments m
  set is_sensitive = not m.is_sensitive
  from unnest(changed) c (ticket_id), public.tickets t
  where t.id = c.ticket_id and m.tenant_id = t.tenant_id and m.ticket_id = t.id;
  return null;
end
$$;
comment on function private.follow_changed_tickets() is
  'Trigger: hides the files of tickets that turned sensitive at once, and makes them due to be moved to gbv-evidence.';
revoke execute on function private.follow_changed_tickets() from public, anon, authenticated, service_role;

create trigger tickets_files_follow
  after update on public.tickets referencing old table as old_rows new table as new_rows
  for each statement execute function private.follow_changed_tickets();

-- Once, files that an uninstall kept: tickets may have turned sensitive since.
update public.media_attachments m set is_sensitive = true
where not m.is_sensitive
  and (m.bucket = 'gbv-evidence' or exists (select 1 from public.tickets t where t.id = m.ticket_id and t.is_sensitive));

-- who may read what: the next file
alter table public.media_attachments enable row level security;
