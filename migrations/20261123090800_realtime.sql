-- Realtime: dashboards are told what changed by broadcasts from triggers, on `municipality:{tenant}` for all staff and on
-- `municipality:{tenant}:gbv` for those who may see sensitive tickets. A ticket write never fails or waits because of it.

-- In the order in which a writer of tickets locks them.
select private.lock_tables('{public.tickets in share row exclusive mode, realtime.messages in access exclusive mode}');

-- What an uninstall left to hide messages sent before it: from here on the policies below do.
drop policy if exists "kept evidence: for nobody" on realtime.messages;

create function private.municipality_topic(tenant_id uuid, sensitive boolean)
  returns text
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  return 'municipality:' || tenant_id || case when sensitive then ':gbv' else '' end;
end
$$;
comment on function private.municipality_topic(uuid, boolean) is 'The topic on which a municipality''s staff, or those who see sensitive tickets, are told; NULL for no municipality.';

-- Receiving ----------------------------------------------------------------------------------------------------------

create policy "municipality topics: open to be received" on realtime.messages
  for select to authenticated
  using ((select realtime.topic()) like 'municipality:%');

-- Restrictive, as on storage.objects: they hold whatever other policies a project has. The one for everybody calls no function
-- of ours: a role of the project's own could not.
create policy "municipality topics: nobody receives without signing in" on realtime.messages
  as restrictive for select to public
  using (coalesce((select realtime.topic()) not like 'municipality:%', false) or current_user = 'authenticated');

create policy "municipality topics: staff receive their own, GBV those who may" on realtime.messages
  as restrictive for select to authenticated
  using (
    coalesce((select realtime.topic()) not like 'municipality:%', false)
    or (
      extension = 'broadcast'
      and case (select realtime.topic())
        when (select private.municipality_topic(private.caller_tenant(), false)) then (select private.caller_is_staff())
        when (select private.municipality_topic(private.caller_tenant(), true)) then (select private.caller_sees_sensitive())
        else false
      end
    )
  );

create policy "municipality topics: no client sends" on realtime.messages
  as restrictive for insert to public
  with check (coalesce((select realtime.topic()) not like 'municipality:%', false));

-- Tickets ------------------------------------------------------------------------------------------------------------

-- Its values one by one: the plan for a row's fields would outlive a change of the table, and fail from then on.
-- Four fields on every topic, and no more: whoever joins later has the last days replayed, and reads rows as row-level security
-- lets them at that time.
create function private.announce_ticket(type text, tenant_id uuid, sensitive boolean, ticket_id uuid, status text)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if tenant_id is null then
    return; -- an adopted table may have such tickets: nobody is to be told
  end if;
  perform realtime.send(
    jsonb_build_object('type', type, 'ticket_id', ticket_id, 'status', status, 'municipality_id', tenant_id),
    'ticket_event',
    private.municipality_topic(tenant_id, sensitive),
    true
  );
end
$$;
comment on function private.announce_ticket(text, uuid, boolean, uuid, text) is
  'Tells its topic that a ticket came (INSERT), changed (UPDATE) or went (DELETE).';
revoke execute on function private.announce_ticket(text, uuid, boolean, uuid, text) from public, anon, authenticated, service_role;

create function private.announce_many_tickets(tenant_id uuid, sensitive boolean, size bigint, gone uuid[] default null)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object('type', 'BULK', 'municipality_id', tenant_id, 'count', size)
      || case
        when gone is null then '{}'
        -- Realtime drops a message of more than 256 KB without a word to anybody
        when cardinality(gone) > 2000 then '{"reload": true}'
        else jsonb_build_object('left', gone)
      end,
    'ticket_event',
    private.municipality_topic(tenant_id, sensitive),
    true
  );
end
$$;
comment on function private.announce_many_tickets(uuid, boolean, bigint, uuid[]) is
  'Tells a topic that so many of its tickets changed at once, on which dashboards fetch anew; and the ids of those that it may no longer see, or, of more than 2,000, that all are to be read again.';
revoke execute on function private.announce_many_tickets(uuid, boolean, bigint, uuid[]) from public, anon, authenticated, service_role;

create function private.forget_announcements(tenant_id uuid, tickets uuid[])
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  since timestamptz;
begin
  select greatest(min(t.created_at), now() - interval '3 days') into since from public.tickets t where t.id = any (tickets);
  delete from realtime.messages m
  where m.inserted_at >= since at time zone 'UTC'
    and m.topic = private.municipality_topic(forget_announcements.tenant_id, false)
    and m.extension = 'broadcast' and m.private
    and m.payload ->> 'ticket_id' = any (tickets::text[]);
exception
  when others then
    -- a platform that does not let us: the messages hold ids and states, no words
    raise warning 'earlier events stay: % (%)', sqlerrm, sqlstate;
end
$$;
comment on function private.forget_announcements(uuid, uuid[]) is
  'Takes what the general topic was told of tickets that turn sensitive out of what Realtime replays.';
revoke execute on function private.forget_announcements(uuid, uuid[]) from public, anon, authenticated, service_role;

