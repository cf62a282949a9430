-- Descriptions that another key sealed than the current one. Alone in its file for the same reason as the indexes before.
create index concurrently if not exists tickets_sealed_with_idx on public.tickets (sealed_with)
  where encrypted_description like 'gA%';
