-- Stands for the trigger of the Realtime guide ("Subscribing to Database Changes", broadcast): for each row one
-- realtime.broadcast_changes, which sends the old and the new row whole.
create function bench.broadcast_ticket()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform realtime.broadcast_changes(
    'municipality:' || coalesce(new.tenant_id, old.tenant_id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old
  );
  return null;
end
$$;

create trigger bench_broadcast_changes
  after insert or update or delete on public.tickets
  for each row execute function bench.broadcast_ticket();
