-- A resident's own tickets. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_reporter_id_idx on public.tickets (reporter_id) where reporter_id is not null;
