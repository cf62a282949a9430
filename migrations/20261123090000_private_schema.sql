-- Who the caller is. Everything that decides about access asks these functions, which read the verified token's
-- app_metadata and nothing else (user_metadata can be edited by its user). `private` is not exposed by the API.

create schema if not exists private;
revoke all on schema private from public;
-- Functions look each other up by name as their caller, anon's in a restrictive policy too.
grant usage on schema private to anon, authenticated, service_role;
comment on schema private is 'Helpers of the citizen evidence bundle; not exposed by the API.';

create function private.safe_uuid(value text)
  returns uuid
  language sql immutable parallel safe
  set search_path = ''
as $$
  select case
    when value ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then value::uuid
  end
$$;
comment on function private.safe_uuid(text) is 'The text as a uuid, or NULL where it is none: odd input is refused, not an error.';

create function private.caller_tenant()
  returns uuid
  language sql stable parallel safe
  set search_path = ''
as $$
  select private.safe_uuid((select auth.jwt()) -> 'app_metadata' ->> 'tenant_id')
$$;
comment on function private.caller_tenant() is 'The municipality in the caller''s token; NULL means no access to anything.';

create function private.caller_role()
  returns text
  language sql stable parallel safe
  set search_path = ''
as $$
  select case
    when claimed in ('field_worker', 'ward_councillor', 'manager', 'admin', 'saps_liaison') then claimed
    else 'citizen'
  end
  from (select (select auth.jwt()) -> 'app_metadata' ->> 'role') as token (claimed)
$$;
comment on function private.caller_role() is 'The role in the caller''s token; an unknown one counts as citizen.';

create function private.caller_is_staff()
  returns boolean
  language sql stable parallel safe
  set search_path = ''
as $$
  select private.caller_role() <> 'citizen'
$$;
comment on function private.caller_is_staff() is 'Whether the caller works for the municipality or its police liaison.';

create function private.caller_sees_sensitive()
  returns boolean
  language sql stable parallel safe
  set search_path = ''
as $$
  select private.caller_role() in ('admin', 'saps_liaison')
$$;
comment on function private.caller_sees_sensitive() is
  'Whether the caller may read gender-based violence reports and their files.';

-- Postgres lets everybody execute a new function, and a project may have default privileges that let its API's roles;
-- here each one is granted by name, in this and every later migration.
revoke execute on function
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
  to anon, authenticated, service_role; -- anon too: a restrictive policy is evaluated for everybody
