-- A list of open ones, or of any other status, latest changes first. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_tenant_id_status_updated_at_idx on public.tickets (tenant_id, status, updated_at desc, id);
