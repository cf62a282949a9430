-- How many tickets there are, without counting them: a count kept for each municipality, status and sensitivity. Writers never
-- wait for each other: each adds a row that says by how much the counts change, and now and then one adds those up.

select private.lock_tables('{public.tickets in share row exclusive mode}');

create table private.ticket_counts (
  tenant_id uuid not null references public.municipalities (id),
  is_sensitive boolean not null,
  status text not null, -- empty where an adopted table has none
  tickets bigint not null,
  primary key (tenant_id, is_sensitive, status)
);
comment on table private.ticket_counts is 'How many tickets there were when changes were last added up; ticket_count_changes has what came since.';

create table private.ticket_count_changes (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  is_sensitive boolean not null,
  status text not null,
  change bigint not null
);
create index ticket_count_changes_tenant_id_idx on private.ticket_count_changes (tenant_id);
comment on table private.ticket_count_changes is 'By how much the counts have changed since they were last added up.';

alter table private.ticket_counts enable row level security;
alter table private.ticket_count_changes enable row level security;
revoke all on private.ticket_counts, private.ticket_count_changes from public, anon, authenticated, service_role;
grant select on private.ticket_counts, private.ticket_count_changes to authenticated;

create policy "counts: their municipality's for staff, GBV for those who may" on private.ticket_counts
  for select to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and (select private.caller_is_staff())
    and (not is_sensitive or (select private.caller_sees_sensitive()))
  );
create policy "count changes: as the counts" on private.ticket_count_changes
  for select to authenticated
  using (
    tenant_id = (select private.caller_tenant())
    and (select private.caller_is_staff())
    and (not is_sensitive or (select private.caller_sees_sensitive()))
  );

create function public.ticket_counts()
  returns table (status text, is_sensitive boolean, tickets bigint)
  language sql stable
  set search_path = ''
as $$
  select nullif(c.status, ''), c.is_sensitive, sum(c.tickets)::bigint
  from (
    select t.status, t.is_sensitive, t.tickets from private.ticket_counts t
    union all
    select t.status, t.is_sensitive, t.change from private.ticket_count_changes t
  ) c
  group by 1, 2
  having sum(c.tickets) <> 0
  order by 1, 2
$$;
comment on function public.ticket_counts() is
  'How many tickets of each status the caller''s municipality has, of those they may read; for staff, citizens get nothing. Exact, at a cost that does not grow with them.';

-- One at a time; who cannot leaves it to the next. What another has added up since a repeatable read began would fail that write.
create function private.add_up_ticket_counts()
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed'
    or not pg_try_advisory_xact_lock(hashtextextended('ticket_counts', 0))
  then
    return;
  end if;
  with changes as (
    delete from private.ticket_count_changes c returning c.tenant_id, c.is_sensitive, c.status, c.change
  )
  insert into private.ticket_counts as t (tenant_id, is_sensitive, status, tickets)
  select c.tenant_id, c.is_sensitive, c.status, sum(c.change) from changes c group by 1, 2, 3
  on conflict on constraint ticket_counts_pkey do update set tickets = t.tickets + excluded.tickets;
end
$$;
comment on function private.add_up_ticket_counts() is 'Adds the changes since the last time to the counts.';

-- SECURITY DEFINER: whoever writes a ticket has no right to write counts.
create function private.count_ticket_changes()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  case tg_op
    when 'INSERT' then
      insert into private.ticket_count_changes (tenant_id, is_sensitive, status, change)
      select n.tenant_id, n.is_sensitive, coalesce(n.status::text, ''), count(*) from new_rows n
      where n.tenant_id is not null
      group by 1, 2, 3;
    when 'DELETE' then
      insert into private.ticket_count_changes (tenant_id, is_sensitive, status, change)
      select o.tenant_id, o.is_sensitive, coalesce(o.status::text, ''), -count(*) from old_rows o
      where o.tenant_id is not null
      group by 1, 2, 3;
    else
      insert into private.ticket_count_changes (tenant_id, is_sensitive, status, change)
      select r.tenant_id, r.is_sensitive, coalesce(r.status, ''), sum(r.change)
      from (
        select n.tenant_id, n.is_sensitive, n.status::text, 1 as change from new_rows n
        union all
        select o.tenant_id, o.is_sensitive, o.status::text, -1 from old_rows o
      ) r
      where r.tenant_id is not null
      group by 1, 2, 3
      having sum(r.change) <> 0;
  end case;
  if found and random() < 0.03 then
    perform private.add_up_ticket_counts();
  end if;
  return null;
end
$$;
comment on function private.count_ticket_changes() is 'Trigger: notes by how much the counts of tickets change.';

create trigger tickets_count_insert
  after insert on public.tickets referencing new table as new_rows
  for each statement execute function private.count_ticket_changes();
create trigger tickets_count_update
  after update on public.tickets referencing old table as old_rows new table as new_rows
  for each statement execute function private.count_ticket_changes();
create trigger tickets_count_delete
  after delete on public.tickets referencing old table as old_rows
  for each statement execute function private.count_ticket_changes();

create function private.recount_tickets()
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  -- nobody adds up meanwhile; each statement from here on sees what is committed by now
  perform pg_advisory_xact_lock(hashtextextended('ticket_counts', 0));
  -- one statement, so that tickets and changes are those of one moment
  with counted as (
    select r.tenant_id, r.is_sensitive, r.status, sum(r.tickets) as tickets
    from (
      select t.tenant_id, t.is_sensitive, coalesce(t.status::text, '') as status, count(*) as tickets
      from public.tickets t where t.tenant_id is not null group by 1, 2, 3
      union all
      select c.tenant_id, c.is_sensitive, c.status, -c.change from private.ticket_count_changes c
      union all
      select c.tenant_id, c.is_sensitive, c.status, 0 from private.ticket_counts c
    ) r
    group by 1, 2, 3
  )
  insert into private.ticket_counts as t (tenant_id, is_sensitive, status, tickets)
  select c.tenant_id, c.is_sensitive, c.status, c.tickets from counted c
  on conflict on constraint ticket_counts_pkey do update set tickets = excluded.tickets
    where t.tickets <> excluded.tickets;
end
$$;
comment on function private.recount_tickets() is
  'Counts the tickets there are, while others write. For a table that had tickets before, and should the counts ever be wrong.';

revoke execute on function
  public.ticket_counts(),
  private.add_up_ticket_counts(),
  private.count_ticket_changes(),
  private.recount_tickets()
  from public, anon, authenticated, service_role;
grant execute on function public.ticket_counts() to authenticated;
