-- What staff do with residents' messages: read the sealed ones, mark a ticket sensitive or read, move a message to where it
-- belongs, and see who else wrote. Each act on a sensitive ticket is recorded before it is done.

-- Marking ------------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: any member of staff who reads "my boyfriend…" may hide a ticket, though most may not change tickets.
create function private.mark_ticket_sensitive(ticket_id uuid)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform private.record_user_event(private.caller_tenant(), 'marked_sensitive', '{}', null, mark_ticket_sensitive.ticket_id);
  update public.tickets t set is_sensitive = true
  where t.id = mark_ticket_sensitive.ticket_id and t.tenant_id = private.caller_tenant() and private.caller_is_staff();
end
$$;
comment on function private.mark_ticket_sensitive(uuid) is 'As public.mark_ticket_sensitive, which has checked that the caller may.';
revoke execute on function private.mark_ticket_sensitive(uuid) from public, anon, authenticated, service_role;
grant execute on function private.mark_ticket_sensitive(uuid) to authenticated;

create function public.mark_ticket_sensitive(ticket_id uuid)
  returns boolean
  language plpgsql volatile
  set search_path = ''
as $$
begin
  -- row-level security: what may not be read does not exist
  if not private.caller_is_staff()
    or not exists (select from public.tickets t where t.id = mark_ticket_sensitive.ticket_id)
  then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  perform private.mark_ticket_sensitive(mark_ticket_sensitive.ticket_id);
  return true;
end
$$;
comment on function public.mark_ticket_sensitive(uuid) is
  'Hides a ticket, its files and its messages from all but police liaison and admins, at once, and records who did. For all staff; only police liaison and admins can undo it. Raises PT404.';
revoke execute on function public.mark_ticket_sensitive(uuid) from public, anon, authenticated, service_role;
grant execute on function public.mark_ticket_sensitive(uuid) to authenticated;

-- SECURITY DEFINER: most of the staff may not change tickets.
create function private.mark_ticket_read(ticket_id uuid)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  update public.tickets t set last_read_at = now()
  where t.id = mark_ticket_read.ticket_id and t.tenant_id = private.caller_tenant() and private.caller_is_staff()
    and t.last_message_at > coalesce(t.last_read_at, '-infinity');
end
$$;
comment on function private.mark_ticket_read(uuid) is 'As public.mark_ticket_read, which has checked that the caller may.';
revoke execute on function private.mark_ticket_read(uuid) from public, anon, authenticated, service_role;
grant execute on function private.mark_ticket_read(uuid) to authenticated;

create function public.mark_ticket_read(ticket_id uuid)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if not private.caller_is_staff()
    or not exists (select from public.tickets t where t.id = mark_ticket_read.ticket_id)
  then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  perform private.mark_ticket_read(mark_ticket_read.ticket_id);
end
$$;
comment on function public.mark_ticket_read(uuid) is
  'Records that the messages so far were read: a ticket is unread while last_message_at is later than last_read_at. For staff. Raises PT404.';
revoke execute on function public.mark_ticket_read(uuid) from public, anon, authenticated, service_role;
grant execute on function public.mark_ticket_read(uuid) to authenticated;

-- Moving -------------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: no user has the right to write messages and files; it checks what the caller may do.
create function public.move_message(message_sid text, ticket_id uuid default null)
  returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  tenant constant uuid := private.caller_tenant();
  sees_sensitive constant boolean := private.caller_sees_sensitive();
  moves_ordinary constant boolean := private.caller_role() in ('manager', 'admin');
  message public.inbound_messages;
  target public.tickets;
