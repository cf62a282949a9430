-- Storage: three private buckets, who may do what in them, and that a stored file never changes.
-- The policies are restrictive ones, so they hold whatever other policies a project has on storage.objects; the
-- permissive ones beside them only open our buckets to be judged.

select private.lock_table('storage.objects', 'access exclusive');

-- What an uninstall left to hide kept files: from here on the policies below do.
drop policy if exists "kept evidence: for nobody" on storage.objects;

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values
  ('evidence', 'evidence', false, 50 * 1024 * 1024, array[
    'image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic', 'application/pdf', 'video/mp4',
    'video/quicktime', 'video/3gpp', 'audio/ogg', 'audio/mpeg', 'audio/aac', 'audio/amr', 'audio/mp4', 'audio/x-m4a'
  ]),
  ('documents', 'documents', false, 10 * 1024 * 1024, array[
    'image/jpeg', 'image/png', 'image/webp', 'application/pdf'
  ]),
  ('gbv-evidence', 'gbv-evidence', false, 50 * 1024 * 1024, array[
    'image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic', 'application/pdf', 'video/mp4',
    'video/quicktime', 'video/3gpp', 'audio/ogg', 'audio/mpeg', 'audio/aac', 'audio/amr', 'audio/mp4', 'audio/x-m4a'
  ])
on conflict (id) do update set
  public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

create function private.is_our_bucket(bucket text)
  returns boolean
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  return bucket in ('evidence', 'documents', 'gbv-evidence');
end
$$;
comment on function private.is_our_bucket(text) is 'Whether the bucket is one of this bundle''s.';

-- Reading ------------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: the caller's own records, whether or not the caller may read records.
create function private.caller_opened(file_id uuid)
  returns boolean
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return exists (
    select 1 from public.custody_records r
    where r.file_id = caller_opened.file_id and r.event = 'url_signed' and r.user_id = (select auth.uid())
      and r.recorded_at > now() - interval '15 minutes'
  );
end
$$;
comment on function private.caller_opened(uuid) is 'Whether the caller was given a URL of this file, and that recorded, within the last 15 minutes.';

-- The range says what starts_with says below, in a form that Storage's index (bucket_id, name collate "C") answers: a list
-- looks at the caller's municipality, not at every file of the bucket. ('0' is what follows '/'.)
create policy "evidence: open to be read" on storage.objects
  for select to authenticated
  using (
    bucket_id in ('evidence', 'documents', 'gbv-evidence')
    and name collate "C" >= (select private.caller_tenant() || '/')
    and name collate "C" < (select private.caller_tenant() || '0')
  );

-- The operations are an allow-list: without it a user could copy GBV evidence into an open bucket (object.copy reads it).
-- Signing GBV evidence is not among what a user's token does: its URL is recorded first (open_evidence), and only then
-- signed by the service, for at most 15 minutes, which a policy cannot see. Downloading it with one's own token is, once that
-- reading has been recorded, for 15 minutes.
create policy "evidence: read a file if you may read its record" on storage.objects
  as restrictive for select to authenticated
  using (
    bucket_id not in ('evidence', 'documents', 'gbv-evidence')
    or (
      starts_with(name, (select private.caller_tenant() || '/'))
      and (select storage.allow_any_operation(array[
        'object.get_authenticated', 'object.info_authenticated', 'object.get_authenticated_info',
        'object.list', 'object.list_v2', 'object.sign', 'object.sign_many'
      ]))
      and exists (
        select 1 from public.media_attachments m
        where m.bucket = bucket_id and m.path = name and m.status = 'stored'
          and (
            (select storage.allow_any_operation(array['object.list', 'object.list_v2']))
            or not m.is_sensitive
            or (
              not (select storage.allow_any_operation(array['object.sign', 'object.sign_many']))
              and private.caller_opened(m.file_id)
            )
          )
      )
    )
  );

-- Uploading ----------------------------------------------------------------------------------------------------------

create policy "evidence: open to be uploaded" on storage.objects
  for insert to authenticated
  with check (bucket_id in ('evidence', 'documents', 'gbv-evidence'));

