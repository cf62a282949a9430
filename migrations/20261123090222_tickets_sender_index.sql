-- The open ticket that a follow-up by WhatsApp belongs to. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_sender_ref_idx on public.tickets (tenant_id, sender_ref, created_at desc)
  where sender_ref is not null;
