-- The media worker's work. A row of media_attachments is the job: next_attempt_at says when it is due, claiming it is a
-- lease, and what is to be done follows from the row. All functions but retry_media are for the service role.
--
-- SECURITY DEFINER, in all of them: no API role has the right to write media_attachments.

create function private.work_of(m public.media_attachments)
  returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  return case
    when m.moved_from is not null then 'delete_old'
    when m.status = 'stored' and m.is_sensitive and m.bucket <> 'gbv-evidence' then 'move'
    when m.status = 'stored' and m.sha256 is null then 'hash'
    when m.status = 'pending' and m.source = 'whatsapp' then 'transfer'
  end;
end
$$;
comment on function private.work_of(public.media_attachments) is 'What is to be done with a file; NULL for nothing.';

create function private.max_attempts()
  returns integer
  language sql immutable
  set search_path = ''
as $$
  select 8
$$;
comment on function private.max_attempts() is 'Tries at a transfer before it has failed: with the delays between them, about a day.';

create function private.retry_delay(attempts integer)
  returns interval
  language sql volatile
  set search_path = ''
as $$
  -- with up to a fifth more or less, so that what failed together does not come back together
  select (array['1 minute', '5 minutes', '15 minutes', '1 hour', '3 hours', '6 hours', '12 hours']::interval[])
    [least(greatest(attempts, 1), 7)] * (0.8 + 0.4 * random())
$$;
comment on function private.retry_delay(integer) is 'How long to wait after so many tries.';

create function public.claim_media_work(lease_seconds integer default 300)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
  work text;
  expired integer;
begin
  -- uploads that never came; no byte was received, so there is nothing to record. Not all in one call: thousands would
  -- outlast the statement timeout, every time.
  update public.media_attachments m
  set status = 'expired', next_attempt_at = null, last_error = 'never_came'
  where m.file_id in (
    select e.file_id from public.media_attachments e
    where e.next_attempt_at <= now() and e.status = 'pending' and e.source = 'web'
    order by e.next_attempt_at
    limit 200
    for no key update skip locked
  );
  get diagnostics expired = row_count;
  loop
    -- sensitive files first, then what Twilio keeps for a time only; hashes wait
    select m.* into file from public.media_attachments m
    where m.next_attempt_at <= now() and (m.moved_from is not null or (m.status = 'stored' and m.is_sensitive and m.bucket <> 'gbv-evidence'))
    order by m.next_attempt_at limit 1
    for no key update skip locked;
    if not found then
      select m.* into file from public.media_attachments m
      where m.next_attempt_at <= now() and m.status = 'pending' and m.source = 'whatsapp'
      order by m.next_attempt_at limit 1
      for no key update skip locked;
    end if;
    if not found then
      select m.* into file from public.media_attachments m
      where m.next_attempt_at <= now() and m.status <> 'pending' and not (m.moved_from is not null or (m.status = 'stored' and m.is_sensitive and m.bucket <> 'gbv-evidence'))
      order by m.next_attempt_at limit 1
      for no key update skip locked;
    end if;
    if not found then
      return case when expired = 200 then jsonb_build_object('work', 'more') end;
    end if;
    work := private.work_of(file);
    if work = 'transfer' and file.attempts >= private.max_attempts() then
      -- the last try died without a word; fail_media_work records it
      perform public.fail_media_work(file.file_id, coalesce(file.last_error, 'internal'), true);
      return jsonb_build_object('work', 'given_up', 'file_id', file.file_id);
    elsif work is null then
      update public.media_attachments m set next_attempt_at = null where m.file_id = file.file_id;
    else
      update public.media_attachments m
      set attempts = least(m.attempts + 1, 1000), next_attempt_at = now() + make_interval(secs => lease_seconds)
      where m.file_id = file.file_id;
      return jsonb_build_object(
        'work', work, 'file_id', file.file_id, 'bucket', file.bucket, 'path', file.path, 'content_type', file.content_type,
        'file_size', file.file_size, 'sha256', file.sha256, 'media_index', file.media_index, 'moved_from', file.moved_from,
        'encrypted_payload', (select i.encrypted_payload from public.inbound_messages i where i.message_sid = file.message_sid)
      );
    end if;
  end loop;
end
$$;
comment on function public.claim_media_work(integer) is
  'What is due: moves of sensitive files before transfers, transfers before hashes, the longest due of each first; for lease_seconds the caller''s alone: {work: transfer, hash, move, delete_old or given_up, file_id, …}; NULL when nothing is due. Uploads that never came expire on the way, at most 200 in a call: then {work: more}.';

