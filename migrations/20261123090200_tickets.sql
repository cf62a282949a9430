-- Tickets. A municipality that already has a `tickets` table keeps it, with its rows, columns, triggers and policies:
-- this migration adds only what is missing, and reads no row while it holds the table. The rules of added columns are
-- validated, and indexes built, in migrations of their own, under locks that nobody feels.

do $$
declare
  -- known since the first time: an adopted table is one after an uninstall and a new installation too
  own constant boolean := to_regclass('public.tickets') is null
    or exists (select 1 from private.adoption a where a.item = 'own table tickets');
  known constant boolean := exists (select 1 from private.adoption a where a.item = 'table tickets');
  wrong text;
  missing record;
begin
  if own then
    create table if not exists public.tickets (id uuid primary key default gen_random_uuid());
    revoke all on public.tickets from anon, authenticated, service_role;
    insert into private.adoption values ('own table tickets', '{}') on conflict do nothing;
    comment on table public.tickets is 'Reports of residents. Sensitive ones (GBV) are visible to police liaison and admins only.';
  end if;

  select string_agg(problem, '; ') into wrong
  from (
    select 'it is no plain table' from pg_catalog.pg_class c where c.oid = 'public.tickets'::regclass and c.relkind <> 'r'
    union all
    select case
        when a.attname is null then 'there is no id, needs one of type uuid'
        else format('%s is %s, needs %s', a.attname, format_type(a.atttypid, null), need.type)
      end
    from (values
      ('id', 'uuid'), ('tenant_id', 'uuid'), ('is_sensitive', 'boolean'), ('reporter_id', 'uuid'),
      ('created_at', 'timestamp with time zone'), ('updated_at', 'timestamp with time zone')
    ) as need (name, type)
    left join pg_catalog.pg_attribute a
      on a.attrelid = 'public.tickets'::regclass and a.attname = need.name and not a.attisdropped
    where format_type(a.atttypid, null) <> need.type or (need.name = 'id' and a.attname is null)
    union all
    select 'is_sensitive may be null, needs not null'
    from pg_catalog.pg_attribute a
    where a.attrelid = 'public.tickets'::regclass and a.attname = 'is_sensitive' and not a.attisdropped and not a.attnotnull
    union all
    select 'id is not unique'
    where not exists (
      select 1 from pg_catalog.pg_index i
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = 'public.tickets'::regclass and i.indisunique and i.indisvalid and i.indpred is null
        and i.indnkeyatts = 1 and a.attname = 'id'
    )
    union all
    select 'row-level security is off while users have rights on it: turning it on would hide every row from them'
    from pg_catalog.pg_class c
    where c.oid = 'public.tickets'::regclass and not c.relrowsecurity and exists (
      select 1
      from (
        select (aclexplode(c.relacl)).grantee
        union all
        select (aclexplode(a.attacl)).grantee from pg_catalog.pg_attribute a where a.attrelid = c.oid and not a.attisdropped
      ) rights
      left join pg_catalog.pg_roles r on r.oid = rights.grantee -- none: everybody
      where rights.grantee <> c.relowner and not coalesce(r.rolbypassrls or r.rolsuper, false)
    )
  ) as problems (problem);
  if wrong is not null then
    raise exception 'public.tickets cannot be adopted: %. Nothing of it was changed; docs/adopt.md says what to do.', wrong;
  end if;

  perform private.lock_tables('{public.tickets in access exclusive mode}', with_policies => false);

  if not own and not known then
    insert into private.adoption
    select 'table tickets', jsonb_build_object('row_security', c.relrowsecurity)
    from pg_catalog.pg_class c where c.oid = 'public.tickets'::regclass
    union all
    select 'column tickets.' || a.attname, jsonb_build_object(
      'statistics', coalesce(a.attstattarget, -1), 'acl', coalesce(a.attacl::text[], '{}'), 'default', a.atthasdef
    )
    from pg_catalog.pg_attribute a
    where a.attrelid = 'public.tickets'::regclass and a.attnum > 0 and not a.attisdropped;
  end if;

  for missing in
    select * from (values
      ('tenant_id', 'uuid references public.municipalities (id)', null),
      ('tracking_number', 'text', null),
      ('category', 'text default ''other''',
        'category in (''water'', ''roads'', ''electricity'', ''waste'', ''sanitation'', ''gbv'', ''other'')'),
      ('status', 'text default ''open''', 'status in (''open'', ''in_progress'', ''escalated'', ''resolved'', ''closed'')'),
      ('severity', 'text default ''medium''', 'severity in (''low'', ''medium'', ''high'', ''critical'')'),
      ('is_sensitive', 'boolean not null default false', null), -- whether a ticket is hidden is never unknown
      ('description', 'text', null),
      ('encrypted_description', 'text', null),
      ('sealed_with', 'text', null),
      ('reporter_id', 'uuid', null),
      ('sender_ref', 'text', null),
      ('last_message_at', 'timestamptz', null),
      ('last_read_at', 'timestamptz', null),
      ('language', 'text default ''en''',
        'language in (''af'', ''en'', ''nr'', ''nso'', ''ss'', ''st'', ''tn'', ''ts'', ''ve'', ''xh'', ''zu'')'),
      ('created_at', 'timestamptz default now()', null),
      ('updated_at', 'timestamptz default now()', null)
    ) as ours (name, definition, rule)
    where not exists (
      select 1 from pg_catalog.pg_attribute a
      where a.attrelid = 'public.tickets'::regclass and a.attname = ours.name and not a.attisdropped
    )
  loop
    -- a new column with no default, or one that is the same for all rows: no row is written
    execute format('alter table public.tickets add column %I %s', missing.name, missing.definition);
    if missing.rule is not null then
      execute format('alter table public.tickets add constraint %I check (%s) not valid',
        'tickets_' || missing.name || '_check', missing.rule);
    end if;
  end loop;

  if own then
    alter table public.tickets
      alter column tenant_id set not null,
      alter column tracking_number set not null,
      alter column category set not null,
      alter column status set not null,
      alter column severity set not null,
      alter column language set not null,
      alter column created_at set not null,
      alter column updated_at set not null;
  end if;

  -- The planner's statistics cover all rows, and `Prefer: count=planned` tells what it estimates: of these columns it is to
  -- know nothing, or anybody could ask how much GBV there is, and of when: a sensitive report has an encrypted_description, no
  -- description and no reporter. It may know of
  -- the ids, which are random. What it knew of an adopted table's columns stays: docs/adopt.md says how to make it forget.
  alter table public.tickets
    alter column is_sensitive set statistics 0,
    alter column tracking_number set statistics 0,
    alter column status set statistics 0,
    alter column reporter_id set statistics 0,
    alter column language set statistics 0,
    alter column created_at set statistics 0,
    alter column updated_at set statistics 0,
    alter column category set statistics 0,
    alter column severity set statistics 0,
    alter column tenant_id set statistics 0,
    alter column description set statistics 0,
    alter column encrypted_description set statistics 0,
    alter column sealed_with set statistics 0,
    alter column last_message_at set statistics 0,
    alter column last_read_at set statistics 0,
    alter column sender_ref set statistics 0;
end
$$;

-- An adopted tickets table may ask for what we do not know of. Then every report would be lost: better to learn it before anything is changed.
do $$
declare
  municipality uuid;
begin
  insert into public.municipalities (slug, name) values ('trial-of-this-migration', 'Trial') returning id into municipality;
  insert into public.tickets (
    tenant_id, tracking_number, category, is_sensitive, description, encrypted_description, language
  ) values
    (municipality, 'TKT-20000101-TRIAL2', 'other', false, 'trial', null, 'en'),
    (municipality, 'TKT-20000101-TRIAL3', 'gbv', true, null, 'trial', 'en');
  raise exception using errcode = 'TRIAL'; -- takes it all back
exception
  when sqlstate 'TRIAL' then
    null;
  when others then
    raise exception 'public.tickets cannot be adopted: opening a ticket failed: %. Nothing of it was changed; docs/adopt.md says what to do.', sqlerrm;
end
$$;
