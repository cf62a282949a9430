-- Who reads and who announces files.

select private.lock_tables('{public.media_attachments in access exclusive mode}');

create function private.bucket_for(purpose text, sensitive boolean)
  returns text
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  return case
    when sensitive then 'gbv-evidence'
    when purpose = 'evidence' then 'evidence'
    when purpose in ('documents', 'proof_of_residence') then 'documents'
    when purpose = 'gbv-evidence' then 'gbv-evidence'
  end;
end
$$;
comment on function private.bucket_for(text, boolean) is 'The bucket of a purpose; NULL for an unknown one. A sensitive ticket''s files all go to gbv-evidence.';

create function private.caller_may_upload(bucket text)
  returns boolean
  language plpgsql stable parallel safe
  set search_path = ''
as $$
begin
  return case bucket
    when 'evidence' then true
    when 'documents' then true
    when 'gbv-evidence' then private.caller_role() in ('manager', 'admin', 'saps_liaison')
    else false
  end and private.caller_tenant() is not null;
end
$$;
comment on function private.caller_may_upload(text) is 'Whether the caller''s role may upload to the bucket, in their own municipality.';

-- The permissive policies open the table to be judged; the restrictive ones decide, whatever policies a project has beside them.
-- nullif: as in the policies of tickets.
create policy "files: open to be read" on public.media_attachments
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()), false) is not null);

create policy "files: staff read their municipality's, citizens their own, GBV only those who may" on public.media_attachments
  as restrictive for select to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(
      current_user = 'authenticated'
      and ((select private.caller_is_staff()) or created_by = (select auth.uid()))
      and (not is_sensitive or (select private.caller_sees_sensitive())),
      false
    ) is not null
  );

create policy "files: open to be announced" on public.media_attachments
  for insert to authenticated
  with check (tenant_id = (select private.caller_tenant()));

create policy "files: everybody announces their own uploads" on public.media_attachments
  as restrictive for insert to public
  with check (
    current_user = 'authenticated'
    and tenant_id = (select private.caller_tenant())
    and created_by = (select auth.uid())
    and private.caller_may_upload(bucket)
    and (
      ticket_id is null
      or exists (
        select 1 from public.tickets t
        where t.id = ticket_id and (not t.is_sensitive or bucket = 'gbv-evidence')
      )
    )
  );

create policy "files: no user changes a record" on public.media_attachments
  as restrictive for update to public
  using (false);
create policy "files: no user deletes a record" on public.media_attachments
  as restrictive for delete to public
  using (false);

revoke all on public.media_attachments from anon, authenticated, service_role;
grant select on public.media_attachments to authenticated, service_role;
-- status, source, sha256 and the rest keep their defaults: nobody announces a file as stored
grant insert (
  file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, declared_sha256, purpose, created_by
) on public.media_attachments to authenticated;

-- SECURITY DEFINER: storage.buckets has row-level security and no policy, so callers cannot read the limits.
create function private.check_bucket_limits(bucket text, content_type text, file_size bigint, from_resident boolean default false)
  returns bigint
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  limits record;
begin
  select b.file_size_limit, b.allowed_mime_types into limits
  from storage.buckets b where b.id = check_bucket_limits.bucket;
  if limits.file_size_limit is null or limits.allowed_mime_types is null then
    raise exception using errcode = 'PT503', message = 'storage_not_configured',
      detail = format('bucket %s is missing or has no limits', bucket);
  end if;
  if content_type is null or not content_type = any (limits.allowed_mime_types)
    -- what is of no type we know is kept as received from a resident, and taken from nobody else
    or (content_type = 'application/octet-stream' and not from_resident)
  then
    raise exception using errcode = 'PT415', message = 'unsupported_media_type',
      detail = format('%s accepts %s', bucket, array_to_string(array_remove(limits.allowed_mime_types, 'application/octet-stream'), ', '));
  end if;
  if file_size > limits.file_size_limit then
    raise exception using errcode = 'PT413', message = 'payload_too_large',
      detail = format('%s accepts at most %s bytes', bucket, limits.file_size_limit);
  end if;
  return limits.file_size_limit;
end
$$;
comment on function private.check_bucket_limits(text, text, bigint, boolean) is
  'The largest file the bucket accepts, in bytes. Refuses what it does not accept: PT415 unsupported_media_type, PT413 payload_too_large.';

-- Asked by the triggers below and by that of storage.objects, which see what the uploader may not: GBV files count.
create function private.check_quota(uploader uuid, tenant uuid)
  returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  allowed constant integer := (select t.uploads_per_hour from public.municipalities t where t.id = tenant);
