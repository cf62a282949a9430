-- Storage: three private buckets, who may do what in them, and that a stored file never changes.
-- The policies are restrictive ones, so they hold whatever other policies a project has on storage.objects; the
-- permissive ones beside them only open our buckets to be judged.

select private.lock_tables('{storage.objects in access exclusive mode}');

-- What an uninstall left to hide kept files: from here on the policies below do.
drop policy if exists "kept evidence: for nobody" on storage.objects;

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
select b.id, b.id, false, b.mebibytes * 1024 * 1024, b.types
from (
  select array[
    'image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic', 'application/pdf', 'video/mp4',
    'video/quicktime', 'video/3gpp', 'audio/ogg', 'audio/mpeg', 'audio/aac', 'audio/amr', 'audio/mp4', 'audio/x-m4a',
    'application/octet-stream'
  ] as types
) evidence, lateral (
  values
    ('evidence', 50, evidence.types),
    ('documents', 10, array['image/jpeg', 'image/png', 'image/webp', 'application/pdf']),
    ('gbv-evidence', 50, evidence.types)
) b (id, mebibytes, types)
on conflict (id) do update set
  public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

-- Policies and triggers below say the list itself: they are asked row by row, where this call would cost.
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
revoke execute on function private.is_our_bucket(text) from public, anon, authenticated, service_role;

-- A public bucket shows every file to everybody; in a versioned one a deletion hides a file instead of removing it, and an
-- overwrite keeps two. Columns are read by name, since a project may not have them yet.
-- SECURITY DEFINER: whoever changes a bucket has no right to schema private.
create function private.guard_bucket()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  bucket constant jsonb := to_jsonb(new);
begin
  if private.is_our_bucket(new.id)
    and (coalesce((bucket ->> 'public')::boolean, false) or coalesce(bucket ->> 'versioning_status', 'DISABLED') <> 'DISABLED')
  then
    raise exception using errcode = '42501',
      message = format('bucket %s holds evidence: it is neither public nor versioned', new.id);
  end if;
  return new;
end
$$;
comment on function private.guard_bucket() is 'Trigger: our buckets are never public and never versioned.';
revoke execute on function private.guard_bucket() from public, anon, authenticated, service_role;

create or replace trigger evidence_bucket_guard
  before insert or update on storage.buckets
  for each row execute function private.guard_bucket();

create function private.is_live(object storage.objects)
  returns boolean
  language plpgsql immutable
  set search_path = ''
as $$
begin
  return to_jsonb(object) ->> 'archived_at' is null
    and not coalesce((to_jsonb(object) ->> 'is_delete_marker')::boolean, false);
end
$$;
comment on function private.is_live(storage.objects) is
  'Whether the row is a file that can be read: not an old version, not the mark of a deletion. The columns may not exist yet.';
revoke execute on function private.is_live(storage.objects) from public, anon, authenticated, service_role;

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
revoke execute on function private.caller_opened(uuid) from public, anon, authenticated, service_role;
grant execute on function private.caller_opened(uuid) to authenticated;

-- What a user's token reads by: an allow-list, without which a user could copy GBV evidence into an open bucket (object.copy
-- reads it). Not the old list (object.list): its condition on lower(name) is never an index's under row-level security, so it
-- would look at each file of the municipality.
create function private.caller_folder()
  returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  return case
    when storage.allow_any_operation(array[
      'object.get_authenticated', 'object.info_authenticated', 'object.get_authenticated_info',
      'object.head_authenticated_info', 'object.list_v2', 'object.sign', 'object.sign_many'
    ]) then private.caller_tenant() || '/'
  end;
end
$$;
comment on function private.caller_folder() is
  'The folder in which the caller''s token may read now: {municipality}/. NULL without a municipality, or where Storage is about something else than reading.';
revoke execute on function private.caller_folder() from public, anon, authenticated, service_role;
grant execute on function private.caller_folder() to authenticated;

-- The range says what starts_with says below, in a form that Storage's index (bucket_id, name collate "C") answers: a list
-- looks at the caller's municipality, not at every file of the bucket, and at none where there is no folder. The two bounds
-- are written differently so that the planner does not take them for one range: those it believes to be so narrow that for a
-- hundred names it would look through the municipality first.
create policy "evidence: open to be read" on storage.objects
  for select to authenticated
  using (
    bucket_id in ('evidence', 'documents', 'gbv-evidence')
    and name collate "C" >= (select private.caller_folder())
    and name < (select rtrim(private.caller_folder(), '/') || '0') collate "C" -- '0' follows '/'
  );