-- SECURITY DEFINER: the writer of a ticket has no right to write realtime.messages, and must have none (that right is what
-- lets a client broadcast); realtime.send would lose the message with no more than a warning.
-- lock_timeout: while Realtime makes or drops a partition, the message is dropped rather than the writer held up.
-- timezone: messages bear the session's time, by which replay and partitions go, and payloads show it.
create function private.announce_ticket_changes()
  returns trigger
  language plpgsql security definer
  set search_path = ''
  set lock_timeout = '200ms'
  set timezone = 'UTC'
as $$
declare
  most constant integer := 50; -- of one topic; more of them become one message
  size bigint;
  stays boolean;
  topic record;
begin
  if tg_op = 'DELETE' then
    select count(*) into size from old_rows;
  else
    select count(*) into size from new_rows;
  end if;

  if size = 0 then
    return null;
  end if;

  -- One ticket is what nearly every statement writes: no grouping, and a join of one row with one.
  if size = 1 then
    if tg_op = 'UPDATE' then
      select o.id = n.id and o.tenant_id = n.tenant_id and o.is_sensitive = n.is_sensitive into stays from old_rows o, new_rows n;
    end if;
    -- where the topic changed, the ticket leaves the old one and enters the new one
    if tg_op = 'UPDATE' and stays is not true then
      perform private.forget_announcements(o.tenant_id, array[o.id]) from old_rows o, new_rows n where n.is_sensitive and not o.is_sensitive;
    end if;
    if tg_op = 'DELETE' or (tg_op = 'UPDATE' and stays is not true) then
      perform private.announce_ticket('DELETE', o.tenant_id, o.is_sensitive, o.id, o.status::text) from old_rows o;
    end if;
    if tg_op <> 'DELETE' then
      perform private.announce_ticket(case when stays then 'UPDATE' else 'INSERT' end, n.tenant_id, n.is_sensitive, n.id, n.status::text)
      from new_rows n;
    end if;
    return null;
  end if;

  -- Waits once, where every send would: from here on none of them waits.
  lock table only realtime.messages in row exclusive mode;

  if tg_op = 'DELETE' then
    for topic in select o.tenant_id, o.is_sensitive, count(*) as size from old_rows o where o.tenant_id is not null group by 1, 2 loop
      if topic.size > most then
        perform private.announce_many_tickets(topic.tenant_id, topic.is_sensitive, topic.size);
      else
        perform private.announce_ticket('DELETE', o.tenant_id, o.is_sensitive, o.id, o.status::text)
        from old_rows o
        where o.tenant_id = topic.tenant_id and o.is_sensitive = topic.is_sensitive;
      end if;
    end loop;
    return null;
  end if;

  if tg_op = 'UPDATE' then
    -- Those who may no longer see a ticket are always told which. (A full join, since it is never a nested loop, for which
    -- a plan made when there were few rows would settle.)
    for topic in
      select o.tenant_id, o.is_sensitive, count(*) as size, array_agg(o.id) as gone
      from old_rows o
      full join new_rows n on n.id = o.id
      where o.tenant_id is not null and (o.tenant_id, o.is_sensitive) is distinct from (n.tenant_id, n.is_sensitive)
      group by 1, 2
    loop
      if not topic.is_sensitive then
        perform private.forget_announcements(topic.tenant_id, topic.gone);
      end if;
      if topic.size > most then
        perform private.announce_many_tickets(topic.tenant_id, topic.is_sensitive, topic.size, topic.gone);
      else
        perform private.announce_ticket('DELETE', o.tenant_id, o.is_sensitive, o.id, o.status::text)
        from old_rows o
        where o.tenant_id = topic.tenant_id and o.is_sensitive = topic.is_sensitive and o.id = any (topic.gone);
      end if;
    end loop;
  end if;

  for topic in select n.tenant_id, n.is_sensitive, count(*) as size from new_rows n where n.tenant_id is not null group by 1, 2 loop
    if topic.size > most then
      perform private.announce_many_tickets(topic.tenant_id, topic.is_sensitive, topic.size);
    elsif tg_op = 'INSERT' then
      perform private.announce_ticket('INSERT', n.tenant_id, n.is_sensitive, n.id, n.status::text)
      from new_rows n
      where n.tenant_id = topic.tenant_id and n.is_sensitive = topic.is_sensitive;
    else
      perform private.announce_ticket(
        case when (o.tenant_id, o.is_sensitive) is not distinct from (n.tenant_id, n.is_sensitive) then 'UPDATE' else 'INSERT' end,
        n.tenant_id, n.is_sensitive, n.id, n.status::text)
      from new_rows n
      left join old_rows o on o.id = n.id
      where n.tenant_id = topic.tenant_id and n.is_sensitive = topic.is_sensitive;
    end if;
  end loop;
  return null;
exception
  when others then
    raise warning 'ticket event not sent: % (%)', sqlerrm, sqlstate;
    return null;
