-- The words of the tickets that were there before: of an adopted table, or left by an uninstall. Alone in its file, which the CLI
-- then runs outside a transaction: a batch is committed before the next, so that no write of a ticket waits for more than one.
do $$
declare
  last uuid;
  batch uuid[];
begin
  loop
    select array_agg(t.id order by t.id) into batch
    from (
      select t.id from public.tickets t
      where (last is null or t.id > last) and t.tenant_id is not null
        and not exists (select from private.ticket_words w where w.ticket_id = t.id)
      order by t.id limit 500
    ) t;
    exit when batch is null;
    last := batch[cardinality(batch)];
    insert into private.ticket_words (ticket_id, tenant_id, words)
    select c.ticket_id, c.tenant_id, c.words from private.current_words(batch) c
    on conflict (ticket_id) do nothing; -- whoever wrote the ticket meanwhile knows better
    commit;
    if clock_timestamp() > statement_timestamp() + interval '90 seconds' then
      -- before the limit of two minutes a statement
      raise exception 'search: not all tickets have their words yet. What was done stays; push again to go on.';
    end if;
  end loop;
end
$$;
