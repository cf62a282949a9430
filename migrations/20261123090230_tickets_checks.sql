-- What looks at every ticket, under locks that do not keep others from reading, nor for long from writing.

do $$
declare
  broken text;
  checks text;
begin
  select string_agg(i.indexrelid::regclass::text, ', ') into broken
  from pg_catalog.pg_index i where i.indrelid = 'public.tickets'::regclass and not i.indisvalid;
  if broken is not null then
    raise exception 'an index of public.tickets was not built to its end: %. Run `reindex index concurrently` for it, then push again.', broken;
  end if;

  perform private.lock_table('public.tickets', 'share update exclusive');
  -- in one statement, which reads the rows once
  select string_agg(format('validate constraint %I', c.conname), ', ') into checks
  from pg_catalog.pg_constraint c
  where c.conrelid = 'public.tickets'::regclass and not c.convalidated
    and c.conname in ('tickets_category_check', 'tickets_status_check', 'tickets_severity_check', 'tickets_language_check');
  if checks is not null then
    execute 'alter table public.tickets ' || checks;
  end if;

  -- Few rows of an adopted table are in these, as a rule none.
  perform private.lock_table('public.tickets', 'share');
  create index if not exists tickets_reporter_id_idx on public.tickets (reporter_id) where reporter_id is not null;
  create index if not exists tickets_sender_ref_idx on public.tickets (tenant_id, sender_ref, created_at desc)
    where sender_ref is not null;
  create unique index if not exists tickets_tracking_number_key on public.tickets (tracking_number)
    where tracking_number is not null;
end
$$;
