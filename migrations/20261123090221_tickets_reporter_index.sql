-- A resident's own tickets: with the municipality, or the planner would look through all of that too. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_reporter_id_idx on public.tickets (reporter_id, tenant_id) where reporter_id is not null;
