-- Schema private, which the API does not expose: what was here before us, the lock that migrations take, and who the caller is.
-- Everything that decides about access calls those last functions, which read only the verified token's app_metadata
-- (users can edit user_metadata).

-- Names that must be free, or left here by our own uninstall. All are checked before anything is created.
do $$
declare
  taken text;
begin
  if to_regclass('private.adoption') is not null then
    return;
  end if;
  select string_agg(name, ', ') into taken from (
    select c.oid::regclass::text from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname in (
      'municipalities', 'media_attachments', 'custody_records', 'custody_audits', 'custody_checkpoints',
      'custody_keys', 'custody_timestamps', 'evidence_access_log', 'whatsapp_numbers', 'inbound_messages'
    )
    union all
    select 'the bucket ' || b.id from storage.buckets b where b.id in ('evidence', 'documents', 'gbv-evidence')
  ) as existing (name);
  if taken is not null then
    raise exception 'in use already, and not ours: %. Nothing was changed; docs/adopt.md says what to do.', taken;
  end if;
end
$$;

do $$
declare
  existing constant jsonb := (
    select jsonb_build_object('acl', coalesce(n.nspacl::text[], '{}')) from pg_catalog.pg_namespace n where n.nspname = 'private'
  );
begin
  if existing is null then
    create schema private;
    revoke all on schema private from public;
    comment on schema private is 'Helpers of the citizen evidence bundle; not exposed by the API.';
  end if;
  if to_regclass('private.adoption') is null then
    create table private.adoption (item text primary key, was jsonb not null);
    if existing is not null then
      insert into private.adoption values ('schema private', existing);
    end if;
  end if;
end
$$;
-- Functions find each other by name, as their caller.
grant usage on schema private to anon, authenticated, service_role;

-- The tables that a migration needs for itself. It waits briefly and pauses in between, because everybody who comes later queues
-- behind a waiting lock. With policies: supautils lets postgres create and drop policies and triggers on tables of auth, storage
-- and realtime. At the first such statement, on whatever table, it locks all of those tables until the end of the transaction.
-- Locking them beforehand keeps logins from waiting long, and from deadlocks.
create function private.lock_tables(targets text[], with_policies boolean default true)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  -- that others wait for a try, all its locks together
  budget constant interval := '250 milliseconds';
  locks text[] := targets;
  begun timestamptz;
  holders text;
begin
  if with_policies then
    locks := locks || array(
      select format('%s in access exclusive mode', to_regclass(t.name))
      from (values ('supautils.policy_grants'), ('supautils.drop_trigger_grants')) settings (name)
      cross join jsonb_array_elements_text(
        nullif(current_setting(settings.name, true), '')::jsonb -> current_user::text
      ) with ordinality t (name, nr)
      where to_regclass(t.name) is not null
      order by settings.name desc, t.nr
    );
  end if;
  for attempt in 1..40 loop
    begun := clock_timestamp();
    begin
      for i in 1..cardinality(locks) loop
        perform set_config('lock_timeout', greatest(1, extract(milliseconds from budget - (clock_timestamp() - begun))::integer)::text, true);
        execute 'lock table only ' || locks[i];
      end loop;
      perform set_config('lock_timeout', '300ms', true); -- for what else this transaction locks
      return;
    exception
      when lock_not_available or deadlock_detected then
        null;
    end;
    perform pg_sleep(0.6);
  end loop;
  select string_agg(format('%s is in use by a long transaction (process %s, since %s)', held.tables, held.pid, to_char(held.since, 'HH24:MI:SS')), '; ')
  into holders
  from (
    select l.pid, a.xact_start as since, string_agg(distinct l.relation::regclass::text, ', ') as tables
    from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a using (pid)
    where l.granted and l.pid <> pg_catalog.pg_backend_pid() and a.xact_start < begun
      and l.relation in (select to_regclass(split_part(t, ' ', 1)) from unnest(locks) t)
    group by l.pid, a.xact_start
    order by a.xact_start limit 3
  ) held;
  -- the CLI shows the message alone
  raise exception using errcode = '55P03', message = format(
    '%s: no lock in 40 tries. Nothing of this migration was done; push again when it has ended.',
    coalesce(holders, 'the tables are too busy')
  );
