-- Stands for the trigger that the Realtime guide leads to where a payload of one's own is wanted: for each row one
-- realtime.send, with the same topic, event and fields as ours. Not sensitive tickets only: the tickets measured are none.
create function bench.send_ticket()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  ticket constant public.tickets := coalesce(new, old);
begin
  perform realtime.send(
    jsonb_build_object(
      'type', tg_op, 'ticket_id', ticket.id, 'status', ticket.status, 'municipality_id', ticket.tenant_id,
      'tracking_number', ticket.tracking_number, 'category', ticket.category, 'severity', ticket.severity,
      'updated_at', ticket.updated_at
    ),
    'ticket_event',
    'municipality:' || ticket.tenant_id,
    true
  );
  return null;
end
$$;

create trigger bench_send_per_row
  after insert or update or delete on public.tickets
  for each row execute function bench.send_ticket();
