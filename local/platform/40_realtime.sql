-- Schema realtime as the hosted Realtime server leaves it: what policies, triggers and migrations can see of it.

alter role supabase_realtime_admin with createrole replication;
alter role supabase_realtime_admin set search_path = public, extensions, realtime;
grant usage on schema auth to supabase_realtime_admin;
grant usage on schema realtime to postgres with grant option;
-- A replication slot sees what has been flushed: without this, messages would wait for the WAL writer's next round.
alter database postgres set synchronous_commit = on;

set role supabase_realtime_admin;

create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp without time zone not null default now(),
  inserted_at timestamp without time zone not null default now(),
  id uuid not null default gen_random_uuid(),
  binary_payload bytea,
  primary key (id, inserted_at),
  constraint messages_payload_exclusive check (payload is null or binary_payload is null)
) partition by range (inserted_at);
create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;

alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;
grant select, insert, update, delete, truncate, references, trigger on realtime.messages to postgres;

-- The topic that is being joined or sent to; for policies.
create function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;

-- Runs as its caller, and turns every error into a warning: called by a role that row-level security keeps from
-- inserting, it loses the message without a word to that role.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$
declare
  message_id uuid := gen_random_uuid();
begin
  begin
    if not coalesce(payload ? 'id', false) then
      payload := jsonb_set(payload, '{id}', to_jsonb(message_id));
    end if;
    perform set_config('realtime.topic', topic, true);
    insert into realtime.messages (id, payload, event, topic, private, extension)
    values (message_id, payload, event, topic, private, 'broadcast');
  exception when others then
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
  end;
end
$$;

create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true)
returns void language plpgsql as $$
begin
  begin
    perform set_config('realtime.topic', topic, true);
    insert into realtime.messages (binary_payload, event, topic, private, extension)
    values (payload, event, topic, private, 'broadcast');
  exception when others then
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
  end;
end
$$;

-- For row triggers. Unlike send, it raises, and so can fail the write that it reports.
create function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
) returns void language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  elsif operation in ('INSERT', 'UPDATE', 'DELETE') then
    perform realtime.send(
      jsonb_build_object(
        'schema', table_schema, 'table', table_name, 'operation', operation, 'record', new, 'old_record', old
      ),
      event_name,
      topic_name
    );
  else
    raise exception 'Unexpected operation type: %', operation;
  end if;
exception when others then
  raise exception 'Failed to process the row: %', sqlerrm;
end
$$;

reset role;

create publication supabase_realtime_messages_publication for table realtime.messages;

-- Hosted's Realtime service makes the partitions, a day each; here it calls this. Without one for today, send warns.
create schema platform_realtime authorization supabase_realtime_admin;
set role supabase_realtime_admin;

create function platform_realtime.make_partitions() returns void language plpgsql set search_path = '' as $$
declare
  today date := (now() at time zone 'utc')::date;
  day date;
begin
  for day in select today + n from generate_series(-1, 3) as n loop
    execute format(
      'create table if not exists realtime.%I partition of realtime.messages for values from (%L) to (%L)',
      'messages_' || to_char(day, 'YYYY_MM_DD'), day, day + 1
    );
  end loop;
end
$$;
select platform_realtime.make_partitions();

reset role;
