-- Messages: which number belongs to which municipality, what residents wrote, and who opened a ticket. A message is kept sealed as
-- it came; for an ordinary ticket its text and place are also kept in the clear, readable like the ticket.

select private.lock_tables('{public.tickets in share row exclusive mode}');

create table public.whatsapp_numbers (
  number text primary key check (number ~ '^\+?[0-9A-Za-z._-]{3,64}$'),
  tenant_id uuid not null references public.municipalities (id),
  is_sensitive boolean not null default false,
  created_at timestamptz not null default now()
);
create index whatsapp_numbers_tenant_id_idx on public.whatsapp_numbers (tenant_id);
comment on table public.whatsapp_numbers is
  'Numbers that residents write to, without the whatsapp: prefix. A report that is opened at a sensitive number is GBV.';
alter table public.whatsapp_numbers enable row level security;
create policy "admins see their municipality's numbers" on public.whatsapp_numbers
  for select to authenticated
  using (tenant_id = (select private.caller_tenant()) and (select private.caller_role()) = 'admin');
create policy "numbers: only these rules" on public.whatsapp_numbers
  as restrictive for all to public
  using (
    current_user = 'authenticated'
    and tenant_id = (select private.caller_tenant()) and (select private.caller_role()) = 'admin'
  );
revoke all on public.whatsapp_numbers from anon, authenticated, service_role;
grant select on public.whatsapp_numbers to authenticated;
grant select, insert, update, delete on public.whatsapp_numbers to service_role;

create table if not exists public.inbound_messages (
  message_sid text primary key check (message_sid ~ '^[A-Za-z]{2}[0-9a-fA-F]{32}$'),
  tenant_id uuid not null references public.municipalities (id),
  ticket_id uuid,
  channel text not null check (channel ~ '^[a-z]{2,20}$'),
  channel_number text not null,
  sender_id uuid not null,
  sender_refs text[] not null check (cardinality(sender_refs) between 1 and 8),
  kind text not null check (kind in ('text', 'location', 'contact', 'reply', 'opt_out')),
  is_sensitive boolean not null default false,
  body text,
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  place text,
  encrypted_payload text not null check (encrypted_payload ~ '^gA[A-Za-z0-9_-]+=*$'),
  sealed_with text check (sealed_with ~ '^([0-9a-f]{8}|unopened)$'),
  reply text not null check (reply in ('reference', 'thanks', 'none')),
  received_at timestamptz not null default clock_timestamp(), -- not now(): of messages at once, the one taken in first is the first
  constraint inbound_messages_ticket_fkey foreign key (tenant_id, ticket_id) references public.tickets (tenant_id, id),
  constraint inbound_messages_ticket_check check (ticket_id is not null or kind = 'opt_out'),
  constraint inbound_messages_clear_check check (
    not is_sensitive or (body is null and latitude is null and longitude is null and place is null)
  )
);
create index if not exists inbound_messages_ticket_idx on public.inbound_messages (tenant_id, ticket_id, received_at);
create index if not exists inbound_messages_sealed_with_idx on public.inbound_messages (sealed_with);
create index if not exists inbound_messages_sender_idx on public.inbound_messages (sender_id, received_at desc);
alter table public.inbound_messages
  alter column tenant_id set statistics 0,
  alter column channel set statistics 0,
  alter column kind set statistics 0,
  alter column received_at set statistics 0,
  alter column ticket_id set statistics 0,
  alter column is_sensitive set statistics 0,
  alter column body set statistics 0,
  alter column latitude set statistics 0,
  alter column longitude set statistics 0,
  alter column place set statistics 0,
  -- so that the planner always finds the few leftovers by the index, whatever their share of the table was yesterday
  alter column sealed_with set statistics 0,
  alter column channel_number set statistics 0;
comment on table public.inbound_messages is
  'Every message of Twilio''s webhook, once. Staff read the clear columns of ordinary tickets'' messages; a sensitive ticket''s are empty.';
