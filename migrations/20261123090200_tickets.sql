-- Tickets. A municipality that already has a `tickets` table keeps it, with its rows, columns, triggers and policies:
-- this migration adds only what is missing. What must hold whatever is there already (a sensitive ticket is hidden) is
-- a restrictive policy, which no other policy can widen.

set local lock_timeout = '5s';

do $$
declare
  adopted constant boolean := to_regclass('public.tickets') is not null;
  wrong text;
begin
  if not adopted then
    create table public.tickets (id uuid primary key default gen_random_uuid());
    revoke all on public.tickets from anon, authenticated, service_role;
  end if;

  select string_agg(format('%s is %s, needs %s', a.attname, format_type(a.atttypid, null), need.type), '; ')
  into wrong
  from (values
    ('id', 'uuid'), ('tenant_id', 'uuid'), ('is_sensitive', 'boolean'), ('reporter_id', 'uuid'),
    ('created_at', 'timestamp with time zone'), ('updated_at', 'timestamp with time zone')
  ) as need (name, type)
  join pg_catalog.pg_attribute a
    on a.attrelid = 'public.tickets'::regclass and a.attname = need.name and not a.attisdropped
  where format_type(a.atttypid, null) <> need.type;
  if wrong is not null then
    raise exception 'public.tickets cannot be adopted: %', wrong
      using hint = 'Change or rename these columns, then push the migrations again. Nothing was changed.';
  end if;

  -- A constraint stands in its column's definition, so that an adopted column keeps its own rules.
  alter table public.tickets
    add column if not exists tenant_id uuid references public.municipalities (id),
    add column if not exists tracking_number text,
    add column if not exists category text default 'other'
      check (category in ('water', 'roads', 'electricity', 'waste', 'sanitation', 'gbv', 'other')),
    add column if not exists status text default 'open'
      check (status in ('open', 'in_progress', 'escalated', 'resolved', 'closed')),
    add column if not exists severity text default 'medium'
      check (severity in ('low', 'medium', 'high', 'critical')),
    add column if not exists is_sensitive boolean default false,
    add column if not exists description text,
    add column if not exists encrypted_description text,
    add column if not exists reporter_id uuid,
    add column if not exists sender_ref text,
    add column if not exists language text default 'en' check (language in ('en', 'zu', 'af')),
    add column if not exists created_at timestamptz default now(),
    add column if not exists updated_at timestamptz default now();

  if not adopted then
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
  -- Whether a ticket is hidden must never be unknown.
  alter table public.tickets alter column is_sensitive set default false;
  update public.tickets set is_sensitive = false where is_sensitive is null;
  alter table public.tickets alter column is_sensitive set not null;
end
$$;

-- One municipality's file can never hang on another's ticket: files and messages refer to (tenant_id, id).
create unique index if not exists tickets_tenant_id_id_key on public.tickets (tenant_id, id);
create index if not exists tickets_tenant_id_created_at_idx on public.tickets (tenant_id, created_at desc);
create index if not exists tickets_reporter_id_idx on public.tickets (reporter_id) where reporter_id is not null;
create index if not exists tickets_sender_ref_idx on public.tickets (tenant_id, sender_ref, created_at desc)
  where sender_ref is not null;
create unique index if not exists tickets_tracking_number_key on public.tickets (tracking_number);

-- The planner's statistics cover all rows, and `Prefer: count=planned` tells what it estimates: of these columns it is to
-- know nothing, or anybody could ask how much GBV there is.
alter table public.tickets
  alter column is_sensitive set statistics 0,
  alter column category set statistics 0,
  alter column severity set statistics 0,
  alter column tenant_id set statistics 0;

comment on table public.tickets is 'Reports of residents. Sensitive ones (GBV) are visible to police liaison and admins only.';
comment on column public.tickets.is_sensitive is 'True hides the ticket and every file of it at once, whatever bucket they are in.';
comment on column public.tickets.encrypted_description is 'Fernet token of the text of a sensitive report; its clear text is never stored.';
comment on column public.tickets.sender_ref is 'Keyed hash of a WhatsApp sender, by which a follow-up finds the ticket; not a number.';

-- SECURITY DEFINER: a number taken by a ticket the caller may not see must still count as taken.
create function private.new_tracking_number()
  returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  alphabet constant text := '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'; -- 32 signs; no 0, 1, I, O
  random_bytes bytea;
  candidate text;
begin
  loop
    random_bytes := decode(replace(gen_random_uuid()::text, '-', ''), 'hex');
    select 'TKT-' || to_char(now() at time zone 'UTC', 'YYYYMMDD') || '-'
      || string_agg(substr(alphabet, get_byte(random_bytes, i) % 32 + 1, 1), '')
    into candidate
    from generate_series(0, 5) as i;
    exit when not exists (select 1 from public.tickets t where t.tracking_number = candidate);
  end loop;
  return candidate;
end
$$;
comment on function private.new_tracking_number() is 'TKT-YYYYMMDD-XXXXXX (UTC day, six random signs), not taken yet.';

create function private.prepare_ticket()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- a report of gender-based violence is never an open one, whatever its writer thought of
  new.is_sensitive := coalesce(new.is_sensitive, false) or coalesce(new.category::text = 'gbv', false);
  -- a time in the future would hide changes from dashboards that catch up
  new.updated_at := case tg_op when 'UPDATE' then now() else least(new.updated_at, now()) end;
  return new;
end
$$;
comment on function private.prepare_ticket() is 'Trigger: category gbv is sensitive; notes the time of the last change.';

do $$
begin
  if not exists (
    select 1 from pg_catalog.pg_attribute
    where attrelid = 'public.tickets'::regclass and attname = 'tracking_number' and atthasdef
  ) then
    alter table public.tickets alter column tracking_number set default private.new_tracking_number();
  end if;
end
$$;

create trigger tickets_prepare
  before insert or update on public.tickets
  for each row execute function private.prepare_ticket();

alter table public.tickets enable row level security;

create policy "a sensitive ticket is for police liaison and admins" on public.tickets
  as restrictive for all to public
  using (
    not is_sensitive
    or (tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()))
  );

create policy "staff read their municipality's tickets, citizens their own" on public.tickets
  for select to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and ((select private.caller_is_staff()) or reporter_id = (select auth.uid()))
  );

create policy "managers and admins open tickets, police liaison sensitive ones" on public.tickets
  for insert to authenticated
  with check (
    tenant_id = (select private.caller_tenant())
    and (
      (select private.caller_role()) in ('manager', 'admin')
      or (is_sensitive and (select private.caller_role()) = 'saps_liaison')
    )
  );

create policy "managers and admins change tickets, police liaison sensitive ones" on public.tickets
  for update to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and (
      (select private.caller_role()) in ('manager', 'admin')
      or (is_sensitive and (select private.caller_role()) = 'saps_liaison')
    )
  );

revoke execute on function private.new_tracking_number(), private.prepare_ticket() from public, anon, authenticated, service_role;
grant execute on function private.new_tracking_number() to authenticated, service_role;

-- by column: who wrote by WhatsApp (sender_ref), the id, the number and the times are not for users to set
grant select on public.tickets to authenticated;
grant insert (
  tenant_id, category, status, severity, is_sensitive, description, encrypted_description, reporter_id, language
) on public.tickets to authenticated;
grant update (
  category, status, severity, is_sensitive, description, encrypted_description, language
) on public.tickets to authenticated;
grant select, insert, update, delete on public.tickets to service_role;
