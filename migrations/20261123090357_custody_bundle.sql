-- A court bundle: what `npm run bundle` puts into a zip, one certificate for each stored file of a ticket.

-- SECURITY DEFINER, in both: no API role reads the log's nodes, or writes records and names.
create function public.record_custody_bundle(tracking_number text, requested_by text)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  file public.media_attachments;
  salt bytea;
  commitment text;
  files integer := 0;
begin
  if coalesce(length(requested_by), 0) not between 1 and 200 then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'requested_by: who asked for it, 1 to 200 characters';
  end if;
  for file in
    select m.* from public.media_attachments m join public.tickets t on (t.tenant_id, t.id) = (m.tenant_id, m.ticket_id)
    where t.tracking_number = record_custody_bundle.tracking_number and m.status = 'stored' and m.sha256 is not null
    order by m.file_id
  loop
    salt := uuid_send(gen_random_uuid());
    commitment := private.commitment(salt, requested_by);
    insert into private.custody_signers values (commitment, file.tenant_id, salt, requested_by, null);
    perform private.record_system_event(
      file.tenant_id, 'bundled', jsonb_build_object('requested_by_commitment', commitment), file.file_id
    );
    files := files + 1;
  end loop;
  if files = 0 then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  -- last, since it holds the log until the commit
  for file in
    select m.* from public.media_attachments m join public.tickets t on (t.tenant_id, t.id) = (m.tenant_id, m.ticket_id)
    where t.tracking_number = record_custody_bundle.tracking_number and m.status = 'stored' and m.sha256 is not null
  loop
    perform private.seal_custody(file.tenant_id, file.file_id);
  end loop;
  return files;
end
$$;
comment on function public.record_custody_bundle(text, text) is
  'Records, before anything is read, that the stored files of a ticket go into a bundle and who asked for it (by commitment); how many. The worker then makes a checkpoint that covers it. Raises PT404.';
revoke execute on function public.record_custody_bundle(text, text) from public, anon, authenticated, service_role;
grant execute on function public.record_custody_bundle(text, text) to service_role;

create function public.custody_bundle(tracking_number text)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(private.certificate_of(m, 'municipality') order by m.created_at, m.file_id), '[]')
    from public.media_attachments m join public.tickets t on (t.tenant_id, t.id) = (m.tenant_id, m.ticket_id)
    where t.tracking_number = custody_bundle.tracking_number and m.status = 'stored'
      -- only what was recorded as handed out, a moment ago
      and exists (
        select from public.custody_records r
        where r.file_id = m.file_id and r.event = 'bundled' and r.recorded_at > now() - interval '1 hour'
      )
  );
end
$$;
comment on function public.custody_bundle(text) is
  'A certificate for each file of a ticket that record_custody_bundle recorded within the last hour.';
revoke execute on function public.custody_bundle(text) from public, anon, authenticated, service_role;
grant execute on function public.custody_bundle(text) to service_role;