create policy "evidence: upload to your municipality's folder what your role may" on storage.objects
  as restrictive for insert to authenticated
  with check (
    bucket_id not in ('evidence', 'documents', 'gbv-evidence')
    or (
      starts_with(name, (select private.caller_tenant() || '/'))
      -- neither object.copy nor object.move
      and (select storage.allow_any_operation(array[
        'object.upload', 'object.sign_upload_url', 'tus.upload.create', 'tus.upload.part'
      ]))
      and private.caller_may_upload(bucket_id)
    )
  );

-- Neither changing nor deleting, and nobody but users signed in -------------------------------------------------------

create policy "evidence: no user changes a file" on storage.objects
  as restrictive for update to public
  using (bucket_id not in ('evidence', 'documents', 'gbv-evidence'))
  with check (bucket_id not in ('evidence', 'documents', 'gbv-evidence'));

create policy "evidence: no user deletes a file" on storage.objects
  as restrictive for delete to public
  using (bucket_id not in ('evidence', 'documents', 'gbv-evidence'));

create policy "evidence: nothing for who is not signed in" on storage.objects
  as restrictive for all to public
  using (bucket_id not in ('evidence', 'documents', 'gbv-evidence') or current_user = 'authenticated')
  with check (bucket_id not in ('evidence', 'documents', 'gbv-evidence') or current_user = 'authenticated');