begin
  if (select auth.uid()) is null or tenant is null or not (sees_sensitive or moves_ordinary) then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for managers, admins and police liaison';
  end if;
  select m.* into message from public.inbound_messages m
  where m.message_sid = move_message.message_sid and m.tenant_id = tenant and m.ticket_id is not null
    and case when m.is_sensitive then sees_sensitive else moves_ordinary end
  for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found', detail = 'message_sid';
  end if;

  if move_message.ticket_id is null then
    target := private.open_ticket(
      tenant, message.sender_id, message.channel, message.channel_number, message.is_sensitive, message.body, null, null
    );
  else
    select t.* into target from public.tickets t
    where t.id = move_message.ticket_id and t.id <> message.ticket_id and t.tenant_id = tenant
      and t.status::text not in ('resolved', 'closed')
      and (not t.is_sensitive or sees_sensitive)
      -- by the same sender: a report is never mixed with somebody else's
      and exists (select from private.ticket_origins o where o.ticket_id = t.id and o.sender_id = message.sender_id)
    for no key update;
    if not found then
      raise exception using errcode = 'PT404', message = 'not_found', detail = 'ticket_id';
    end if;
  end if;

  perform private.record_user_event(
    tenant, 'message_moved',
    jsonb_build_object('message_sid', message.message_sid, 'from', message.ticket_id, 'to', target.id), null, target.id
  );
  update public.inbound_messages m set
    ticket_id = target.id,
    is_sensitive = target.is_sensitive,
    body = case when not target.is_sensitive then m.body end,
    latitude = case when not target.is_sensitive then m.latitude end,
    longitude = case when not target.is_sensitive then m.longitude end,
    place = case when not target.is_sensitive then m.place end
  where m.message_sid = message.message_sid;
  -- a trigger hides them if the ticket is sensitive; what is in gbv-evidence stays there
  update public.media_attachments m set ticket_id = target.id where m.message_sid = message.message_sid;
  -- Both tickets have changed for dashboards. A description that was the message's text moves with it: it would stay readable for
  -- everybody.
  update public.tickets t set
    last_message_at = greatest(t.last_message_at, message.received_at),
    description = case when t.is_sensitive then t.description else coalesce(nullif(t.description, ''), message.body, t.description) end
  where t.id = target.id;
  update public.tickets t set
    updated_at = now(),
    description = case when t.description is distinct from message.body then t.description else coalesce(
      (
        select m.body from public.inbound_messages m
        where m.tenant_id = tenant and m.ticket_id = message.ticket_id and m.body is not null
        order by m.received_at, m.message_sid limit 1
      ),
      case when exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = 'public.tickets'::regclass and a.attname = 'description' and a.attnotnull
      ) then '' end
    ) end
  where t.id = message.ticket_id;
  return target.id;
end
$$;
comment on function public.move_message(text, uuid) is
  'Moves a message and its files to another open ticket of the same sender, or to a new one (NULL); returns that ticket. A description that was its text moves with it. For managers and admins; into or out of a sensitive ticket for admins and police liaison. Recorded. Raises PT403, PT404.';
