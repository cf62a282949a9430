-- One municipality's file can never hang on another's ticket: files and messages refer to (tenant_id, id).
-- Alone in its file, which the CLI then runs outside a transaction: CONCURRENTLY, so that no write of an adopted table waits.
create unique index concurrently if not exists tickets_tenant_id_id_key on public.tickets (tenant_id, id);
