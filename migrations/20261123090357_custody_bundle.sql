-- A court bundle: a ticket's files, each with its certificate, in one zip. The dashboard makes it in the browser, `npm run bundle`
-- with the secret key; both record here first what they hand out.

-- SECURITY DEFINER: no API role writes the name of the person who asked, or what the system did.
create function private.record_bundle(tenant_id uuid, files uuid[], requested_by text, messages_sha256 text)
  returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  bundle_id constant uuid := gen_random_uuid();
  salt constant bytea := uuid_send(gen_random_uuid());
  commitment constant text := private.commitment(salt, requested_by);
  details constant jsonb := jsonb_build_object(
    'bundle_id', bundle_id, 'requested_by_commitment', commitment, 'messages_sha256', messages_sha256
  );
  file uuid;
begin
  insert into private.custody_signers values (commitment, record_bundle.tenant_id, salt, requested_by, null);
  foreach file in array files loop
    if (select auth.uid()) is not null then
      perform private.record_user_event(record_bundle.tenant_id, 'bundled', details, file);
    elsif (select auth.jwt()) ->> 'role' in ('authenticated', 'anon') then
      raise exception using errcode = '42501', message = 'the token names no user';
    else
      perform private.record_system_event(record_bundle.tenant_id, 'bundled', details, file);
    end if;
  end loop;
  -- last, since it holds the log until the commit
  foreach file in array files loop
    perform private.seal_custody(record_bundle.tenant_id, file);
  end loop;
  return bundle_id;
end
$$;
comment on function private.record_bundle(uuid, uuid[], text, text) is
  'Records that the caller hands out files in a bundle, with a commitment to who asked for it, and seals these records. Refuses a user of another municipality.';
revoke execute on function private.record_bundle(uuid, uuid[], text, text) from public, anon, authenticated, service_role;
grant execute on function private.record_bundle(uuid, uuid[], text, text) to authenticated, service_role;

create function public.record_custody_bundle(
  ticket_id uuid, requested_by text, file_ids uuid[] default null, messages_sha256 text default null
)
  returns jsonb
  language plpgsql volatile
  set search_path = ''
as $$
declare
  tenant uuid;
  files uuid[];
  bundle_id uuid;
begin
  if current_user <> 'service_role' and not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  if length(coalesce(trim(requested_by), '')) not between 1 and 200 then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'requested_by: who asked for it, 1 to 200 characters';
  end if;
  if messages_sha256 !~ '^[0-9a-f]{64}$' then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'messages_sha256: 64 hex digits';
  end if;
  -- row-level security: what may not be read does not exist
  select m.tenant_id, array_agg(m.file_id order by m.created_at, m.file_id) into tenant, files
  from public.media_attachments m
  where m.ticket_id = record_custody_bundle.ticket_id and m.status = 'stored' and m.sha256 is not null
    and (file_ids is null or m.file_id = any (file_ids))
  group by m.tenant_id;
  if files is null or cardinality(files) < (select count(distinct f) from unnest(file_ids) f) then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  if cardinality(files) > 200 then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'file_ids: at most 200 files a bundle';
  end if;
  bundle_id := private.record_bundle(tenant, files, trim(requested_by), messages_sha256);
  return jsonb_build_object(
    'bundle_id', bundle_id, 'municipality_id', tenant, 'files', cardinality(files), 'log_size', private.custody_size(tenant)
  );
end
$$;
comment on function public.record_custody_bundle(uuid, text, uuid[], text) is
  'Records, before anything is read, that stored files of a ticket (all whose SHA-256 is known, or those named) go into a bundle, who asked for it (by commitment), and the SHA-256 of its messages.json if it has one. Answers with {bundle_id, municipality_id, files, log_size}. The worker then makes a checkpoint of that size or more. For admins, police liaison and the secret key. Raises PT400, PT403, PT404.';
revoke execute on function public.record_custody_bundle(uuid, text, uuid[], text) from public, anon, authenticated, service_role;
grant execute on function public.record_custody_bundle(uuid, text, uuid[], text) to authenticated, service_role;

create function public.custody_bundle(bundle_id uuid, ticket_id uuid)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(
      private.certificate_of(m, case private.caller_role() when 'saps_liaison' then 'saps' else 'municipality' end)
      order by m.created_at, m.file_id
    ), '[]')
    from public.media_attachments m
    where m.ticket_id = custody_bundle.ticket_id and m.status = 'stored'
      -- only what the caller recorded as handed out, a moment ago
      and exists (
        select from public.custody_records r
        where r.file_id = m.file_id and r.details ->> 'bundle_id' = custody_bundle.bundle_id::text
          and r.user_id is not distinct from (select auth.uid()) and r.recorded_at > now() - interval '1 hour'
      )
  );
end
$$;
comment on function public.custody_bundle(uuid, uuid) is
  'A certificate for each file of a bundle that the caller recorded within the last hour. For admins, police liaison and the secret key; nobody else sees records.';
revoke execute on function public.custody_bundle(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.custody_bundle(uuid, uuid) to authenticated, service_role;
-- what makes a certificate, for the command
grant execute on function
  private.certificate_of(public.media_attachments, text, text, text),
  private.certificate_wording(text),
  private.recorded_file(uuid),
  private.file_fault(public.media_attachments),
  private.custody_hash(public.custody_records),
  private.commitment(bytea, text)
  to service_role;