end
$$;
comment on function private.announce_ticket_changes() is
  'Trigger: tells a municipality''s topics which tickets came, changed and went. Never fails: what goes wrong is a warning.';

create trigger tickets_announce_insert
  after insert on public.tickets referencing new table as new_rows
  for each statement execute function private.announce_ticket_changes();
create trigger tickets_announce_update
  after update on public.tickets referencing old table as old_rows new table as new_rows
  for each statement execute function private.announce_ticket_changes();
create trigger tickets_announce_delete
  after delete on public.tickets referencing old table as old_rows
  for each statement execute function private.announce_ticket_changes();

-- Files --------------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER, lock_timeout, timezone: as announce_ticket_changes.
create function private.announce_media()
  returns trigger
  language plpgsql security definer
  set search_path = ''
  set lock_timeout = '200ms'
  set timezone = 'UTC'
as $$
begin
  perform realtime.send(
    jsonb_build_object('ticket_id', new.ticket_id, 'file_id', new.file_id, 'status', new.status, 'bucket', new.bucket,
      'municipality_id', new.tenant_id),
    'media_event',
    private.municipality_topic(new.tenant_id, new.is_sensitive),
    true
  );
  return null;
exception
  when others then
    raise warning 'media event not sent: % (%)', sqlerrm, sqlstate;
    return null;
end
$$;
comment on function private.announce_media() is 'Trigger: tells that a file was stored or failed. Never fails itself.';

create trigger media_announce_insert
  after insert on public.media_attachments
  for each row when (new.status in ('stored', 'failed'))
  execute function private.announce_media();
create trigger media_announce_update
  after update on public.media_attachments
  for each row when (
    new.status in ('stored', 'failed') and (new.status, new.bucket) is distinct from (old.status, old.bucket)
  )
  execute function private.announce_media();

-- Messages -----------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER, lock_timeout, timezone: as announce_ticket_changes.
create function private.announce_message()
  returns trigger
  language plpgsql security definer
  set search_path = ''
  set lock_timeout = '200ms'
  set timezone = 'UTC'
as $$
declare
  payload constant jsonb := jsonb_build_object(
    'message_sid', new.message_sid, 'ticket_id', new.ticket_id, 'kind', new.kind, 'municipality_id', new.tenant_id
  );
begin
  perform realtime.send(payload, 'message_event', private.municipality_topic(new.tenant_id, new.is_sensitive), true);
  -- who wrote a GBV report writes elsewhere: police liaison and admins are told, and nobody else
  if not new.is_sensitive and exists (
    select from private.ticket_origins o
    join public.tickets t on t.id = o.ticket_id
    where o.sender_id = new.sender_id and t.tenant_id = new.tenant_id and t.is_sensitive
      and t.status::text not in ('resolved', 'closed')
  ) then
    perform realtime.send(payload, 'message_event', private.municipality_topic(new.tenant_id, true), true);
  end if;
  return null;
exception
  when others then
    raise warning 'message event not sent: % (%)', sqlerrm, sqlstate;
    return null;
end
$$;
comment on function private.announce_message() is 'Trigger: tells that a resident wrote, or that a message went to another ticket. No words. Never fails itself.';
revoke execute on function private.announce_message() from public, anon, authenticated, service_role;

create trigger messages_announce_insert
  after insert on public.inbound_messages
  for each row when (new.ticket_id is not null)
  execute function private.announce_message();
create trigger messages_announce_move
  after update on public.inbound_messages
  for each row when (new.ticket_id is distinct from old.ticket_id)
  execute function private.announce_message();

-- A backend's own events ---------------------------------------------------------------------------------------------

-- SECURITY DEFINER: as announce_ticket_changes; a message must not be lost for want of a grant.
create function public.publish_municipality_event(municipality_id uuid, event jsonb, sensitive boolean default false)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
  set timezone = 'UTC'
as $$
begin
  if jsonb_typeof(event) is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'event: a JSON object';
  end if;
  if sensitive is null
    or not exists (select 1 from public.municipalities m where m.id = publish_municipality_event.municipality_id)
  then
    raise exception using errcode = 'PT404', message = 'not_found', detail = 'municipality_id';
  end if;
  perform realtime.send(
    event || jsonb_build_object('municipality_id', publish_municipality_event.municipality_id),
    'municipality_event',
    private.municipality_topic(publish_municipality_event.municipality_id, sensitive),
    true
  );
end
$$;
comment on function public.publish_municipality_event(uuid, jsonb, boolean) is
  'Sends a backend''s own event (an SLA breach, say) to a municipality''s dashboards as municipality_event; a sensitive one to those only who see sensitive tickets.';

revoke execute on function
  private.municipality_topic(uuid, boolean),
  private.announce_ticket_changes(),
  private.announce_media(),
  public.publish_municipality_event(uuid, jsonb, boolean)
  from public, anon, authenticated, service_role;
grant execute on function private.municipality_topic(uuid, boolean) to anon, authenticated, service_role;
grant execute on function public.publish_municipality_event(uuid, jsonb, boolean) to service_role;