-- Signing GBV evidence is not among what a user's token does: its URL is recorded first (open_evidence), and only then
-- signed by the service, for at most 15 minutes, which a policy cannot see. Downloading it with one's own token is, once that
-- reading has been recorded, for 15 minutes.
create policy "evidence: read a file if you may read its record" on storage.objects
  as restrictive for select to authenticated
  using (
    bucket_id not in ('evidence', 'documents', 'gbv-evidence')
    or (
      starts_with(name, (select private.caller_folder()))
      and exists (
        select 1 from public.media_attachments m
        where m.bucket = bucket_id and m.path = name and m.status = 'stored'
          and name is not null -- always so; it keeps the planner from hashing all files of the municipality to look one up
          and (
            (select storage.allow_any_operation(array['object.list_v2']))
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

create policy "evidence: nothing without signing in" on storage.objects
  as restrictive for all to public
  using (bucket_id not in ('evidence', 'documents', 'gbv-evidence') or current_user = 'authenticated')
  with check (bucket_id not in ('evidence', 'documents', 'gbv-evidence') or current_user = 'authenticated');

-- SECURITY DEFINER: no API role may read auth.users.
create function private.is_written_by_service(object storage.objects)
  returns boolean
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  -- The role tells a user's permission probe from the service's. The final row is always written as service_role, and bears the
  -- uploader as its owner; whether a secret key has an owner of its own is not documented, but it is no user.
  return coalesce(current_setting('role', true), '') = 'service_role'
    and (object.owner_id is null or not exists (select from auth.users u where u.id = private.safe_uuid(object.owner_id)));
end
$$;
comment on function private.is_written_by_service(storage.objects) is
  'Whether the secret key writes this row, and not a user, nor the server for a user.';
revoke execute on function private.is_written_by_service(storage.objects) from public, anon, authenticated, service_role;

create function private.outlives_its_url(cache_control text)
  returns boolean
  language plpgsql immutable
  set search_path = ''
as $$
begin
  return cache_control ~* 'public|immutable|s-maxage|stale-'
    or coalesce(substring(cache_control from '(?i)max-age\s*=\s*"?0*(\d{1,15})')::bigint > 3600, false);
end
$$;
comment on function private.outlives_its_url(text) is
  'Whether a Cache-Control would keep a file in shared caches, or in a browser for more than an hour (the default of supabase-js).';
revoke execute on function private.outlives_its_url(text) from public, anon, authenticated, service_role;

create function private.is_copy_of(object storage.objects, file public.media_attachments)
  returns boolean
  language plpgsql stable
  set search_path = ''
as $$
begin
  return coalesce(
    object.bucket_id = 'gbv-evidence' and file.bucket <> 'gbv-evidence' and file.path = object.name
      and file.is_sensitive and file.status = 'stored',
    false
  );
end
$$;
comment on function private.is_copy_of(storage.objects, public.media_attachments) is
  'Whether the object would be the copy in gbv-evidence of a stored file whose ticket turned sensitive: the only second object a file may have.';
revoke execute on function private.is_copy_of(storage.objects, public.media_attachments) from public, anon, authenticated, service_role;

create function private.trial_tenant()
  returns uuid
  language sql immutable
  set search_path = ''
as $$
  select '00000000-0000-0000-0000-000000000000'::uuid
$$;
comment on function private.trial_tenant() is
  'The folder in which the deploy''s trial uploads, reads and deletes an object: of no municipality, the secret key''s alone, kept in no record.';
revoke execute on function private.trial_tenant() from public, anon, authenticated, service_role;

-- The guard: policies alone do not keep files as they are (a signed upload token works as service_role, two uploads can
-- race, a chunked body or a resumable upload escapes the bucket's limits). It fires in Storage's rolled-back probe as the
-- caller (no size yet) and for the real write as service_role, whose owner_id is the uploader.
-- SECURITY DEFINER: it looks at records and limits that the caller may not see.
create function private.guard_stored_object()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  record public.media_attachments;
  by_service boolean;
  -- path_tokens is generated: a BEFORE trigger sees none yet, and it follows from the name
  passing constant text[] := array['updated_at', 'last_accessed_at', 'path_tokens'];
begin
  if tg_op = 'UPDATE' then
    if (private.is_our_bucket(old.bucket_id) or private.is_our_bucket(new.bucket_id))
      -- whole rows: columns that later versions of Storage have are not known by name
      and to_jsonb(old) - passing is distinct from to_jsonb(new) - passing
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
  by_service := private.is_written_by_service(new);

  select m.* into record from public.media_attachments m where m.file_id = split_part(new.name, '/', 2)::uuid;
  if not found then
    if split_part(new.name, '/', 1) = private.trial_tenant()::text then
      if not by_service then
        raise exception using errcode = '42501', message = 'this place is for the deploy''s trial';
      end if;
    elsif not exists (select 1 from public.municipalities t where t.id = split_part(new.name, '/', 1)::uuid) then
      raise exception using errcode = '42501', message = 'the path names no municipality';
    end if;
    if not by_service then
      begin
        perform private.check_quota(private.safe_uuid(new.owner_id), split_part(new.name, '/', 1)::uuid);
      exception
        when sqlstate 'PT403' then
          raise exception using errcode = '42501', message = 'too many files in an hour';
      end;
    end if;
  elsif not (by_service and private.is_copy_of(new, record)) then
    -- the announced file, in its place, by who announced it; a resident's from WhatsApp by the service
    if (record.bucket, record.path) is distinct from (new.bucket_id, new.name)
      or (case when record.created_by is null then not by_service else record.created_by::text is distinct from new.owner_id end)
    then
      raise exception using errcode = '42501', message = 'this place is not yours to upload to';
    end if;
    if record.stored_at is not null then
      raise exception using errcode = '23505', message = 'this file is stored already';
    end if;
  end if;

  if new.metadata ? 'size' then
    begin
      perform private.check_bucket_limits(
        new.bucket_id, new.metadata ->> 'mimetype', (new.metadata ->> 'size')::bigint,
        by_service and coalesce(record.source = 'whatsapp', false)
      );
    exception
      when sqlstate 'PT413' or sqlstate 'PT415' or sqlstate 'PT503' then
        -- Storage shows a client the message of 42501 alone
        raise exception using errcode = '42501', message = sqlerrm;
    end;
    if (new.metadata ->> 'size')::bigint = 0 then
      raise exception using errcode = '42501', message = 'an empty file is no evidence';
    end if;
    -- Storage answers with the Cache-Control that came with the bytes, which no trigger can change.
    if private.outlives_its_url(new.metadata ->> 'cacheControl') then
      raise exception using errcode = '42501', message = 'evidence is not to be cached: upload it with cacheControl "0"';
    end if;
    new.metadata := new.metadata || '{"cacheControl": "max-age=0"}';
  end if;
  return new;
end
$$;
comment on function private.guard_stored_object() is
  'Trigger: a file in our buckets never changes once stored, has a record''s place, keeps the bucket''s size and type limits by every route, and lies in no cache.';
revoke execute on function private.guard_stored_object() from public, anon, authenticated, service_role;

create or replace trigger evidence_guard
  before insert or update on storage.objects
  for each row execute function private.guard_stored_object();

-- What landed is recorded by a deferred trigger: it fires once, for the committed row, with complete metadata.
-- A WhatsApp file only becomes `stored` with its hash (complete_media_transfer).
-- SECURITY DEFINER: it fires in the uploader's scope, who has no right to write records.
create function private.record_stored_object()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  landed_file_id constant uuid := split_part(new.name, '/', 2)::uuid;
  file public.media_attachments;
begin
  if split_part(new.name, '/', 1) = private.trial_tenant()::text then
    return null;
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
    -- of a resident's file the difference is shown: another type than declared, or none that we know
    last_error = case
      when m.source = 'web' then null
      when excluded.content_type = 'application/octet-stream' then 'unsupported_media_type'
      when excluded.content_type <> m.content_type then 'type_mismatch'
    end,
    -- due at once: its hash is to be taken
    next_attempt_at = case m.source when 'web' then excluded.next_attempt_at else m.next_attempt_at end
  -- The guard has looked, but two uploads of one file_id may both have passed it: the row of the first decides.
  where (m.bucket, m.path) = (excluded.bucket, excluded.path)
    and m.stored_at is null
    and (m.source = 'whatsapp' or m.created_by is not distinct from excluded.created_by)
  returning m.* into file;
  if not found then
    select m.* into file from public.media_attachments m where m.file_id = landed_file_id;
    if private.is_copy_of(new, file) then
      return null; -- recorded when it has been verified (complete_media_move)
    end if;
    raise exception using errcode = '42501', message = 'this place is not yours to upload to';
  end if;
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
  'Trigger: notes size, type and time of a file that landed, in its record; makes a record where none was. One file_id is one file in one place.';
revoke execute on function private.record_stored_object() from public, anon, authenticated, service_role;

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
revoke execute on function private.record_deleted_object() from public, anon, authenticated, service_role;

create or replace trigger evidence_deleted
  after delete on storage.objects
  for each row
  when (old.bucket_id in ('evidence', 'documents', 'gbv-evidence'))
  execute function private.record_deleted_object();
