-- What holds for tickets: a sensitive one is hidden whatever policies are there already (by a restrictive policy, which no
-- other can widen), one without a number is given one, and one that changes tells when.

select private.lock_tables('{public.tickets in access exclusive mode}');

-- What an uninstall left to hide sensitive tickets: from here on the policies below do.
drop policy if exists "kept evidence: for nobody" on public.tickets;

do $$
declare
  note record;
begin
  for note in
    select * from (values
      ('is_sensitive', 'True hides the ticket and every file of it at once, whatever bucket they are in.'),
      ('encrypted_description', 'Fernet token of the text of a sensitive report; its clear text is never stored.'),
      ('sealed_with', 'Short id of the key that sealed encrypted_description; NULL where somebody else wrote it and it is still to be looked at; unopened, or foreign, where no key of ours opened it.'),
      ('last_message_at', 'When a resident last wrote; NULL where nobody has.'),
      ('last_read_at', 'When somebody of the staff last said that they had read the messages (mark_ticket_read).'),
      ('sender_ref', 'Not filled: who opened a ticket is known to no user.')
    ) as ours (name, text)
    where not exists (select 1 from private.adoption a where a.item = 'column tickets.' || ours.name)
  loop
    execute format('comment on column public.tickets.%I is %L', note.name, note.text);
  end loop;
end
$$;

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
    select 'TKT-' || to_char(now() at time zone 'Africa/Johannesburg', 'YYYYMMDD') || '-'
      || string_agg(substr(alphabet, get_byte(random_bytes, i) % 32 + 1, 1), '')
    into candidate
    from generate_series(0, 5) as i;
    exit when not exists (select 1 from public.tickets t where t.tracking_number = candidate);
  end loop;
  return candidate;
end
$$;
comment on function private.new_tracking_number() is 'TKT-YYYYMMDD-XXXXXX (the South African day, six random signs), not taken yet.';

create function private.prepare_ticket()
  returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  again constant text[] := array['encrypted_description', 'sealed_with', 'updated_at'];
begin
  -- a report of gender-based violence is never an open one, whatever its writer thought of
  new.is_sensitive := coalesce(new.is_sensitive, false) or coalesce(new.category::text = 'gbv', false);
  -- A ticket that turns sensitive loses its clear words in this very write. (Not those it is opened with: a dashboard that
  -- writes them means them for who may read them.) A table that allows no NULL there was somebody's own.
  if tg_op = 'UPDATE' and new.is_sensitive and not old.is_sensitive then
    new.description := case when exists (
      select from pg_catalog.pg_attribute a where a.attrelid = tg_relid and a.attname = 'description' and a.attnotnull
    ) then '' end;
  end if;
  -- a description that came without its key's id is none that we sealed
  if tg_op = 'UPDATE' and new.encrypted_description is distinct from old.encrypted_description
    and new.sealed_with is not distinct from old.sealed_with
  then
    new.sealed_with := null;
  end if;
  -- a time in the future would hide changes from dashboards that catch up
  new.updated_at := case
    when tg_op <> 'UPDATE' then least(new.updated_at, now())
    -- sealed with another key, and nothing else: for readers nothing has changed
    when new.sealed_with <> coalesce(old.sealed_with, '') and to_jsonb(new) - again = to_jsonb(old) - again then old.updated_at
    else now()
  end;
  return new;
end
$$;
comment on function private.prepare_ticket() is 'Trigger: category gbv is sensitive; a ticket that turns sensitive loses its clear words; notes the time of the last change.';

-- Not before the numbers have their index: a new one is looked for in it.
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

-- The name is for Postgres, which fires triggers by name: this one after an adopted table's own, which may set the category.
create trigger zzz_tickets_prepare
  before insert or update on public.tickets
  for each row execute function private.prepare_ticket();

-- And should another come after it all the same, the write is refused. Not validated: rows are corrected by the file before.
alter table public.tickets
  drop constraint if exists tickets_gbv_check, -- an uninstall may have left it
  add constraint tickets_gbv_check check (is_sensitive or category::text is distinct from 'gbv') not valid;

alter table public.tickets enable row level security;

-- Without statistics the planner takes each condition for one that few rows meet, and for so few it sorts the municipality where
-- an index has the newest first. `nullif(…, false) is not null` says the same as the condition itself, and is one that it expects
-- nearly all to meet. So it is here and in the policies of files and messages; the municipality is the one condition for an index.

-- The one for everybody calls no function of ours: a role of the project's own could not, and would see no ticket any more.
create policy "a sensitive ticket is for signed-in users only" on public.tickets
  as restrictive for all to public
  using (nullif(not is_sensitive or current_user = 'authenticated', false) is not null);

create policy "a sensitive ticket is for police liaison and admins" on public.tickets
  as restrictive for all to authenticated
  using (
    nullif(
      not is_sensitive or (tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive())),
      false
    ) is not null
  );

create policy "staff read their municipality's tickets, citizens their own" on public.tickets
  for select to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and nullif((select private.caller_is_staff()) or reporter_id = (select auth.uid()), false) is not null
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
grant execute on function private.new_tracking_number() to public; -- whoever an adopted table lets in: it is a column's default

-- By column: who wrote by WhatsApp (sender_ref), the id, the number and the times are not for users to set. An adopted table's
-- other columns are not ours to show: there, reading goes by column too.
do $$
begin
  if exists (select 1 from private.adoption a where a.item = 'table tickets') then
    grant select (
      id, tenant_id, tracking_number, category, status, severity, is_sensitive, description, encrypted_description, sealed_with, reporter_id,
      sender_ref, language, last_message_at, last_read_at, created_at, updated_at
    ) on public.tickets to authenticated, service_role;
  else
    grant select on public.tickets to authenticated;
    grant select, insert, update, delete on public.tickets to service_role;
  end if;
end
$$;
grant insert (
  tenant_id, category, status, severity, is_sensitive, description, encrypted_description, reporter_id, language
) on public.tickets to authenticated;
grant update (
  category, status, severity, is_sensitive, description, encrypted_description, language
) on public.tickets to authenticated;