comment on column public.inbound_messages.ticket_id is 'NULL for STOP and HELP, which open no ticket.';
comment on column public.inbound_messages.channel is 'whatsapp, sms or another of Twilio''s.';
comment on column public.inbound_messages.sender_id is 'The person, as far as the identities in their messages show. Readable by nobody.';
comment on column public.inbound_messages.sender_refs is 'Keyed hashes of the identities that the message carried; not numbers. Readable by nobody.';
comment on column public.inbound_messages.kind is 'text, location, contact, reply (a button or a form), or opt_out (STOP, HELP).';
comment on column public.inbound_messages.place is 'Name and address of a shared location.';
comment on column public.inbound_messages.encrypted_payload is 'All parameters of the webhook as one Fernet token of a JSON object. Readable only through open-report.';
comment on column public.inbound_messages.sealed_with is
  'Short id of the key that sealed encrypted_payload; NULL if unknown, so that the worker tries its keys; unopened if none of them opened it. Readable by nobody.';
comment on column public.inbound_messages.reply is 'What was answered: the reference, thanks, or nothing.';

alter table public.inbound_messages enable row level security;
-- nullif: as in the policies of tickets.
create policy "messages are read as their ticket is" on public.inbound_messages
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()), false) is not null);
create policy "messages: only as their ticket is read" on public.inbound_messages
  as restrictive for all to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(
      current_user = 'authenticated'
      and ticket_id is not null
      and (not is_sensitive or (select private.caller_sees_sensitive()))
      and (
        (select private.caller_is_staff())
        -- the ticket's own policies apply inside
        or exists (select 1 from public.tickets t where t.id = ticket_id and t.reporter_id = (select auth.uid()))
      ),
      false
    ) is not null
  );
revoke all on public.inbound_messages from anon, authenticated, service_role;
grant select (
  message_sid, tenant_id, ticket_id, channel, kind, body, latitude, longitude, place, received_at
) on public.inbound_messages to authenticated;
grant select on public.inbound_messages to service_role;

do $$
begin
  -- rows that an uninstall kept still have it, and need not be read again
  if not exists (select 1 from pg_catalog.pg_constraint c where c.conname = 'media_attachments_message_sid_fkey') then
    alter table public.media_attachments
      add constraint media_attachments_message_sid_fkey foreign key (message_sid) references public.inbound_messages (message_sid);
  end if;
end
$$;

create function private.keep_message()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  -- a message goes to another ticket, turns sensitive and loses its clear words, or is sealed again with a new key
  passing constant text[] := array['ticket_id', 'is_sensitive', 'body', 'latitude', 'longitude', 'place', 'encrypted_payload', 'sealed_with', 'sender_id'];
begin
  if to_jsonb(new) - passing is distinct from to_jsonb(old) - passing
    or (new.encrypted_payload <> old.encrypted_payload and new.sealed_with is not distinct from old.sealed_with)
    or (new.body is not null and new.body is distinct from old.body)
    or (new.place is not null and new.place is distinct from old.place)
    or (new.latitude is not null and new.latitude is distinct from old.latitude)
    or (new.longitude is not null and new.longitude is distinct from old.longitude)
  then
    raise exception using errcode = '42501', message = 'inbound_messages: records of evidence are kept';
  end if;
  return new;
end
$$;
comment on function private.keep_message() is 'Trigger: what a resident wrote never changes. Its clear text can only be removed.';
revoke execute on function private.keep_message() from public, anon, authenticated, service_role;
create or replace trigger inbound_messages_never_change
  before update on public.inbound_messages
  for each row execute function private.keep_message();
create or replace trigger inbound_messages_kept
  before delete or truncate on public.inbound_messages
  for each statement execute function private.refuse_change();

-- Who writes ---------------------------------------------------------------------------------------------------------