end
$$;
comment on function private.lock_tables(text[], boolean) is
  'For migrations: locks tables (''NAME in MODE mode''), and those that policies lock, or gives up after about 30 seconds. A try makes nobody wait longer than 250 ms.';
select private.lock_tables('{}');

comment on table private.adoption is
  'What existed before us, so that the uninstall restores it: the schema, the table tickets and its columns.';
alter table private.adoption enable row level security;
create policy "nobody reads what was adopted" on private.adoption for all to public using (false);
revoke all on private.adoption from public, anon, authenticated, service_role;

-- These and other helpers of policies are in plpgsql: a SQL function with its own search_path is not inlined and its plan is not
-- kept, which takes ten times as long, in every query of every user.
create function private.safe_uuid(value text)
  returns uuid
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  return case
    when value ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then value::uuid
  end;
end
$$;
comment on function private.safe_uuid(text) is 'The text as a uuid, or NULL if it is not one: malformed input is refused, not an error.';

create function private.caller_tenant()
  returns uuid
  language plpgsql stable parallel safe
  set search_path = ''
as $$
begin
  -- a token without a user counts for nothing, whatever else it says
  return case
    when private.safe_uuid(auth.jwt() ->> 'sub') is not null then private.safe_uuid(auth.jwt() -> 'app_metadata' ->> 'tenant_id')
  end;
end
$$;
comment on function private.caller_tenant() is 'The municipality in the caller''s token. NULL, also for a token without a user, means no access to anything.';

create function private.caller_role()
  returns text
  language plpgsql stable parallel safe
  set search_path = ''
as $$
declare
  claimed constant text := auth.jwt() -> 'app_metadata' ->> 'role';
begin
  return case
    when private.safe_uuid(auth.jwt() ->> 'sub') is null then 'citizen'
    when claimed in ('field_worker', 'ward_councillor', 'manager', 'admin', 'saps_liaison') then claimed
    else 'citizen'
  end;
end
$$;
comment on function private.caller_role() is 'The role in the caller''s token; an unknown one counts as citizen.';

create function private.caller_is_staff()
  returns boolean
  language plpgsql stable parallel safe
  set search_path = ''
as $$
begin
  return private.caller_role() <> 'citizen';
end
$$;
comment on function private.caller_is_staff() is 'Whether the caller works for the municipality or its police liaison.';

-- SECURITY DEFINER: looks up the municipality's setting for callers who may not read municipalities.
create function private.caller_sees_sensitive()
  returns boolean
  language plpgsql stable parallel safe security definer
  set search_path = ''
as $$
begin
  return private.caller_role() in ('admin', 'saps_liaison')
    and (
      coalesce(auth.jwt() ->> 'aal' = 'aal2', false)
      or not exists (select from public.municipalities m where m.id = private.caller_tenant() and m.gbv_requires_mfa)
    );
end
$$;
comment on function private.caller_sees_sensitive() is
  'Whether the caller may read gender-based violence reports and their files: police liaison and admins, signed in with a second factor if their municipality requires it.';

-- Postgres lets everybody execute a new function, and a project's default privileges may let the API roles too. Here, and in
-- every later migration, each grant is explicit.
revoke execute on function
  private.lock_tables(text[], boolean),
  private.safe_uuid(text),
  private.caller_tenant(),
  private.caller_role(),
  private.caller_is_staff(),
  private.caller_sees_sensitive()
  from public, anon, authenticated, service_role;
grant execute on function
  private.safe_uuid(text),
  private.caller_tenant(),
  private.caller_role(),
  private.caller_is_staff(),
  private.caller_sees_sensitive()
  to anon, authenticated, service_role;
