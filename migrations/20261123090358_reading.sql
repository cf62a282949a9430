-- Reading files: who may get a signed URL of which file, and the record that is written before a URL of GBV evidence exists.

create view public.evidence_access_log with (security_invoker = true) as
select
  r.tenant_id, r.id, r.seq, r.file_id, r.user_id, r.user_role,
  (r.details ->> 'expires_in')::integer as expires_in, r.details ->> 'request_id' as request_id,
  r.recorded_at as accessed_at
from public.custody_records r
where r.event = 'url_signed';
comment on view public.evidence_access_log is 'Every signed URL of GBV evidence: who got it, in what role, when, and for how many seconds.';
revoke all on public.evidence_access_log from anon, authenticated, service_role;
grant select on public.evidence_access_log to authenticated, service_role;

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
    -- row-level security decides; what the caller may not read does not exist
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
  'Which of the files ({file_id} or {bucket, path}, at most 100) the caller may get URLs of, in the order asked; records each GBV one. expires_in in seconds: 1 to 86400, default 3600; for GBV evidence at most 900, default 300.';
revoke execute on function public.open_evidence(jsonb, text, integer) from public, anon, authenticated, service_role;
grant execute on function public.open_evidence(jsonb, text, integer) to authenticated;
