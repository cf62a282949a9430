-- The certificate: what an officer certifies of one file, with proofs that it is what the log has. It costs the same at any
-- size of the log.

select private.lock_tables('{}');

-- Who signed which certificate. The log has a commitment to it; the name can be destroyed without touching the log.
create table if not exists private.custody_signers (
  commitment text primary key,
  tenant_id uuid not null references public.municipalities (id),
  salt bytea not null,
  name text,
  office text
);
create index if not exists custody_signers_tenant_idx on private.custody_signers (tenant_id);
comment on table private.custody_signers is 'Names given when certificates and bundles were made and people or numbers changed, by the commitment in the record.';
alter table private.custody_signers enable row level security;
create policy "nobody reads the signers" on private.custody_signers for all to public using (false);
revoke all on private.custody_signers from public, anon, authenticated, service_role;

create function private.certificate_wording(office_of text)
  returns jsonb
  language plpgsql immutable
  set search_path = ''
as $$
begin
  -- The only place that names sections of law. NOT YET REVIEWED BY A LAWYER: see docs/custody.md, "Law".
  return case office_of
    when 'municipality' then jsonb_build_object(
      'purpose', 'Facts for certification under section 15(4) of the Electronic Communications and Transactions Act 25 of 2002',
      'declaration', 'I certify that this is a correct printout of the records that the municipality made of this file in the ordinary course of business, and that I am an officer in its service.'
    )
    when 'saps' then jsonb_build_object(
      'purpose', 'Facts on the integrity of a data message, for section 15(3) of the Electronic Communications and Transactions Act 25 of 2002',
      'declaration', 'I received this printout from the municipality''s records of this file, compared the SHA-256 of the copy in my possession with the one printed here, and found it to be as I have noted below.'
    )
  end;
end
$$;
comment on function private.certificate_wording(text) is 'What a certificate says it is for, and what its signer declares: for an officer of the municipality, or of SAPS.';
revoke execute on function private.certificate_wording(text) from public, anon, authenticated, service_role;
grant execute on function private.certificate_wording(text) to authenticated;

-- SECURITY DEFINER: no API role writes names of signers.
create function private.record_certificate(file public.media_attachments, signer_name text, signer_office text)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  salt constant bytea := uuid_send(gen_random_uuid());
  commitment text;
begin
  if signer_name is not null or signer_office is not null then
    commitment := private.commitment(salt, concat_ws(E'\n', coalesce(signer_name, ''), coalesce(signer_office, '')));
    insert into private.custody_signers values (commitment, file.tenant_id, salt, signer_name, signer_office);
  end if;
  perform private.record_user_event(
    file.tenant_id, 'certified', jsonb_build_object('signer_commitment', commitment), file.file_id
  );
end
$$;
comment on function private.record_certificate(public.media_attachments, text, text) is
  'Records that the caller issued a certificate, with a commitment to who is to sign it. Refuses a file of another municipality than the caller''s.';
revoke execute on function private.record_certificate(public.media_attachments, text, text) from public, anon, authenticated, service_role;
grant execute on function private.record_certificate(public.media_attachments, text, text) to authenticated;

create function private.certificate_of(
  file public.media_attachments, wording text, signer_name text default null, signer_office text default null
)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  told record;
  log_size bigint;
  fault jsonb;
  stamped public.custody_checkpoints;
