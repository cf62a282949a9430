-- A live list shows the latest changes first. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_tenant_id_updated_at_idx on public.tickets (tenant_id, updated_at desc, id);
