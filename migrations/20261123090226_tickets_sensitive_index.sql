-- A list of sensitive tickets, which are few among all. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_sensitive_idx on public.tickets (tenant_id, updated_at desc, id) where is_sensitive;
