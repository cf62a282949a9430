-- What dashboards list by. Alone in its file for the same reason as the index before.
create index concurrently if not exists tickets_tenant_id_created_at_idx on public.tickets (tenant_id, created_at desc);
