-- No two tickets have one number. Alone in its file for the same reason as the indexes before.
create unique index concurrently if not exists tickets_tracking_number_key on public.tickets (tracking_number)
  where tracking_number is not null;
