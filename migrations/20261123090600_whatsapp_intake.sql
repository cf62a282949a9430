-- WhatsApp intake: which number belongs to which municipality, what arrived, and the functions by which twilio-media
-- records a message and what became of its media. All of it is for the service role.

select private.lock_table('public.tickets', 'share row exclusive');

create table public.whatsapp_numbers (
  number text primary key check (number ~ '^\+?[0-9A-Za-z._-]{3,64}$'),
  tenant_id uuid not null references public.municipalities (id),
  is_sensitive boolean not null default false,
  created_at timestamptz not null default now()
);
create index whatsapp_numbers_tenant_id_idx on public.whatsapp_numbers (tenant_id);
comment on table public.whatsapp_numbers is 'Numbers that residents write to, without the whatsapp: prefix. All that arrives at a sensitive one is GBV.';

create table if not exists public.inbound_messages (
  message_sid text primary key check (message_sid ~ '^[A-Za-z]{2}[0-9a-fA-F]{32}$'),
  tenant_id uuid not null references public.municipalities (id),
  ticket_id uuid not null,
  sender_ref text not null check (length(sender_ref) between 16 and 128),
  encrypted_payload text not null check (encrypted_payload ~ '^gA[A-Za-z0-9_-]+=*$'),
  received_at timestamptz not null default clock_timestamp(), -- not now(): of messages at once, the one taken in first is the first
  constraint inbound_messages_ticket_fkey foreign key (tenant_id, ticket_id) references public.tickets (tenant_id, id)
);
create index if not exists inbound_messages_ticket_idx on public.inbound_messages (tenant_id, ticket_id);
comment on table public.inbound_messages is 'Every message of Twilio''s webhook, once, sealed. No user reads it.';
comment on column public.inbound_messages.sender_ref is 'Keyed hash of the sender; not a number.';
comment on column public.inbound_messages.encrypted_payload is 'All parameters of the webhook as one Fernet token of a JSON object.';

alter table public.media_attachments
  drop constraint if exists media_attachments_message_sid_fkey,
  add constraint media_attachments_message_sid_fkey foreign key (message_sid) references public.inbound_messages (message_sid);

create or replace trigger inbound_messages_kept
  before update or delete or truncate on public.inbound_messages
  for each statement execute function private.refuse_change();

alter table public.whatsapp_numbers enable row level security;
alter table public.inbound_messages enable row level security;

create policy "admins see their municipality's numbers" on public.whatsapp_numbers
  for select to authenticated
  using (tenant_id = (select private.caller_tenant()) and (select private.caller_role()) = 'admin');

create policy "no user reads messages" on public.inbound_messages
  for all to public
  using (false);

revoke all on public.whatsapp_numbers, public.inbound_messages from anon, authenticated, service_role;
grant select on public.whatsapp_numbers to authenticated;
grant select, insert, update, delete on public.whatsapp_numbers to service_role;
grant select on public.inbound_messages to service_role;

-- SECURITY DEFINER, here and below: the service role has no right to write messages and records but through these.
create function public.route_inbound_message(channel_number text, sender_ref text, ticket_id uuid default null)
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
  if route_inbound_message.ticket_id is not null then
    select t.* into ticket from public.tickets t
    where t.id = route_inbound_message.ticket_id and t.tenant_id = number.tenant_id;
    if not found then
      raise exception using errcode = 'PT404', message = 'not_found', detail = 'ticket_id';
    end if;
  else
    -- A GBV number does not add to an ordinary ticket: that is about something else.
    select t.* into ticket from public.tickets t
    where t.tenant_id = number.tenant_id
      and t.sender_ref = route_inbound_message.sender_ref
      and t.status::text not in ('resolved', 'closed')
      and t.created_at > now() - interval '7 days'
      and (t.is_sensitive or not number.is_sensitive)
    order by t.is_sensitive desc, t.created_at desc
    limit 1;
  end if;
  return jsonb_build_object(
    'tenant_id', number.tenant_id,
    'ticket_id', ticket.id,
    'sensitive', number.is_sensitive or coalesce(ticket.is_sensitive, false)
  );
end
$$;
comment on function public.route_inbound_message(text, text, uuid) is
  'Where a message to a number goes: {tenant_id, ticket_id or null for a new one, sensitive}. Writes nothing. Raises PT404.';

create function public.record_inbound_message(
  message_sid text,
  channel_number text,
  sender_ref text,
  encrypted_payload text,
  media jsonb,
  description text default null,
  encrypted_description text default null,
  ticket_id uuid default null
)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  route jsonb;
  tenant uuid;
  message public.inbound_messages;
  ticket public.tickets;
  is_sensitive boolean;
  is_new boolean;
  answer jsonb;
