// What a migration (role postgres) may and may not do in the platform's own schemas, as on hosted.
// Needs SUPABASE_DB_URL: npm run local -- deno test -A tests/local/platform.test.ts
import { assertEquals, assertRejects } from "../support/assert.ts";
import postgres from "postgres";

const url = Deno.env.get("SUPABASE_DB_URL")!;

/** Runs statements in a transaction that is rolled back, like a migration that fails at its end. */
async function tryMigration(...statements: string[]): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  let rows: Record<string, unknown>[] = [];
  try {
    await sql.begin(async (tx) => {
      for (const statement of statements) rows = await tx.unsafe(statement);
      throw new RolledBack();
    });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  } finally {
    await sql.end();
  }
  return rows;
}

class RolledBack extends Error {}

const triggerFunction = `create function public.for_test() returns trigger language plpgsql security definer
  set search_path = '' as $$ begin perform count(*) from storage.objects; return new; end $$`;

const allowed: Record<string, string[]> = {
  "a policy on storage.objects, altered, replaced and dropped": [
    `create policy "for test" on storage.objects for select to authenticated using (false)`,
    `alter policy "for test" on storage.objects using (bucket_id = 'x')`,
    `drop policy "for test" on storage.objects`,
    `drop policy if exists "for test" on storage.objects`,
  ],
  "triggers on the platform's tables, replaced and dropped": [
    triggerFunction,
    `create trigger for_test before insert on storage.objects for each row execute function public.for_test()`,
    `create or replace trigger for_test before insert or update on storage.objects for each row execute function public.for_test()`,
    `create constraint trigger for_test_later after insert on storage.objects deferrable initially deferred for each row execute function public.for_test()`,
    `create trigger for_test after insert on auth.users for each row execute function public.for_test()`,
    `drop trigger for_test on storage.objects`,
    `drop function public.for_test() cascade`,
  ],
  "a foreign key to auth.users, and dropping its table": [
    `create table public.for_test (id uuid primary key references auth.users on delete cascade)`,
    `drop table public.for_test`,
  ],
  "a bucket": [
    `insert into storage.buckets (id, name, public) values ('for-test', 'for-test', false)`,
  ],
  "a schema, table, view, index and grant of one's own": [
    `create schema for_test`,
    `create table for_test.things (id bigint primary key, note text)`,
    `alter table for_test.things enable row level security`,
    `create index on for_test.things (note)`,
    `create view public.for_test with (security_invoker = on) as select * from for_test.things`,
    `grant select on for_test.things to authenticated`,
    `revoke select on for_test.things from authenticated`,
    `comment on table for_test.things is 'x'`,
    `drop schema for_test cascade`,
  ],
  "an extension that is there already": [`create extension if not exists pgcrypto with schema extensions`],
  "a grant on auth.users passed on": [
    `create role for_test`,
    `grant select on auth.users to for_test`,
    `revoke select on auth.users from for_test`,
  ],
};

const owner = (what: string) => `must be owner of ${what}`;
const schema = (name: string) => `permission denied for schema ${name}`;

const refused: [string, string][] = [
  ["alter table storage.objects enable row level security", owner("table objects")],
  ["alter table storage.objects add column extra text", owner("table objects")],
  ["alter table storage.objects disable trigger user", owner("table objects")],
  ["alter table storage.objects set schema public", owner("table objects")],
  ["alter table auth.users add column extra text", owner("table users")],
  ["create index for_test on storage.objects (name)", owner("table objects")],
  ["create table storage.for_test (id int)", schema("storage")],
  ["create table realtime.for_test as select 1 as id", schema("realtime")],
  ["create view auth.for_test as select 1 as id", schema("auth")],
  ["create function storage.for_test() returns int language sql as 'select 1'", schema("storage")],
  ["create or replace function auth.uid() returns uuid language sql as 'select null::uuid'", schema("auth")],
  ["create type auth.for_test as enum ('a')", schema("auth")],
  ["drop table auth.users cascade", owner("table users")],
  ["drop schema storage cascade", owner(".*")],
  ["drop function auth.jwt() cascade", owner("function .*")],
  ["alter function auth.uid() rename to whoami", owner("function uid")],
  ["alter schema storage rename to files", owner("schema storage")],
  ["comment on table storage.objects is 'mine'", owner("table objects")],
  ["revoke usage on schema auth from authenticated, anon", "permission denied for schema auth"],
  ["revoke all on auth.users from dashboard_user", "permission denied for table users"],
  ["set role supabase_storage_admin", "permission denied to set role.*"],
  ["set role supabase_admin", "permission denied to set role.*"],
  ["alter role postgres superuser", "permission denied.*"],
  ["alter event trigger platform_guard_after_command disable", owner("event trigger .*")],
  ["drop event trigger platform_guard_after_command", owner("event trigger .*")],
  ["drop schema platform_guard cascade", owner("schema platform_guard")],
  ["set session event_triggers = off", "permission denied to set parameter.*"],
];

