-- What staff look at when a file is missing: every file that failed, waits or is in doubt.

set local lock_timeout = '5s';

create index media_attachments_backlog_idx on public.media_attachments (tenant_id, coalesce(stored_at, created_at))
  where status <> 'expired' and (
    status <> 'stored' or next_attempt_at is not null or last_error is not null
    -- always shown, whatever its place in the queue
    or (is_sensitive and bucket <> 'gbv-evidence')
  );
alter index public.media_attachments_backlog_idx alter column 2 set statistics 0; -- as for the columns themselves

-- security_invoker: shows the rows of media_attachments that the caller may read, so only admins and police liaison see a
-- sensitive ticket's files here.
create view public.media_backlog with (security_invoker = true) as
select
  m.file_id, m.ticket_id, m.tenant_id,
  (select t.name from public.municipalities t where t.id = m.tenant_id) as municipality,
  m.filename, m.source, m.status,
  case
    when m.status = 'failed' and m.last_error = 'deleted' then 'deleted'
    when m.status = 'failed' then 'failed'
    when m.status = 'pending' and m.source = 'web' then 'awaiting_upload'
    when m.status = 'pending' then 'awaiting_transfer'
    when m.moved_from is not null then 'awaiting_removal'
    when m.is_sensitive and m.bucket <> 'gbv-evidence' and m.status = 'stored' then 'awaiting_move'
    when m.sha256 is null then 'awaiting_hash'
    else 'in_doubt'
  end as situation,
  m.last_error as reason, m.attempts,
  -- a move comes before all other work: it has always been due
  nullif(m.next_attempt_at, '-infinity') as next_attempt_at,
  coalesce(m.stored_at, m.created_at) as since,
  m.status = 'failed' and m.last_error <> 'deleted' as can_be_retried
from public.media_attachments m
where m.status <> 'expired' and (
  m.status <> 'stored' or m.next_attempt_at is not null or m.last_error is not null
  or (m.is_sensitive and m.bucket <> 'gbv-evidence')
);

comment on view public.media_backlog is
  'Files that failed, wait or are in doubt, as far as the caller may read them; order them by since. docs/errors.md explains each reason.';
comment on column public.media_backlog.situation is
  'One of: failed, deleted (by the service key), awaiting_upload, awaiting_transfer, awaiting_hash, awaiting_move (to gbv-evidence), awaiting_removal (of the copy left behind by the move), in_doubt (stored, not as declared).';
comment on column public.media_backlog.reason is 'Stable code for why the last attempt failed; NULL if none has.';
comment on column public.media_backlog.next_attempt_at is
  'When it is due for the worker; for awaiting_upload, when it expires; NULL if nothing more is tried, or at once.';
comment on column public.media_backlog.since is 'When it was stored, or if not, announced.';
comment on column public.media_backlog.can_be_retried is 'Whether retry_media(file_id), for staff, can help.';

revoke all on public.media_backlog from anon, authenticated, service_role;
grant select on public.media_backlog to authenticated, service_role;