begin
  if (
    select count(*) from (
      select 1 from public.media_attachments m
      where m.created_by = uploader and m.tenant_id = tenant and m.created_at > now() - interval '1 hour' limit allowed
    ) recent
  ) >= allowed then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = format('%s files an hour, announced or not', allowed);
  end if;
end
$$;
comment on function private.check_quota(uuid, uuid) is
  'Refuses (PT403) a file beyond those that one person may announce or upload in an hour (municipalities.uploads_per_hour).';
revoke execute on function private.check_quota(uuid, uuid) from public, anon, authenticated, service_role;

-- Whoever announces files, by create_upload_slot or by the table itself: only what the bucket accepts, and no flood of them.
-- SECURITY DEFINER: a manager cannot see the GBV files he announced, and they count.
create function private.check_announced()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if new.status = 'pending' and new.created_by is not null then
    perform private.check_bucket_limits(new.bucket, new.content_type, new.file_size);
    -- only the caller's own: of anybody else the policies refuse it, and it tells nothing of them
    if new.created_by = (select auth.uid()) then
      perform private.check_quota(new.created_by, new.tenant_id);
      if (
        select count(*) from (
          select 1 from public.media_attachments m where m.created_by = new.created_by and m.status = 'pending' limit 200
        ) announced
      ) >= 200 then
        raise exception using errcode = 'PT403', message = 'forbidden', detail = '200 announced files are yet to be uploaded';
      end if;
    end if;
  end if;
  return new;
end
$$;
comment on function private.check_announced() is 'Trigger: an announced file fits its bucket, and a user has at most 200 that are yet to come, and so many in an hour.';

create trigger media_check_announced
  before insert on public.media_attachments
  for each row execute function private.check_announced();

create function public.create_upload_slot(
  purpose text,
  filename text,
  object_name text,
  content_type text,
  file_size bigint,
  ticket_id uuid default null,
  declared_sha256 text default null
)
  returns table (bucket text, path text, file_id uuid, max_bytes bigint)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  tenant constant uuid := private.caller_tenant();
  sensitive boolean := false;
begin
  if not exists (select 1 from public.municipalities t where t.id = tenant) then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'the token names no municipality';
  end if;
  if create_upload_slot.ticket_id is not null then
    -- row-level security: a ticket that may not be seen does not exist
    select t.is_sensitive into sensitive
    from public.tickets t where t.id = create_upload_slot.ticket_id and t.tenant_id = tenant;
    if not found then
      raise exception using errcode = 'PT404', message = 'not_found', detail = 'ticket_id';
    end if;
  end if;
  bucket := private.bucket_for(create_upload_slot.purpose, sensitive);
  if bucket is null then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'purpose';
  end if;
  if not private.caller_may_upload(bucket) then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = format('your role does not upload to %s', bucket);
  end if;
  max_bytes := private.check_bucket_limits(bucket, create_upload_slot.content_type, create_upload_slot.file_size);

  file_id := gen_random_uuid();
  path := tenant || '/' || file_id || '/' || object_name;
  begin
    insert into public.media_attachments (
      file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, declared_sha256, purpose, created_by
    ) values (
      create_upload_slot.file_id, tenant, create_upload_slot.ticket_id, create_upload_slot.bucket, create_upload_slot.path,
      create_upload_slot.filename, create_upload_slot.content_type, create_upload_slot.file_size,
      create_upload_slot.declared_sha256, create_upload_slot.purpose, (select auth.uid())
    );
  exception
    when check_violation or not_null_violation then
      -- what upload-url has checked, by whoever calls this directly
      raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'filename, content_type, file_size or sha256';
  end;
  return next;
end
$$;
comment on function public.create_upload_slot(text, text, text, text, bigint, uuid, text) is
  'Announces a file as the caller and says where to upload it. Raises PT400, PT403, PT404, PT413 or PT415 with a stable code as message.';

revoke execute on function
  private.bucket_for(text, boolean),
  private.caller_may_upload(text),
  private.check_bucket_limits(text, text, bigint, boolean),
  private.check_announced(),
  public.create_upload_slot(text, text, text, text, bigint, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function
  private.bucket_for(text, boolean),
  private.caller_may_upload(text),
  private.check_bucket_limits(text, text, bigint, boolean),
  public.create_upload_slot(text, text, text, text, bigint, uuid, text)
  to authenticated;