begin
  log_size := private.custody_size(file.tenant_id);
  select r.* into told from private.recorded_file(file.file_id) r;
  select jsonb_build_object('seq', f.seq, 'problem', f.problem) into fault from (
    select r.seq, 'this record was changed' as problem from public.custody_records r
    where r.file_id = file.file_id and r.hash <> private.custody_hash(r)
    union all
    select p.seq, p.problem from private.file_fault(file) p
    union all
    select a.fault_seq, a.fault from (
      select * from public.custody_audits b
      where b.tenant_id = file.tenant_id and (b.finished_at is not null or b.fault is not null)
      order by b.started_at desc limit 1
    ) a where a.fault is not null
  ) f limit 1;
  select c.* into stamped from public.custody_checkpoints c where c.tenant_id = file.tenant_id order by c.size desc limit 1;
  return jsonb_build_object(
    'format', 'custody-certificate/1',
    'wording', private.certificate_wording(certificate_of.wording),
    'file', jsonb_build_object(
      -- as the records say, which cannot be changed without a trace
      'file_id', file.file_id, 'sha256', told.sha256, 'file_size', told.file_size,
      'content_type', told.content_type, 'bucket', told.bucket, 'received_at', told.received_at,
      -- as the row says, and the records commit to
      'filename', file.filename, 'path', file.path, 'salt', encode(file.custody_salt, 'hex'),
      'declared_sha256', file.declared_sha256, 'source', file.source, 'status', file.status,
      'message_sid', file.message_sid, 'media_index', file.media_index, 'stored_at', file.stored_at
    ),
    'municipality', (select to_jsonb(m) - 'created_at' from public.municipalities m where m.id = file.tenant_id),
    'tracking_number', (select t.tracking_number from public.tickets t where t.id = file.ticket_id),
    'records', (
      select jsonb_agg(
        to_jsonb(r) - 'tenant_id' - 'file_id'
          || jsonb_build_object('leaf', private.custody_leaf(r), 'proof', private.inclusion_path(r.tenant_id, r.seq, log_size))
        order by r.recorded_at, r.id
      )
      from public.custody_records r where r.file_id = file.file_id
    ),
    'log', jsonb_build_object(
      'size', log_size, 'root', private.custody_root(file.tenant_id, log_size), 'intact', fault is null, 'first_fault', fault,
      'audited_at', (
        select max(a.finished_at) from public.custody_audits a where a.tenant_id = file.tenant_id
      )
    ),
    'checkpoint', case when stamped.size is not null then jsonb_build_object(
      'size', stamped.size, 'root', stamped.root, 'note', stamped.note, 'created_at', stamped.created_at,
      'consistency', private.consistency_path(file.tenant_id, stamped.size, log_size),
      'key', (select to_jsonb(k) from public.custody_keys k where k.key_id = stamped.key_id),
      'timestamps', (
        select coalesce(jsonb_agg(jsonb_build_object('authority', t.authority, 'stamped_at', t.stamped_at, 'token', t.token)), '[]')
        from public.custody_timestamps t
        where t.tenant_id = stamped.tenant_id and t.size = stamped.size and t.token is not null
      )
    ) end,
    'issued_at', now(),
    'issued_by', jsonb_build_object(
      'user_id', (select auth.uid()), 'role', case when (select auth.uid()) is not null then private.caller_role() end,
      'name', nullif(signer_name, ''), 'office', nullif(signer_office, '')
    )
  );
end
$$;
comment on function private.certificate_of(public.media_attachments, text, text, text) is 'A certificate as it would be now; records nothing.';
revoke execute on function private.certificate_of(public.media_attachments, text, text, text) from public, anon, authenticated, service_role;
grant execute on function private.certificate_of(public.media_attachments, text, text, text) to authenticated;

create function public.custody_certificate(
  file_id uuid, signer_name text default null, signer_office text default null, wording text default null
)
  returns jsonb
  language plpgsql volatile
  set search_path = ''
as $$
declare
  file public.media_attachments;
begin
  if not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  -- row-level security: what may not be read does not exist
  select m.* into file from public.media_attachments m where m.file_id = custody_certificate.file_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  wording := coalesce(wording, case private.caller_role() when 'saps_liaison' then 'saps' else 'municipality' end);
  if wording not in ('municipality', 'saps') or length(signer_name) > 200 or length(signer_office) > 200 then
    raise exception using errcode = 'PT400', message = 'invalid_request',
      detail = 'wording: municipality or saps; signer_name, signer_office: at most 200 characters';
  end if;
  perform private.record_certificate(file, nullif(signer_name, ''), nullif(signer_office, ''));
  -- last, since it holds the log until the commit
  perform private.seal_custody(file.tenant_id, file.file_id);
  -- a later snapshot than this statement's: it sees what was just recorded
  return private.certificate_of(file, wording, signer_name, signer_office);
end
$$;
comment on function public.custody_certificate(uuid, text, text, text) is
  'All that an officer certifies of a file: what it is by its records, its SHA-256, every record with its proof, the log''s size and root, and the last signed checkpoint with its time stamps. signer_name and signer_office: who is to sign. wording: municipality or saps, by the caller''s role if not given. For admins and police liaison; issuing it is recorded.';
revoke execute on function public.custody_certificate(uuid, text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.custody_certificate(uuid, text, text, text) to authenticated;
