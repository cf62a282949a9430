-- Handing files out: which of the files asked for the caller may read, and a record of every signed URL for GBV
-- evidence, written before the URL exists.

create table public.evidence_access_log (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references public.municipalities (id),
  file_id uuid not null references public.media_attachments (file_id),
  user_id uuid not null,
  user_role text not null,
  expires_in integer not null check (expires_in between 1 and 900),
  request_id text not null check (length(request_id) between 1 and 100),
  accessed_at timestamptz not null default now()
);
create index evidence_access_log_tenant_id_idx on public.evidence_access_log (tenant_id, accessed_at desc);
create index evidence_access_log_file_id_idx on public.evidence_access_log (file_id);

comment on table public.evidence_access_log is
  'Every signed URL for GBV evidence: who, in what role, when, for how long. No API role writes, changes or deletes it.';
comment on column public.evidence_access_log.expires_in is 'Validity of the URL in seconds, at most 900.';
comment on column public.evidence_access_log.user_id is 'No foreign key: the record outlives the account.';

alter table public.evidence_access_log enable row level security;

create policy "police liaison and admins see who was given GBV evidence" on public.evidence_access_log
  for select to authenticated
  using (tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()));

revoke all on public.evidence_access_log from anon, authenticated, service_role;
grant select on public.evidence_access_log to authenticated, service_role;

-- SECURITY DEFINER: callers have no right to write the log, or they could write what they like.
create function private.record_evidence_access(file_id uuid, expires_in integer, request_id text)
  returns void
  language sql volatile security definer
  set search_path = ''
as $$
  insert into public.evidence_access_log (tenant_id, file_id, user_id, user_role, expires_in, request_id)
  values (
    private.caller_tenant(), record_evidence_access.file_id, (select auth.uid()), private.caller_role(),
    record_evidence_access.expires_in, record_evidence_access.request_id
  )
$$;
comment on function private.record_evidence_access(uuid, integer, text) is
  'Notes that the caller is about to be given a signed URL. Who it is comes from the token alone.';

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
        perform private.record_evidence_access(file_id, expires_seconds, request_id);
      end if;
    end if;
    return next;
  end loop;
end
$$;
comment on function public.open_evidence(jsonb, text, integer) is
  'Which of the files ({file_id} or {bucket, path}, at most 100) the caller may be given URLs of, in the order asked; notes each GBV one. expires_in in seconds: 1 to 86400, default 3600; for GBV evidence at most 900, default 300.';

revoke execute on function
  private.record_evidence_access(uuid, integer, text),
  public.open_evidence(jsonb, text, integer)
  from public;
grant execute on function
  private.record_evidence_access(uuid, integer, text),
  public.open_evidence(jsonb, text, integer)
  to authenticated;
