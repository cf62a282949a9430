-- Intake: where a message belongs, and its recording, in one transaction. Both for the service role: twilio-media calls them.

-- SECURITY DEFINER: the service role may read origins and write messages only through these two.
create function public.route_inbound_message(
  channel text, channel_number text, sender_refs text[], ticket_id uuid default null
)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  number public.whatsapp_numbers;
  ticket public.tickets;
begin
  select n.* into number from public.whatsapp_numbers n where n.number = channel_number;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found', detail = 'no municipality has this number';
  end if;
  -- the ticket that the signed URL names; one that does not exist is ignored: a message is always taken in
  select t.* into ticket from public.tickets t
  where t.id = route_inbound_message.ticket_id and t.tenant_id = number.tenant_id;
  if not found then
    -- By channel, number and sender, whether a ticket is sensitive or not, and never a ticket of another number: phone and staff
    -- see the same with and without a report elsewhere.
    select t.* into ticket
    from private.sender_identities i
    join private.ticket_origins o on o.sender_id = i.sender_id
      and o.channel = route_inbound_message.channel and o.channel_number = number.number
    join public.tickets t on t.id = o.ticket_id
    where i.sender_ref = any (route_inbound_message.sender_refs)
      and t.tenant_id = number.tenant_id
      and t.status::text not in ('resolved', 'closed')
      and t.created_at > now() - interval '7 days'
    order by t.created_at desc, t.id
    limit 1;
  end if;
  return jsonb_build_object(
    'tenant_id', number.tenant_id,
    'ticket_id', ticket.id,
    'sensitive', number.is_sensitive or coalesce(ticket.is_sensitive, false)
  );
end
$$;
comment on function public.route_inbound_message(text, text, text[], uuid) is
  'Where a message goes: {tenant_id, ticket_id or null for a new one, sensitive}. Writes nothing. Raises PT404 for a number that no municipality has.';
revoke execute on function public.route_inbound_message(text, text, text[], uuid) from public, anon, authenticated, service_role;
grant execute on function public.route_inbound_message(text, text, text[], uuid) to service_role;

create function private.open_ticket(
  tenant uuid, sender uuid, channel text, channel_number text, sensitive boolean, description text, encrypted_description text,
  sealed_with text
)
  returns public.tickets
  language plpgsql volatile
  set search_path = ''
as $$
declare
  ticket public.tickets;
begin
  insert into public.tickets (tenant_id, category, is_sensitive, description, encrypted_description, sealed_with, language, last_message_at)
  select
    tenant,
    case when sensitive then 'gbv' else 'other' end,
    sensitive,
    case when not sensitive then open_ticket.description end,
    case when sensitive then open_ticket.encrypted_description end,
    case when sensitive and open_ticket.encrypted_description is not null then open_ticket.sealed_with end,
    m.language,
    now()
  from public.municipalities m where m.id = tenant
  returning * into ticket;
  insert into private.ticket_origins (ticket_id, sender_id, channel, channel_number)
  values (ticket.id, sender, open_ticket.channel, open_ticket.channel_number);
  return ticket;
end
$$;
comment on function private.open_ticket(uuid, uuid, text, text, boolean, text, text, text) is 'Opens a ticket for the sender.';
revoke execute on function private.open_ticket(uuid, uuid, text, text, boolean, text, text, text) from public, anon, authenticated, service_role;

create function private.add_inbound_media(message public.inbound_messages, media jsonb)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  insert into public.media_attachments (
    file_id, tenant_id, ticket_id, bucket, path, filename, content_type, purpose, source, message_sid, media_index,
    status, last_error, next_attempt_at
  )
  select
    f.file_id, message.tenant_id, message.ticket_id, private.bucket_for('evidence', message.is_sensitive),
    message.tenant_id || '/' || f.file_id || '/' || (f.file ->> 'filename'),
    f.file ->> 'filename', f.file ->> 'content_type',
    case when message.is_sensitive then 'gbv-evidence' else 'evidence' end,
    'whatsapp', message.message_sid, f.media_index,
    case when f.file ->> 'problem' is null then 'pending' else 'failed' end,
    f.file ->> 'problem',
    -- the webhook's own try comes first; an isolate lives 400 s at most
    case when f.file ->> 'problem' is null then now() + interval '7 minutes' end
  from (
    select gen_random_uuid() as file_id, e.value as file, e.ordinality - 1 as media_index
    from jsonb_array_elements(media) with ordinality e
  ) f;

  perform private.record_system_event(m.tenant_id, 'received', jsonb_build_object(
    'source', 'whatsapp', 'message_sid', m.message_sid, 'media_index', m.media_index, 'filename', m.filename,
    'path', m.path, 'ticket_id', m.ticket_id, 'content_type', m.content_type, 'bucket', m.bucket
  ), m.file_id)
  from public.media_attachments m where m.message_sid = message.message_sid order by m.media_index;
  perform private.record_system_event(m.tenant_id, 'failed', jsonb_build_object('reason', m.last_error), m.file_id)
  from public.media_attachments m where m.message_sid = message.message_sid and m.status = 'failed' order by m.media_index;
end
$$;
comment on function private.add_inbound_media(public.inbound_messages, jsonb) is
  'A record for each file of a message, [{filename, content_type, problem?}]: to be transferred, or failed at once for the problem.';
revoke execute on function private.add_inbound_media(public.inbound_messages, jsonb) from public, anon, authenticated, service_role;

