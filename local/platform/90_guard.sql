-- Refuses to role postgres what hosted refuses in the platform's own schemas. 10_roles.sql made it a member of the
-- schemas' owners, so that it can make policies, triggers and foreign keys there as on hosted; a bare Postgres then
-- also lets it ALTER, CREATE INDEX, revoke and so on. Last file: it remembers what the schemas hold by now.

create schema platform_guard;
grant usage on schema platform_guard to public;

create function platform_guard.guarded(schema text) returns boolean language sql immutable as $$
  select schema in ('auth', 'storage', 'realtime')
$$;

create table platform_guard.grants (class oid, object oid, name text, kind text, acl aclitem[]);
grant select on platform_guard.grants to public;

create view platform_guard.current_grants as
  select 'pg_namespace'::regclass::oid as class, n.oid as object, n.nspname::text as name, 'schema' as kind, n.nspacl as acl
  from pg_namespace n where platform_guard.guarded(n.nspname)
  union all
  select 'pg_class'::regclass, c.oid, c.relname, case c.relkind when 'S' then 'sequence' else 'table' end, c.relacl
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where platform_guard.guarded(n.nspname)
  union all
  select 'pg_proc'::regclass, p.oid, p.proname, 'function', coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where platform_guard.guarded(n.nspname);
grant select on platform_guard.current_grants to public;

-- Only the platform itself, never postgres or a role it made, may change its schemas.
create function platform_guard.is_platform() returns boolean language sql stable as $$
  select current_user in ('supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin')
    or (select rolsuper from pg_roles where rolname = current_user)
$$;

create function platform_guard.check_grants() returns void language plpgsql set search_path = '' as $$
declare
  lost record;
begin
  select g.kind, g.name into lost
  from platform_guard.grants g
  join platform_guard.current_grants now using (class, object)
  cross join aclexplode(g.acl) held
  where not exists (
    select from aclexplode(now.acl) n where n.grantee = held.grantee and n.privilege_type = held.privilege_type
  )
  limit 1;
  if lost is not null then
    raise exception 'permission denied for % %', lost.kind, lost.name using errcode = '42501',
      hint = 'Hosted Supabase does not let a migration revoke the platform''s own grants.';
  end if;
end
$$;

create function platform_guard.after_command() returns event_trigger language plpgsql set search_path = '' as $$
declare
  command record;
  known record; -- the object, when it is one of the platform's
  place text; -- the schema it is in
  indexed text;
begin
  if platform_guard.is_platform() then
    return;
  end if;
  for command in select * from pg_event_trigger_ddl_commands() loop
    if command.command_tag in ('GRANT', 'REVOKE') then
      perform platform_guard.check_grants();
      continue;
    end if;
    continue when command.classid is null
      or command.command_tag in ('CREATE TRIGGER', 'CREATE POLICY', 'ALTER POLICY');

    -- A comment on a policy or trigger, or a new name for a trigger, is a change to its table.
    place := case command.classid
      when 'pg_policy'::regclass then
        (select c.relnamespace::regnamespace from pg_policy p join pg_class c on c.oid = p.polrelid where p.oid = command.objid)
      when 'pg_trigger'::regclass then
        (select c.relnamespace::regnamespace from pg_trigger t join pg_class c on c.oid = t.tgrelid where t.oid = command.objid)
      when 'pg_namespace'::regclass then command.objid::regnamespace
      else command.schema_name::regnamespace
    end;
    select g.kind, g.name into known
    from platform_guard.grants g where g.class = command.classid and g.object = command.objid;
    continue when known is null and not coalesce(platform_guard.guarded(place), false);

    if command.command_tag = 'CREATE INDEX' then
      indexed := (select c.relname from pg_index i join pg_class c on c.oid = i.indrelid where i.indexrelid = command.objid);
      raise exception 'must be owner of table %', indexed using errcode = '42501';
    elsif command.command_tag like 'CREATE %' and command.command_tag <> 'CREATE RULE' then
      raise exception 'permission denied for schema %', place using errcode = '42501';
    end if;
    raise exception 'must be owner of % %',
      coalesce(known.kind, command.object_type), coalesce(known.name, command.object_identity)
      using errcode = '42501',
        hint = 'Hosted Supabase owns this schema: a migration may add policies, triggers and foreign keys, nothing else.';
  end loop;
end
$$;

create function platform_guard.after_drop() returns event_trigger language plpgsql set search_path = '' as $$
declare
  dropped record;
begin
  if platform_guard.is_platform() then
    return;
  end if;
  -- A constraint goes with its constraint trigger (or by ALTER TABLE, refused above).
  for dropped in select * from pg_event_trigger_dropped_objects() loop
    if platform_guard.guarded(dropped.schema_name) and dropped.object_type not in ('trigger', 'policy', 'table constraint')
      or dropped.object_type = 'schema' and platform_guard.guarded(dropped.object_name) then
      raise exception 'must be owner of % %', dropped.object_type, coalesce(dropped.object_name, dropped.object_identity)
        using errcode = '42501';
    end if;
  end loop;
end
$$;

-- supautils (before its version of autumn 2026) locks the tables on which it lets postgres make and drop policies, all of them and
-- to the end of the transaction, whichever table the policy is of; so it does for dropped triggers.
alter database postgres set "supautils.policy_grants" = '{"postgres": ["auth.identities", "auth.refresh_tokens", "auth.sessions", "auth.users", "realtime.messages", "storage.buckets", "storage.objects"]}';
alter database postgres set "supautils.drop_trigger_grants" = '{"postgres": ["auth.identities", "auth.refresh_tokens", "auth.sessions", "auth.users", "storage.buckets", "storage.objects"]}';

create function platform_guard.before_command() returns event_trigger language plpgsql set search_path = '' as $$
declare
  setting constant text := case tg_tag when 'DROP TRIGGER' then 'supautils.drop_trigger_grants' else 'supautils.policy_grants' end;
  granted text;
begin
  if platform_guard.is_platform() then
    return;
  end if;
  for granted in
    select t.name from jsonb_array_elements_text(nullif(current_setting(setting, true), '')::jsonb -> current_user::text) with ordinality t (name, nr)
    order by t.nr
  loop
    execute 'lock table only ' || granted || ' in access exclusive mode';
  end loop;
end
$$;
create event trigger platform_guard_before_command on ddl_command_start
  when tag in ('CREATE POLICY', 'DROP POLICY', 'DROP TRIGGER')
  execute function platform_guard.before_command();

insert into platform_guard.grants select * from platform_guard.current_grants;

create event trigger platform_guard_after_command on ddl_command_end execute function platform_guard.after_command();
create event trigger platform_guard_after_drop on sql_drop execute function platform_guard.after_drop();
-- Also when a session sets session_replication_role, which postgres may.
alter event trigger platform_guard_after_command enable always;
alter event trigger platform_guard_after_drop enable always;
alter event trigger platform_guard_before_command enable always;
