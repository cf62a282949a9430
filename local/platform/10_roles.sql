-- Roles, schemas and settings of a hosted project. Run as the superuser supabase_admin.

-- API roles: what a request becomes.
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

-- Owners of the platform's own schemas; their services log in as these.
create role supabase_auth_admin login noinherit createrole;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin login noinherit;
create role dashboard_user nologin createdb createrole replication;
grant anon, authenticated, service_role to supabase_storage_admin;
grant anon, authenticated, service_role to supabase_realtime_admin;

-- Who runs migrations: no superuser.
create role postgres login createdb createrole replication bypassrls;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
grant set on parameter session_replication_role to postgres;
-- On hosted an extension (supautils) lets postgres make policies, triggers and foreign keys on the platform's tables.
-- Here membership does, which allows too much: 90_guard.sql takes the rest away again.
do $$
begin
  execute 'grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres'
    || case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' else '' end;
end
$$;

alter database postgres owner to postgres;
alter database postgres set search_path to "$user", public, extensions;
alter database postgres set timezone to 'UTC';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticated set statement_timeout = '8s';
alter role anon set statement_timeout = '3s';
alter role supabase_auth_admin set search_path = auth;
alter role supabase_storage_admin set search_path = storage;

create schema auth authorization supabase_auth_admin;
create schema storage authorization supabase_storage_admin;
create schema realtime authorization supabase_realtime_admin;
create schema extensions authorization postgres;
create schema graphql_public;

grant usage on schema public, auth, storage, realtime, extensions, graphql_public
  to postgres, anon, authenticated, service_role;
grant usage on schema auth, storage, realtime, extensions to dashboard_user;
grant usage on schema extensions to supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin;
-- Hosted, since 30 October 2026, grants the API roles nothing on new tables of public: nothing to do here.

create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