-- The guard: policies alone do not keep files as they are (a signed upload token works as service_role, two uploads can
-- race, a chunked body or a resumable upload escapes the bucket's limits). It fires in Storage's rolled-back probe as the
-- caller (no metadata yet) and for the real write as service_role, whose owner_id is the uploader.
-- SECURITY DEFINER: it looks at records and limits that the caller may not see.
create function private.guard_stored_object()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  record public.media_attachments;
begin
  if tg_op = 'UPDATE' then
    if not private.is_our_bucket(old.bucket_id) and not private.is_our_bucket(new.bucket_id) then
      return new;
    end if;
    if (old.bucket_id, old.name, old.version, old.owner, old.owner_id, old.metadata, old.user_metadata)
      is distinct from
      (new.bucket_id, new.name, new.version, new.owner, new.owner_id, new.metadata, new.user_metadata)
    then
      raise exception using errcode = '42501', message = 'a stored file is never changed, replaced or moved';
    end if;
    return new;
  end if;

  if not private.is_our_bucket(new.bucket_id) then
    return new;
  end if;
  if new.name !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[A-Za-z0-9_][A-Za-z0-9._-]{0,179}$' then
    raise exception using errcode = '42501',
      message = 'a file''s path is {municipality}/{file_id}/{name}, name of A-Z a-z 0-9 . _ -';
  end if;

  select m.* into record from public.media_attachments m where m.file_id = split_part(new.name, '/', 2)::uuid;
  if found then
    -- the announced file, uploaded by who announced it, in its place, once
    if new.bucket_id = 'gbv-evidence' and record.bucket <> new.bucket_id and record.path = new.name
      and record.status = 'stored' and new.owner_id is null and record.is_sensitive
    then
      return new; -- the worker's copy of a file whose ticket turned sensitive (complete_media_move)
    end if;
    if (record.bucket, record.path, record.created_by::text) is distinct from (new.bucket_id, new.name, new.owner_id) then
      raise exception using errcode = '42501', message = 'this place is not yours to upload to';
    end if;
    if record.stored_at is not null then
      raise exception using errcode = '23505', message = 'this file is stored already';
    end if;
  elsif not exists (select 1 from public.municipalities t where t.id = split_part(new.name, '/', 1)::uuid) then
    raise exception using errcode = '42501', message = 'the path names no municipality';
  end if;

  if new.metadata ? 'size' then
    begin
      perform private.check_bucket_limits(new.bucket_id, new.metadata ->> 'mimetype', (new.metadata ->> 'size')::bigint);
    exception
      when sqlstate 'PT413' or sqlstate 'PT415' or sqlstate 'PT503' then
        -- Storage shows a client the message of 42501 alone
        raise exception using errcode = '42501', message = sqlerrm;
    end;
    if (new.metadata ->> 'size')::bigint = 0 then
      raise exception using errcode = '42501', message = 'an empty file is no evidence';
    end if;
  end if;
  return new;
end
$$;
comment on function private.guard_stored_object() is
  'Trigger: a file in our buckets never changes once stored, has a record''s place, and keeps the bucket''s size and type limits by every route.';

create or replace trigger evidence_guard
  before insert or update on storage.objects
  for each row execute function private.guard_stored_object();

-- What landed is recorded by a deferred trigger: it fires once, for the committed row, with complete metadata.
-- A WhatsApp medium only becomes `stored` with its hash (complete_media_transfer).
-- SECURITY DEFINER: it fires as service_role, which has no right to write records, whoever uploaded.
create function private.record_stored_object()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  landed_file_id constant uuid := split_part(new.name, '/', 2)::uuid;
  file public.media_attachments;
begin
  if exists (select 1 from public.media_attachments m where m.file_id = landed_file_id and m.bucket <> new.bucket_id) then
    return null; -- the worker's copy: it is recorded when it has been verified
  end if;
  if new.metadata ->> 'size' is null or new.metadata ->> 'mimetype' is null then
    raise exception using errcode = '42501', message = 'a file without size and type is not taken in';
  end if;
  insert into public.media_attachments as m (
    file_id, tenant_id, bucket, path, filename, content_type, file_size, purpose, status, created_by, stored_at,
    next_attempt_at
  ) values (
    landed_file_id, split_part(new.name, '/', 1)::uuid, new.bucket_id, new.name, split_part(new.name, '/', 3),
    new.metadata ->> 'mimetype', (new.metadata ->> 'size')::bigint, new.bucket_id, 'stored',
    private.safe_uuid(new.owner_id), now(), now()
  )
  on conflict (file_id) do update set
    content_type = excluded.content_type,
    file_size = excluded.file_size,
    status = case m.source when 'web' then 'stored' else m.status end,
    stored_at = case m.source when 'web' then excluded.stored_at else m.stored_at end,
    last_error = case m.source when 'web' then null else m.last_error end,
    -- due at once: its hash is to be taken
    next_attempt_at = case m.source when 'web' then excluded.next_attempt_at else m.next_attempt_at end
  returning m.* into file;
  if file.source = 'web' then
    perform private.record_system_event(file.tenant_id, 'received', jsonb_build_object(
      'source', 'web', 'filename', file.filename, 'path', file.path, 'ticket_id', file.ticket_id,
      'file_size', file.file_size, 'content_type', file.content_type, 'uploaded_by', file.created_by,
      'declared_sha256', file.declared_sha256, 'bucket', file.bucket
    ), file.file_id);
  end if;
  return null;
end
$$;
comment on function private.record_stored_object() is
  'Trigger: notes size, type and time of a file that landed, in its record; makes a record where none was.';

drop trigger if exists evidence_landed on storage.objects;
create constraint trigger evidence_landed
  after insert on storage.objects
  deferrable initially deferred
  for each row
  when (new.bucket_id in ('evidence', 'documents', 'gbv-evidence'))
  execute function private.record_stored_object();

-- Only the service role deletes, and only the old copy of a moved file by rule. Any other deletion is known.
-- SECURITY DEFINER: as record_stored_object.
create function private.record_deleted_object()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  update public.media_attachments m
  set status = 'failed', last_error = 'deleted', next_attempt_at = null
  where m.bucket = old.bucket_id and m.path = old.name and m.status = 'stored'
  returning m.* into file;
  if found then
    perform private.record_system_event(file.tenant_id, 'deleted', jsonb_build_object('bucket', file.bucket), file.file_id);
  end if;
  return null;
end
$$;
comment on function private.record_deleted_object() is 'Trigger: a stored file that was deleted is said to be, and its record stays.';

create or replace trigger evidence_deleted
  after delete on storage.objects
  for each row
  when (old.bucket_id in ('evidence', 'documents', 'gbv-evidence'))
  execute function private.record_deleted_object();

revoke execute on function
  private.caller_opened(uuid),
  private.record_deleted_object(),
  private.is_our_bucket(text),
  private.guard_stored_object(),
  private.record_stored_object()
  from public, anon, authenticated, service_role;
grant execute on function private.caller_opened(uuid) to authenticated;