create function public.record_inbound_message(
  message_sid text,
  channel text,
  channel_number text,
  sender_refs text[],
  kind text,
  encrypted_payload text,
  media jsonb,
  body text default null,
  latitude double precision default null,
  longitude double precision default null,
  place text default null,
  encrypted_description text default null,
  ticket_id uuid default null,
  sealed_with text default null
)
  returns jsonb
  language plpgsql volatile security definer -- as route_inbound_message
  set search_path = ''
as $$
declare
  route jsonb;
  number public.whatsapp_numbers;
  sender uuid;
  message public.inbound_messages;
  ticket public.tickets;
  is_new boolean;
  opens boolean := false;
begin
  sender := private.sender_of(record_inbound_message.sender_refs);

  select m.* into message from public.inbound_messages m where m.message_sid = record_inbound_message.message_sid;
  is_new := not found;
  if is_new then
    route := public.route_inbound_message(
      record_inbound_message.channel, record_inbound_message.channel_number, record_inbound_message.sender_refs,
      record_inbound_message.ticket_id
    );
    select n.* into number from public.whatsapp_numbers n where n.number = record_inbound_message.channel_number;

    if route ->> 'ticket_id' is not null then
      -- locked before its files: a ticket that turns sensitive at this moment waits, or this waits for it
      update public.tickets t set
        last_message_at = now(),
        -- the signed URL names an ordinary ticket but the number is for GBV: the ticket turns sensitive, and police liaison are told
        is_sensitive = t.is_sensitive or number.is_sensitive,
        -- the first words that come are the ticket's description
        description = case
          when t.is_sensitive or number.is_sensitive then t.description
          else coalesce(t.description, record_inbound_message.body)
        end,
        encrypted_description = case
          when t.is_sensitive or number.is_sensitive
            then coalesce(t.encrypted_description, record_inbound_message.encrypted_description)
          else t.encrypted_description
        end,
        sealed_with = case
          when (t.is_sensitive or number.is_sensitive)
            and t.encrypted_description is null and record_inbound_message.encrypted_description is not null
            then record_inbound_message.sealed_with
          else t.sealed_with
        end
      where t.id = (route ->> 'ticket_id')::uuid and record_inbound_message.kind <> 'opt_out'
      returning t.* into ticket;
      if not found then
        select t.* into ticket from public.tickets t where t.id = (route ->> 'ticket_id')::uuid;
      end if;
    elsif record_inbound_message.kind <> 'opt_out' then
      opens := true;
      ticket := private.open_ticket(
        number.tenant_id, sender, record_inbound_message.channel, number.number, number.is_sensitive,
        record_inbound_message.body, record_inbound_message.encrypted_description, record_inbound_message.sealed_with
      );
    end if;

    insert into public.inbound_messages as m (
      message_sid, tenant_id, ticket_id, channel, channel_number, sender_id, sender_refs, kind, is_sensitive,
      body, latitude, longitude, place, encrypted_payload, sealed_with, reply
    ) values (
      record_inbound_message.message_sid, number.tenant_id, ticket.id, record_inbound_message.channel, number.number, sender,
      record_inbound_message.sender_refs, record_inbound_message.kind, coalesce(ticket.is_sensitive, number.is_sensitive),
      case when not ticket.is_sensitive then record_inbound_message.body end,
      case when not ticket.is_sensitive then record_inbound_message.latitude end,
      case when not ticket.is_sensitive then record_inbound_message.longitude end,
      case when not ticket.is_sensitive then record_inbound_message.place end,
      record_inbound_message.encrypted_payload,
      record_inbound_message.sealed_with,
      case
        when record_inbound_message.kind = 'opt_out' then 'none'
        when opens and not number.is_sensitive then 'reference'
        when opens then 'thanks'
        -- follow-ups are thanked once in ten minutes, or two machines would thank each other forever
        when exists (
          select from public.inbound_messages e
          where e.sender_id = sender and e.channel = record_inbound_message.channel and e.channel_number = number.number
            and e.reply <> 'none' and e.received_at > now() - interval '10 minutes'
        ) then 'none'
        else 'thanks'
      end
    )
    returning * into message;
    perform private.add_inbound_media(message, record_inbound_message.media);
  else
    select t.* into ticket from public.tickets t where t.id = message.ticket_id;
  end if;

  return jsonb_build_object(
    'duplicate', not is_new,
    'reply', message.reply,
    -- only if the reply says it
    'tracking_number', case when message.reply = 'reference' then ticket.tracking_number end,
    'language', coalesce(ticket.language, (select t.language from public.municipalities t where t.id = message.tenant_id)),
    'media', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'file_id', m.file_id, 'media_index', m.media_index, 'bucket', m.bucket, 'path', m.path,
        'content_type', m.content_type
      ) order by m.media_index) filter (where m.status <> 'failed'), '[]')
      from public.media_attachments m
      where m.message_sid = message.message_sid
    )
  );
end
$$;
comment on function public.record_inbound_message(
  text, text, text, text[], text, text, jsonb, text, double precision, double precision, text, text, uuid, text
) is
  'Takes one webhook in, in one transaction: message, ticket (found or opened) and a record per file, [{filename, content_type, problem?}]. A message known already adds nothing and is answered the same. The clear words and place are dropped for a sensitive report. sealed_with is the short id of the key that made both tokens. Raises PT404.';
revoke execute on function public.record_inbound_message(
  text, text, text, text[], text, text, jsonb, text, double precision, double precision, text, text, uuid, text
) from public, anon, authenticated, service_role;
grant execute on function public.record_inbound_message(
  text, text, text, text[], text, text, jsonb, text, double precision, double precision, text, text, uuid, text
) to service_role;
