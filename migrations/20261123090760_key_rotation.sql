-- Key rotation: the media worker re-seals with the current key what another key sealed. The database knows keys by their short ids
-- only; the worker says which of them it has. Both functions are for the service role.
--
-- SECURITY DEFINER, in both: no API role has the right to write sealed messages.

create function public.tokens_to_reseal(other_keys text[], batch integer default 50)
  returns table (message_sid text, ticket_id uuid, token text)
  language sql stable security definer
  set search_path = ''
  -- by the index and no further than the batch, however much is left
  set enable_seqscan = off
  set enable_bitmapscan = off
as $$
  (
    select m.message_sid, null::uuid, m.encrypted_payload
    from public.inbound_messages m where m.sealed_with = any (other_keys)
    limit batch
  )
  union all
  (select m.message_sid, null, m.encrypted_payload from public.inbound_messages m where m.sealed_with is null limit batch)
  union all
  (
    select null, t.id, t.encrypted_description
    from public.tickets t where t.encrypted_description like 'gA%' and t.sealed_with = any (other_keys)
    limit batch
  )
  union all
  (
    select null, t.id, t.encrypted_description
    from public.tickets t where t.encrypted_description like 'gA%' and t.sealed_with is null
    limit batch
  )
  limit batch
$$;
comment on function public.tokens_to_reseal(text[], integer) is
  'Tokens of messages and descriptions that these keys, or an unknown one, sealed: {message_sid or ticket_id, token}. Those sealed by a key that the worker lacks are left alone.';

create function public.complete_resealing(sealed_with text, tokens jsonb)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  messages integer;
  descriptions integer;
begin
  -- Locked rows wait for the next batch, so that this never deadlocks with marking a ticket sensitive.
  with given as (
    select g.message_sid, g.old, g.new from jsonb_to_recordset(tokens) g (message_sid text, old text, new text)
    where g.message_sid is not null
  ), held as (
    select g.* from public.inbound_messages m
    join given g on g.message_sid = m.message_sid and g.old = m.encrypted_payload
    for no key update of m skip locked
  )
  update public.inbound_messages m
  set encrypted_payload = coalesce(h.new, m.encrypted_payload),
    sealed_with = case when h.new is null then 'unopened' else complete_resealing.sealed_with end
  from held h
  where m.message_sid = h.message_sid and m.encrypted_payload = h.old;
  get diagnostics messages = row_count;

  with given as (
    select g.ticket_id, g.old, g.new from jsonb_to_recordset(tokens) g (ticket_id uuid, old text, new text)
    where g.ticket_id is not null
  ), held as (
    select g.* from public.tickets t
    join given g on g.ticket_id = t.id and g.old = t.encrypted_description
    for no key update of t skip locked
  )
  update public.tickets t
  set encrypted_description = coalesce(h.new, t.encrypted_description),
    sealed_with = case
      when h.new is not null then complete_resealing.sealed_with
      -- written by somebody else, with another key
      when t.sealed_with is null then 'foreign'
      else 'unopened'
    end
  from held h
  where t.id = h.ticket_id and t.encrypted_description = h.old;
  get diagnostics descriptions = row_count;
  return messages + descriptions;
end
$$;
comment on function public.complete_resealing(text, jsonb) is
  'Replaces tokens that the worker opened and re-sealed, [{message_sid or ticket_id, old, new}], each only while it is still the old one; a new of NULL says that it could not be opened, and it is not tried again. Returns how many. Again is no error.';

revoke execute on function
  public.tokens_to_reseal(text[], integer),
  public.complete_resealing(text, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function
  public.tokens_to_reseal(text[], integer),
  public.complete_resealing(text, jsonb)
  to service_role;