create function private.hold_media(file_id uuid)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform from public.media_attachments m where m.file_id = hold_media.file_id for no key update;
end
$$;
comment on function private.hold_media(uuid) is
  'Holds a file''s row, in a statement of its own: the next one then sees a ticket that turned sensitive while this one waited. One statement that waited would judge the ticket as it was before.';

create function public.complete_media_transfer(file_id uuid, sha256 text, file_size bigint)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  perform private.hold_media(complete_media_transfer.file_id);
  update public.media_attachments m
  set status = 'stored', sha256 = complete_media_transfer.sha256, stored_at = now(),
    last_error = case when m.last_error in ('type_mismatch', 'unsupported_media_type') then m.last_error end,
    attempts = greatest(m.attempts, 1), -- the webhook's own try was not claimed
    -- turned sensitive meanwhile: it is to be moved
    next_attempt_at = case when m.is_sensitive and m.bucket <> 'gbv-evidence' then '-infinity'::timestamptz end
  where m.file_id = complete_media_transfer.file_id
    and m.source = 'whatsapp' and m.status in ('pending', 'failed')
    and exists (
      select 1 from storage.objects o
      where o.bucket_id = m.bucket and o.name = m.path and private.is_live(o)
        and (o.metadata ->> 'size')::bigint = complete_media_transfer.file_size
    )
  returning m.* into file;
  if found then
    perform private.record_system_event(file.tenant_id, 'stored', jsonb_build_object(
      'sha256', file.sha256, 'file_size', file.file_size, 'content_type', file.content_type, 'bucket', file.bucket
    ), file.file_id);
  elsif not exists (
    select 1 from public.media_attachments m
    where m.file_id = complete_media_transfer.file_id
      and m.status = 'stored' and m.sha256 = complete_media_transfer.sha256
  ) then
    raise exception using errcode = 'PT409', message = 'internal', detail = 'no such file has landed whole';
  end if;
end
$$;
comment on function public.complete_media_transfer(uuid, text, bigint) is
  'A medium lies in Storage, so many bytes with this SHA-256 (hex): its record becomes stored. Again is no error.';

create function public.complete_media_hash(file_id uuid, sha256 text, sniffed_type text default null)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  perform private.hold_media(complete_media_hash.file_id);
  update public.media_attachments m
  set sha256 = complete_media_hash.sha256,
    last_error = case
      when m.declared_sha256 <> complete_media_hash.sha256 then 'declared_hash_differs'
      when sniffed_type is null then 'type_mismatch'
    end,
    next_attempt_at = case when m.is_sensitive and m.bucket <> 'gbv-evidence' then '-infinity'::timestamptz end
  where m.file_id = complete_media_hash.file_id and m.status = 'stored' and m.sha256 is null
  returning m.* into file;
  if found then
    perform private.record_system_event(file.tenant_id, 'hashed', jsonb_build_object(
      'sha256', file.sha256, 'file_size', file.file_size, 'content_type', file.content_type, 'sniffed_type', sniffed_type,
      'declared_sha256', file.declared_sha256, 'as_declared', file.declared_sha256 = file.sha256
    ), file.file_id);
  end if;
end
$$;
comment on function public.complete_media_hash(uuid, text, text) is
  'The SHA-256 (hex) of an uploaded file, and the type its bytes show. What its browser declared otherwise is noted in last_error: declared_hash_differs, type_mismatch (sniffed_type is NULL).';

create function public.complete_media_move(file_id uuid, sha256 text)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  perform private.hold_media(complete_media_move.file_id);
  update public.media_attachments m
  set bucket = 'gbv-evidence', moved_from = m.bucket, next_attempt_at = now(),
    sha256 = complete_media_move.sha256,
    last_error = case
      when m.declared_sha256 <> complete_media_move.sha256 then 'declared_hash_differs'
      when m.last_error = 'type_mismatch' then m.last_error
    end
  where m.file_id = complete_media_move.file_id and m.status = 'stored' and m.bucket <> 'gbv-evidence'
    and coalesce(m.sha256, complete_media_move.sha256) = complete_media_move.sha256
    and exists (
      select 1 from storage.objects o
      where o.bucket_id = 'gbv-evidence' and o.name = m.path and private.is_live(o)
        and (o.metadata ->> 'size')::bigint = m.file_size
    )
  returning m.* into file;
  if found then
    perform private.record_system_event(file.tenant_id, 'moved', jsonb_build_object(
      'from', file.moved_from, 'bucket', file.bucket, 'sha256', file.sha256, 'file_size', file.file_size
    ), file.file_id);
  elsif not exists (
    select 1 from public.media_attachments m where m.file_id = complete_media_move.file_id and m.bucket = 'gbv-evidence'
  ) then
    raise exception using errcode = 'PT409', message = 'internal', detail = 'no whole copy lies in gbv-evidence';
  end if;
