-- What an operator changes about people, numbers and municipalities (npm run people, npm run numbers) is in the custody log,
-- recorded in the transaction that changes it.

create function private.record_operator_event(tenant_id uuid, event text, details jsonb, operator text)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  salt constant bytea := uuid_send(gen_random_uuid());
  commitment constant text := private.commitment(salt, operator);
begin
  insert into private.custody_signers (commitment, tenant_id, salt, name)
  values (commitment, record_operator_event.tenant_id, salt, operator);
  perform private.record_system_event(
    record_operator_event.tenant_id, record_operator_event.event,
    record_operator_event.details || jsonb_build_object('operator_commitment', commitment)
  );
end
$$;
comment on function private.record_operator_event(uuid, text, jsonb, text) is
  'Records what an operator changed, with a commitment to who they say they are. For who connects as the owner: no API role may call it.';
revoke execute on function private.record_operator_event(uuid, text, jsonb, text)
  from public, anon, authenticated, service_role;