begin
  -- A resident sends three photos as three messages at once: they open one ticket, not three.
  perform pg_advisory_xact_lock(hashtextextended('inbound_message:' || record_inbound_message.sender_ref, 0));

  select m.* into message from public.inbound_messages m where m.message_sid = record_inbound_message.message_sid;
  is_new := not found;
  if is_new then
    route := public.route_inbound_message(
      channel_number, record_inbound_message.sender_ref, record_inbound_message.ticket_id
    );
    tenant := (route ->> 'tenant_id')::uuid;
    is_sensitive := (route ->> 'sensitive')::boolean;
    if route ->> 'ticket_id' is null then
      insert into public.tickets (tenant_id, category, is_sensitive, description, encrypted_description, sender_ref, language)
      select
        tenant,
        case when is_sensitive then 'gbv' else 'other' end,
        is_sensitive,
        case when not is_sensitive then record_inbound_message.description end,
        case when is_sensitive then record_inbound_message.encrypted_description end,
        record_inbound_message.sender_ref,
        t.language
      from public.municipalities t where t.id = tenant
      returning * into ticket;
    else
      select t.* into ticket from public.tickets t where t.id = (route ->> 'ticket_id')::uuid;
      -- the URL names an ordinary ticket, the number is for GBV: then the ticket is one, and police liaison are told
      if is_sensitive and not ticket.is_sensitive then
        update public.tickets t set is_sensitive = true where t.id = ticket.id returning t.* into ticket;
      end if;
    end if;

    insert into public.inbound_messages as m (message_sid, tenant_id, ticket_id, sender_ref, encrypted_payload)
    values (
      record_inbound_message.message_sid, tenant, ticket.id, record_inbound_message.sender_ref,
      record_inbound_message.encrypted_payload
    )
    returning * into message;

    insert into public.media_attachments (
      file_id, tenant_id, ticket_id, bucket, path, filename, content_type, purpose, source, message_sid, media_index,
      next_attempt_at
    )
    select
      f.file_id, tenant, ticket.id, private.bucket_for('evidence', is_sensitive),
      tenant || '/' || f.file_id || '/' || (f.medium ->> 'filename'),
      f.medium ->> 'filename', f.medium ->> 'content_type',
      case when is_sensitive then 'gbv-evidence' else 'evidence' end,
      'whatsapp', message.message_sid, f.media_index,
      now() + interval '7 minutes' -- the webhook's own try comes first; an isolate lives 400 s at most
    from (
      select gen_random_uuid() as file_id, e.value as medium, e.ordinality - 1 as media_index
      from jsonb_array_elements(record_inbound_message.media) with ordinality e
    ) f;
  else
    select t.* into ticket from public.tickets t where t.id = message.ticket_id;
    is_sensitive := ticket.is_sensitive
      or exists (select 1 from public.whatsapp_numbers n where n.number = channel_number and n.is_sensitive);
  end if;

  answer := jsonb_build_object(
    'duplicate', not is_new,
    'sensitive', is_sensitive,
    'first', not exists (
      select 1 from public.inbound_messages m
      where m.tenant_id = message.tenant_id and m.ticket_id = message.ticket_id and m.received_at < message.received_at
    ),
    'tracking_number', ticket.tracking_number,
    'language', ticket.language,
    'media', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'file_id', m.file_id, 'media_index', m.media_index, 'bucket', m.bucket, 'path', m.path,
        'content_type', m.content_type
      ) order by m.media_index), '[]')
      from public.media_attachments m
      where m.message_sid = message.message_sid
    )
  );
  if is_new then
    -- last, since a municipality's records wait for each other until the commit
    perform private.record_system_event(m.tenant_id, 'received', jsonb_build_object(
      'source', 'whatsapp', 'message_sid', m.message_sid, 'media_index', m.media_index, 'filename', m.filename,
      'path', m.path, 'ticket_id', m.ticket_id, 'content_type', m.content_type, 'bucket', m.bucket
    ), m.file_id)
    from public.media_attachments m where m.message_sid = message.message_sid order by m.media_index;
  end if;
  return answer;
end
$$;
comment on function public.record_inbound_message(text, text, text, text, jsonb, text, text, uuid) is
  'Takes one webhook in, in one transaction: message, ticket (found or opened) and a pending record per medium, [{filename, content_type}]. A message known already adds nothing and is answered the same. The clear description is dropped for a sensitive report. Raises PT404.';

revoke execute on function
  public.route_inbound_message(text, text, uuid),
  public.record_inbound_message(text, text, text, text, jsonb, text, text, uuid)
  from public, anon, authenticated, service_role;
grant execute on function
  public.route_inbound_message(text, text, uuid),
  public.record_inbound_message(text, text, text, text, jsonb, text, text, uuid)
  to service_role;