end
$$;
comment on function public.complete_media_move(uuid, text) is
  'A copy with this SHA-256 lies in gbv-evidence: it is the file from now on, and the old one is to be deleted. Again is no error.';

create function public.complete_media_deletion(file_id uuid)
  returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update public.media_attachments m
  set moved_from = null, next_attempt_at = null,
    last_error = case
      when m.declared_sha256 <> m.sha256 then 'declared_hash_differs'
      when m.last_error = 'type_mismatch' then m.last_error
    end
  where m.file_id = complete_media_deletion.file_id and m.moved_from is not null
    and not exists (select 1 from storage.objects o where o.bucket_id = m.moved_from and o.name = m.path and private.is_live(o))
$$;
comment on function public.complete_media_deletion(uuid) is 'The old copy of a moved file is gone.';

create function public.fail_media_work(file_id uuid, reason text, final boolean)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
  work text;
  for_good boolean;
begin
  perform private.hold_media(fail_media_work.file_id);
  select m.* into file from public.media_attachments m where m.file_id = fail_media_work.file_id;
  work := private.work_of(file);
  if work is null then
    return;
  end if;
  -- only a transfer can fail for good: a file that is stored stays stored
  for_good := work = 'transfer' and (final or file.attempts >= private.max_attempts());
  update public.media_attachments m
  set last_error = reason,
    attempts = greatest(m.attempts, 1),
    status = case when for_good then 'failed' else m.status end,
    next_attempt_at = case
      when for_good then null
      -- what is to be hidden is not put off
      when work in ('move', 'delete_old') then now() + least(private.retry_delay(m.attempts), '5 minutes')
      else now() + private.retry_delay(m.attempts)
    end
  where m.file_id = fail_media_work.file_id
  returning m.* into file;
  if for_good then
    perform private.record_system_event(file.tenant_id, 'failed', jsonb_build_object(
      'reason', reason, 'attempts', file.attempts
    ), file.file_id);
  end if;
end
$$;
comment on function public.fail_media_work(uuid, text, boolean) is
  'A try failed, for a reason that is a stable code: for good (final, or the last try of a transfer), or to be tried again after a growing delay.';

create function public.retry_media(file_id uuid)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  -- row-level security: what may not be read does not exist
  if not private.caller_is_staff() or not exists (
    select 1 from public.media_attachments m
    where m.file_id = retry_media.file_id and m.status = 'failed' and m.last_error <> 'deleted'
  ) then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  perform private.retry_media(file_id);
end
$$;
comment on function public.retry_media(uuid) is 'Has a failed file tried again, all its tries from the beginning. For staff who may see it. Raises PT404.';

create function private.retry_media(file_id uuid)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  update public.media_attachments m
  set status = 'pending', attempts = 0, next_attempt_at = now()
  where m.file_id = retry_media.file_id and m.status = 'failed'
  returning m.* into file;
  if found then
    perform private.record_user_event(file.tenant_id, 'retried', '{}', file.file_id);
  end if;
end
$$;
comment on function private.retry_media(uuid) is 'As public.retry_media, which has asked whether the caller may.';

revoke execute on function
  private.work_of(public.media_attachments),
  private.max_attempts(),
  private.retry_delay(integer),
  private.retry_media(uuid),
  private.hold_media(uuid),
  public.claim_media_work(integer),
  public.complete_media_transfer(uuid, text, bigint),
  public.complete_media_hash(uuid, text, text),
  public.complete_media_move(uuid, text),
  public.complete_media_deletion(uuid),
  public.fail_media_work(uuid, text, boolean),
  public.retry_media(uuid)
  from public, anon, authenticated, service_role;
grant execute on function
  public.claim_media_work(integer),
  public.complete_media_transfer(uuid, text, bigint),
  public.complete_media_hash(uuid, text, text),
  public.complete_media_move(uuid, text),
  public.complete_media_deletion(uuid),
  public.fail_media_work(uuid, text, boolean)
  to service_role;
grant execute on function public.retry_media(uuid), private.retry_media(uuid) to authenticated;