revoke execute on function public.move_message(text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.move_message(text, uuid) to authenticated;

-- Who else wrote -----------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: nobody may read who opened a ticket.
create function public.other_tickets_of_sender(ticket_id uuid)
  returns table (id uuid, tracking_number text, status text, is_sensitive boolean, created_at timestamptz)
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  if (select auth.uid()) is null or private.caller_tenant() is null or not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  return query
    select t.id, t.tracking_number, t.status::text, t.is_sensitive, t.created_at
    from private.ticket_origins mine
    join public.tickets report on report.id = mine.ticket_id and report.is_sensitive and report.tenant_id = private.caller_tenant()
    join private.ticket_origins o on o.sender_id = mine.sender_id and o.ticket_id <> mine.ticket_id
    join public.tickets t on t.id = o.ticket_id and t.tenant_id = report.tenant_id
    where mine.ticket_id = other_tickets_of_sender.ticket_id and t.status::text not in ('resolved', 'closed')
    order by t.created_at desc
    limit 100;
end
$$;
comment on function public.other_tickets_of_sender(uuid) is
  'The other open tickets of the person who opened this sensitive one. For admins and police liaison; none for an ordinary ticket. Raises PT403.';
revoke execute on function public.other_tickets_of_sender(uuid) from public, anon, authenticated, service_role;
grant execute on function public.other_tickets_of_sender(uuid) to authenticated;

-- Opening ------------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: nobody has the right to read what is sealed; it checks what the caller may read, and records it first.
create function public.open_messages(
  request_id text, ticket_id uuid default null, message_sids text[] default null, include_sender boolean default false
)
  returns table (message_sid text, received_at timestamptz, kind text, encrypted_payload text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  tenant constant uuid := private.caller_tenant();
  opened text[];
  about record;
  hidden boolean;
begin
  if (select auth.uid()) is null or tenant is null or not private.caller_is_staff() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for staff';
  end if;
  if num_nonnulls(ticket_id, message_sids) <> 1 or cardinality(message_sids) not between 1 and 100 then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'ticket_id, or 1 to 100 message_sids';
  end if;
  select array_agg(m.message_sid), bool_or(m.is_sensitive) into opened, hidden
  from (
    select m.message_sid, m.is_sensitive from public.inbound_messages m
    where m.tenant_id = tenant and m.ticket_id is not null
      and case
        when open_messages.ticket_id is null then m.message_sid = any (open_messages.message_sids)
        else m.ticket_id = open_messages.ticket_id
      end
      and (not m.is_sensitive or private.caller_sees_sensitive())
    order by m.received_at
    limit 100
  ) m;
  -- A message that the caller may not read does not exist, nor does a list that has one. The attempt is recorded, in the same way
  -- whether the message exists or not. No exception: it would roll the record back.
  if opened is null
    or cardinality(opened) <> (select count(distinct s) from unnest(coalesce(open_messages.message_sids, opened)) s)
  then
    perform private.record_user_event(
      tenant, 'report_refused',
      jsonb_strip_nulls(jsonb_build_object(
        'message_sids', (select jsonb_agg(left(s, 34)) from unnest(open_messages.message_sids) s),
        'include_sender', include_sender, 'request_id', left(open_messages.request_id, 100)
      )),
      null, open_messages.ticket_id
    );
    return;
  end if;
  if include_sender and private.caller_role() not in ('manager', 'admin')
    and exists (select from public.inbound_messages m where m.message_sid = any (opened) and not m.is_sensitive)
  then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'include_sender: for managers and admins';
  end if;
  for about in
    select m.ticket_id, jsonb_agg(m.message_sid order by m.received_at) as sids
    from public.inbound_messages m where m.message_sid = any (opened) group by m.ticket_id order by m.ticket_id
  loop
    perform private.record_user_event(
      tenant, 'report_opened',
      jsonb_build_object('message_sids', about.sids, 'include_sender', include_sender, 'request_id', left(open_messages.request_id, 100)),
      null, about.ticket_id
    );
  end loop;
  return query
    select m.message_sid, m.received_at, m.kind, m.encrypted_payload
    from public.inbound_messages m where m.message_sid = any (opened) order by m.received_at, m.message_sid;
end
$$;
comment on function public.open_messages(text, uuid, text[], boolean) is
  'The sealed messages of a ticket (the first 100), or those named, after recording that the caller opens them. Function open-report decrypts them. Sensitive ones for admins and police liaison; the sender of ordinary ones for managers and admins. No row for what the caller may not read, or what is not there; that they asked is recorded. Raises PT400, PT403.';
revoke execute on function public.open_messages(text, uuid, text[], boolean) from public, anon, authenticated, service_role;
grant execute on function public.open_messages(text, uuid, text[], boolean) to authenticated;

-- SECURITY DEFINER: as open_messages. For `npm run bundle`, whose operator holds the keys that open them.
create function public.open_bundle_messages(
  ticket_id uuid, message_sids text[], requested_by text, include_sender boolean default false
)
  returns table (message_sid text, received_at timestamptz, kind text, encrypted_payload text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  salt constant bytea := uuid_send(gen_random_uuid());
  commitment constant text := private.commitment(salt, trim(requested_by));
  tenant uuid;
  sids text[];
begin
  if cardinality(message_sids) not between 1 and 100 or length(coalesce(trim(requested_by), '')) not between 1 and 200 then
    raise exception using errcode = 'PT400', message = 'invalid_request',
      detail = '1 to 100 message_sids; requested_by: who asked for it, 1 to 200 characters';
  end if;
  select m.tenant_id, array_agg(m.message_sid order by m.received_at, m.message_sid) into tenant, sids
  from public.inbound_messages m
  where m.message_sid = any (open_bundle_messages.message_sids) and m.ticket_id = open_bundle_messages.ticket_id
  group by m.tenant_id;
  if sids is null or cardinality(sids) <> (select count(distinct s) from unnest(open_bundle_messages.message_sids) s) then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  insert into private.custody_signers values (commitment, tenant, salt, trim(requested_by), null);
  perform private.record_system_event(
    tenant, 'report_opened',
    jsonb_build_object('message_sids', sids, 'include_sender', include_sender, 'requested_by_commitment', commitment),
    null, open_bundle_messages.ticket_id
  );
  return query
    select m.message_sid, m.received_at, m.kind, m.encrypted_payload
    from public.inbound_messages m where m.message_sid = any (sids) order by m.received_at, m.message_sid;
end
$$;
comment on function public.open_bundle_messages(uuid, text[], text, boolean) is
  'The sealed messages named, all of one ticket, after recording that they are opened and who asked for it (by commitment). With the secret key, for a court bundle. Raises PT400, PT404.';
revoke execute on function public.open_bundle_messages(uuid, text[], text, boolean) from public, anon, authenticated, service_role;
grant execute on function public.open_bundle_messages(uuid, text[], text, boolean) to service_role;
