-- Realtime: dashboards are told what changed by broadcasts from triggers, on `municipality:{tenant}` for all staff and on
-- `municipality:{tenant}:gbv` for those who may see sensitive tickets. A ticket write never fails or waits because of it.

-- In the order in which a writer of tickets locks them.
select private.lock_table('public.tickets', 'share row exclusive');
select private.lock_table('realtime.messages', 'access exclusive');

-- What an uninstall left to hide messages sent before it: from here on the policies below do.
drop policy if exists "kept evidence: for nobody" on realtime.messages;

create function private.municipality_topic(tenant_id uuid, sensitive boolean)
  returns text
  language sql immutable parallel safe
  set search_path = ''
as $$
  select 'municipality:' || tenant_id || case when sensitive then ':gbv' else '' end
$$;
comment on function private.municipality_topic(uuid, boolean) is 'The topic on which a municipality''s staff, or those who see sensitive tickets, are told; NULL for no municipality.';

-- Receiving ----------------------------------------------------------------------------------------------------------

create policy "municipality topics: open to be received" on realtime.messages
  for select to authenticated
  using ((select realtime.topic()) like 'municipality:%');

-- Restrictive, as on storage.objects: it holds whatever other policies a project has.
create policy "municipality topics: staff receive their own, GBV those who may" on realtime.messages
  as restrictive for select to public
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

create type private.ticket_change as (
  topic text,
  type text,
  left_topic boolean, -- went out of sight of this topic, but still is
  ticket_id uuid,
  status text,
  municipality_id uuid,
  details jsonb -- null for a sensitive ticket
);
comment on type private.ticket_change is 'What one topic is told of one ticket.';

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
  -- topics are spelled out: a call of municipality_topic per row would cost more than all the rest
  changes private.ticket_change[];
  message record;
begin
  if tg_op = 'INSERT' then
    select array_agg((
      'municipality:' || n.tenant_id || case when n.is_sensitive then ':gbv' else '' end, 'INSERT', false, n.id, n.status, n.tenant_id,
      case when not n.is_sensitive then jsonb_build_object('tracking_number', n.tracking_number, 'category', n.category,
        'severity', n.severity, 'updated_at', n.updated_at) end
    )::private.ticket_change) into changes
    from new_rows n;
  elsif tg_op = 'DELETE' then
    select array_agg((
      'municipality:' || o.tenant_id || case when o.is_sensitive then ':gbv' else '' end, 'DELETE', false, o.id, o.status, o.tenant_id, null
    )::private.ticket_change) into changes
    from old_rows o;
  else
    -- where the topic changed, the ticket leaves the old one and enters the new one
    select array_agg((
      case t.type when 'DELETE' then was.topic else is_now.topic end, t.type, t.type = 'DELETE',
      coalesce(n.id, o.id),
      case t.type when 'DELETE' then o.status else n.status end,
      case t.type when 'DELETE' then o.tenant_id else n.tenant_id end,
      case when t.type <> 'DELETE' and not n.is_sensitive then jsonb_build_object('tracking_number', n.tracking_number,
        'category', n.category, 'severity', n.severity, 'updated_at', n.updated_at) end
    )::private.ticket_change) into changes
    from old_rows o
    full join new_rows n on n.id = o.id
    cross join lateral (select 'municipality:' || o.tenant_id || case when o.is_sensitive then ':gbv' else '' end) as was (topic)
    cross join lateral (select 'municipality:' || n.tenant_id || case when n.is_sensitive then ':gbv' else '' end) as is_now (topic)
    cross join lateral unnest(
      case when was.topic = is_now.topic then array['UPDATE'] else array['DELETE', 'INSERT'] end
    ) as t (type);
  end if;

  -- Waits once, where every send would: from here on none of them waits.
  lock table realtime.messages in row exclusive mode;

  -- Over 50 for one topic become one message, on which dashboards fetch anew; but those who may no longer see a ticket are
  -- always told which.
  for message in
    with counted as (
      select c.*, count(*) over (partition by c.topic, c.left_topic) as size
      from unnest(changes) c
      where c.topic is not null
    )
    select c.topic, jsonb_build_object('type', c.type, 'ticket_id', c.ticket_id, 'status', c.status,
      'municipality_id', c.municipality_id) || coalesce(c.details, '{}') as payload
    from counted c
    where c.size <= 50
    union all
    select c.topic, jsonb_build_object('type', 'BULK', 'municipality_id', c.municipality_id, 'count', count(*))
      || case when c.left_topic then jsonb_build_object('left', jsonb_agg(c.ticket_id)) else '{}' end
    from counted c
    where c.size > 50
    group by c.topic, c.municipality_id, c.left_topic
  loop
    perform realtime.send(message.payload, 'ticket_event', message.topic, true);
  end loop;
  return null;
exception
  when others then
    raise warning 'ticket event not sent: % (%)', sqlerrm, sqlstate;
    return null;
end
$$;
comment on function private.announce_ticket_changes() is
  'Trigger: tells a municipality''s topics which tickets came, changed and went; of sensitive ones only type, id, status and municipality. Never fails: what goes wrong is a warning.';

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
    private.municipality_topic(new.tenant_id, private.is_gbv(new.bucket, new.ticket_id)),
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
  after update of status, bucket on public.media_attachments
  for each row when (
    new.status in ('stored', 'failed') and (new.status, new.bucket) is distinct from (old.status, old.bucket)
  )
  execute function private.announce_media();

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