for (const [what, statements] of Object.entries(allowed)) {
  Deno.test(`a migration may make ${what}`, async () => {
    await tryMigration(...statements);
  });
}

for (const [statement, message] of refused) {
  Deno.test(`a migration may not: ${statement}`, async () => {
    const error = await assertRejects(() => tryMigration(statement), postgres.PostgresError);
    assertEquals([error.code, new RegExp(`^(${message})$`).test(error.message) || error.message], [
      "42501",
      true,
    ]);
  });
}

Deno.test("a migration's revoke on Storage's tables leaves the platform's grants as they are", async () => {
  const rows = await tryMigration(
    `revoke all on storage.objects from authenticated, anon, service_role`,
    `revoke all on all tables in schema storage from authenticated`,
    `select r as role, has_table_privilege(r, 'storage.objects', 'insert') as can_insert
     from unnest(array['anon', 'authenticated', 'service_role']) r`,
  );
  assertEquals(rows.map((row) => row.can_insert), [true, true, true]);
});

Deno.test("session_replication_role, which postgres may set, does not switch the refusals off", async () => {
  await assertRejects(
    () =>
      tryMigration("set local session_replication_role = replica", "create table storage.for_test (id int)"),
    postgres.PostgresError,
    schema("storage"),
  );
});

Deno.test("postgres is no superuser but sees past row-level security", async () => {
  const rows = await tryMigration(
    `select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = current_user`,
  );
  assertEquals({ ...rows[0] }, {
    rolsuper: false,
    rolbypassrls: true,
    rolcreaterole: true,
    rolcreatedb: true,
    rolreplication: true,
  });
});

Deno.test("a new table of public is granted to nobody, a new function to everybody", async () => {
  const rows = await tryMigration(
    `create table public.for_test (id int)`,
    `create function public.for_test() returns int language sql as 'select 1'`,
    `select r as role, has_table_privilege(r, 'public.for_test', 'select') as can_read,
       has_function_privilege(r, 'public.for_test()', 'execute') as can_execute
     from unnest(array['anon', 'authenticated', 'service_role']) r`,
  );
  assertEquals(
    rows.map((row) => [row.role, row.can_read, row.can_execute]),
    ["anon", "authenticated", "service_role"].map((role) => [role, false, true]),
  );
});

Deno.test("a definer function of postgres reads Storage's tables past row-level security, for any caller", async () => {
  const rows = await tryMigration(
    `insert into storage.buckets (id, name) values ('for-test', 'for-test')`,
    `create function public.for_test() returns bigint language sql security definer set search_path = ''
       as $$ select count(*) from storage.buckets where id = 'for-test' $$`,
    `set local role authenticated`,
    `select public.for_test() as seen`,
  );
  assertEquals(Number(rows[0]?.seen), 1);
});

Deno.test("auth.uid(), auth.role(), auth.email() and auth.jwt() read the request's claims", async () => {
  const claims = {
    sub: crypto.randomUUID(),
    role: "authenticated",
    email: "a@b.test",
    app_metadata: { role: "admin" },
  };
  const rows = await tryMigration(
    `select set_config('request.jwt.claims', '${JSON.stringify(claims)}', true)`,
    `set local role authenticated`,
    `select auth.uid() as sub, auth.role() as role, auth.email() as email,
       auth.jwt() -> 'app_metadata' as app_metadata`,
  );
  assertEquals<unknown>({ ...rows[0] }, claims);
});