create table if not exists private.sender_identities (
  sender_ref text primary key check (length(sender_ref) between 16 and 128),
  sender_id uuid not null
);
create index if not exists sender_identities_sender_id_idx on private.sender_identities (sender_id);
comment on table private.sender_identities is
  'Keyed hashes of numbers and of WhatsApp''s business-scoped ids, and whose they are. Identities in one message belong to one person.';
alter table private.sender_identities enable row level security;
create policy "nobody reads identities" on private.sender_identities as restrictive for all to public using (false);
revoke all on private.sender_identities from public, anon, authenticated, service_role;

create table if not exists private.ticket_origins (
  ticket_id uuid primary key references public.tickets (id) on delete cascade,
  sender_id uuid not null,
  channel text not null,
  channel_number text not null
);
create index if not exists ticket_origins_sender_idx on private.ticket_origins (sender_id, channel, channel_number);
comment on table private.ticket_origins is
  'Who opened a ticket by writing to which number over which channel. A follow-up goes to the latest, whether it is sensitive or not.';
alter table private.ticket_origins enable row level security;
create policy "nobody reads origins" on private.ticket_origins as restrictive for all to public using (false);
revoke all on private.ticket_origins from public, anon, authenticated, service_role;

create function private.sender_of(sender_refs text[])
  returns uuid
  language plpgsql volatile
  set search_path = ''
as $$
declare
  known uuid[];
  sender uuid;
  ref text;
begin
  -- in one order, so that two messages of one person wait for each other and never deadlock
  for ref in select distinct r from unnest(sender_refs) r order by r loop
    perform pg_advisory_xact_lock(hashtextextended('sender:' || ref, 0));
  end loop;
  select array_agg(distinct i.sender_id order by i.sender_id) into known
  from private.sender_identities i where i.sender_ref = any (sender_refs);
  sender := coalesce(known[1], gen_random_uuid());
  if cardinality(known) > 1 then
    update private.sender_identities i set sender_id = sender where i.sender_id = any (known[2:]);
    update private.ticket_origins o set sender_id = sender where o.sender_id = any (known[2:]);
    update public.inbound_messages m set sender_id = sender where m.sender_id = any (known[2:]);
  end if;
  insert into private.sender_identities (sender_ref, sender_id)
  select distinct r, sender from unnest(sender_refs) r
  on conflict do nothing;
  return sender;
end
$$;
comment on function private.sender_of(text[]) is
  'The person with these identities; a new one if none is known. Locked until the end of the transaction: three photos sent at once open one ticket.';
revoke execute on function private.sender_of(text[]) from public, anon, authenticated, service_role;

-- A ticket that turns sensitive --------------------------------------------------------------------------------------

-- SECURITY DEFINER: a user who marks a ticket has no right to write messages.
create function private.seal_messages()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  changed uuid[];
begin
  -- a full join, since it is never a nested loop, for which a plan made when there were few rows would settle
  select array_agg(n.id) into changed
  from old_rows o full join new_rows n on n.id = o.id
  where n.is_sensitive is distinct from o.is_sensitive;
  if changed is null then
    return null;
  end if;
  update public.inbound_messages m
  set is_sensitive = t.is_sensitive,
    body = case when not t.is_sensitive then m.body end,
    latitude = case when not t.is_sensitive then m.latitude end,
    longitude = case when not t.is_sensitive then m.longitude end,
    place = case when not t.is_sensitive then m.place end
  from unnest(changed) c (ticket_id), public.tickets t
  where t.id = c.ticket_id and m.tenant_id = t.tenant_id and m.ticket_id = t.id;
  return null;
end
$$;
comment on function private.seal_messages() is
  'Trigger: the messages of a ticket that turned sensitive lose their clear text and places; the sealed originals stay.';
revoke execute on function private.seal_messages() from public, anon, authenticated, service_role;
create trigger tickets_messages_follow
  after update on public.tickets referencing old table as old_rows new table as new_rows
  for each statement execute function private.seal_messages();
