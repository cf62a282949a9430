-- Checkpoints: the size and root of a custody log, signed with a key that the database never sees, and time-stamped outside.
-- Whoever keeps one can show later that the log was rewritten, by a superuser too. The media worker makes them.

select private.lock_tables('{}');

create table if not exists public.custody_keys (
  key_id text primary key check (key_id ~ '^[0-9a-f]{8}$'),
  name text not null,
  public_key text not null,
  valid_from timestamptz not null default now(),
  valid_until timestamptz
);
comment on table public.custody_keys is 'Public keys of checkpoints (Ed25519, 32 bytes in base64), and from when to when each signed.';
comment on column public.custody_keys.key_id is 'The key id of a signed note (C2SP), 4 bytes in hex.';

create table if not exists public.custody_checkpoints (
  tenant_id uuid not null references public.municipalities (id),
  size bigint not null check (size > 0),
  root text not null check (root ~ '^[0-9a-f]{64}$'),
  note text not null,
  key_id text not null references public.custody_keys (key_id),
  created_at timestamptz not null default now(),
  primary key (tenant_id, size)
);
create index if not exists custody_checkpoints_key_idx on public.custody_checkpoints (key_id);
comment on table public.custody_checkpoints is 'Signed heads of each municipality''s custody log, hourly when there is something new and after each certificate. Never changed.';
comment on column public.custody_checkpoints.note is 'The checkpoint as a signed note: origin, size, root, signature (C2SP tlog-checkpoint).';

create table if not exists public.custody_timestamps (
  tenant_id uuid not null,
  size bigint not null,
  authority text not null,
  token text,
  stamped_at timestamptz,
  attempts smallint not null default 0,
  next_attempt_at timestamptz default now(),
  last_error text,
  primary key (tenant_id, size, authority),
  foreign key (tenant_id, size) references public.custody_checkpoints (tenant_id, size),
  check ((token is null) = (stamped_at is null))
);
create index if not exists custody_timestamps_due_idx on public.custody_timestamps (next_attempt_at) where next_attempt_at is not null;
comment on table public.custody_timestamps is 'RFC 3161 time stamps of checkpoints, one for each authority asked; the row is the job until the token is here.';
comment on column public.custody_timestamps.token is 'TimeStampToken (DER, base64) over the SHA-256 of the checkpoint''s note.';
comment on column public.custody_timestamps.stamped_at is 'The time that the authority states.';

alter table public.custody_keys enable row level security;
alter table public.custody_checkpoints enable row level security;
alter table public.custody_timestamps enable row level security;

create policy "everybody signed in reads the public keys" on public.custody_keys for select to authenticated using (true);
create policy "police liaison and admins read checkpoints" on public.custody_checkpoints
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()), false) is not null);
create policy "police liaison and admins read time stamps" on public.custody_timestamps
  for select to authenticated
  using (nullif(tenant_id = (select private.caller_tenant()) and (select private.caller_sees_sensitive()), false) is not null);
create policy "checkpoints: police liaison and admins only, whatever other policies there are" on public.custody_checkpoints
  as restrictive for all to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(current_user = 'authenticated' and (select private.caller_sees_sensitive()), false) is not null
  );
create policy "time stamps: police liaison and admins only, whatever other policies there are" on public.custody_timestamps
  as restrictive for all to public
  using (
    tenant_id = (select private.caller_tenant())
    and nullif(current_user = 'authenticated' and (select private.caller_sees_sensitive()), false) is not null
  );

revoke all on public.custody_keys, public.custody_checkpoints, public.custody_timestamps from anon, authenticated, service_role;
grant select on public.custody_keys, public.custody_checkpoints, public.custody_timestamps to authenticated, service_role;

create or replace trigger custody_checkpoints_append_only
  before update or delete or truncate on public.custody_checkpoints
  for each statement execute function private.refuse_change();
create or replace trigger custody_keys_kept
  before delete or truncate on public.custody_keys
  for each statement execute function private.refuse_change();
create or replace trigger custody_timestamps_kept
  before delete or truncate on public.custody_timestamps
  for each statement execute function private.refuse_change();
create or replace trigger custody_timestamps_append_only
  before update on public.custody_timestamps
  for each row when (old.token is not null)
  execute function private.refuse_change();

-- SECURITY DEFINER, in all that follow: no API role writes checkpoints or reads the logs' heads.
create function public.due_custody_checkpoint()
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('municipality_id', l.tenant_id, 'size', l.size, 'root', encode(l.root, 'hex'))
    from private.custody_logs l
    left join lateral (
      select c.size, c.created_at from public.custody_checkpoints c
      where c.tenant_id = l.tenant_id order by c.size desc limit 1
    ) last on true
    where l.size > coalesce(last.size, 0)
      and (last.size is null or l.checkpoint_wanted or last.created_at < now() - interval '1 hour')
    order by l.checkpoint_wanted desc, last.created_at nulls first
    limit 1
  );
end
$$;
comment on function public.due_custody_checkpoint() is
  'A log whose head is to be signed: {municipality_id, size, root}; NULL when none is. An hour after the last checkpoint, or at once after a certificate.';
revoke execute on function public.due_custody_checkpoint() from public, anon, authenticated, service_role;
grant execute on function public.due_custody_checkpoint() to service_role;

create function public.add_custody_checkpoint(
  municipality_id uuid, size bigint, root text, note text, key_id text, key_name text, public_key text,
  authorities text[] default '{}'
)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if size > private.custody_size(municipality_id) or root is distinct from private.custody_root(municipality_id, size) then
    raise exception using errcode = 'PT409', message = 'internal', detail = 'the log has no such head';
  end if;
  insert into public.custody_keys as k (key_id, name, public_key)
  values (add_custody_checkpoint.key_id, key_name, add_custody_checkpoint.public_key)
  on conflict on constraint custody_keys_pkey do nothing;
  if found then
    update public.custody_keys k set valid_until = now()
    where k.key_id <> add_custody_checkpoint.key_id and k.valid_until is null;
  end if;
  insert into public.custody_checkpoints (tenant_id, size, root, note, key_id)
  values (
    municipality_id, add_custody_checkpoint.size, add_custody_checkpoint.root, add_custody_checkpoint.note,
    add_custody_checkpoint.key_id
  )
  on conflict on constraint custody_checkpoints_pkey do nothing;
  if found then
    insert into public.custody_timestamps (tenant_id, size, authority)
    select distinct municipality_id, add_custody_checkpoint.size, a.url from unnest(authorities) a (url);
  end if;
  update private.custody_logs l set checkpoint_wanted = false
  where l.tenant_id = municipality_id and l.checkpoint_wanted and l.size = add_custody_checkpoint.size;
end
$$;
comment on function public.add_custody_checkpoint(uuid, bigint, text, text, text, text, text, text[]) is
  'Keeps a signed checkpoint, its public key, and which authorities are to stamp it. A key not seen before ends the validity of the one before. Raises PT409 for a root that is not the log''s.';
revoke execute on function public.add_custody_checkpoint(uuid, bigint, text, text, text, text, text, text[])
  from public, anon, authenticated, service_role;
grant execute on function public.add_custody_checkpoint(uuid, bigint, text, text, text, text, text, text[]) to service_role;

create function public.claim_custody_timestamp(lease_seconds integer default 60)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  stamp public.custody_timestamps;
begin
  select t.* into stamp from public.custody_timestamps t
  where t.next_attempt_at <= now() order by t.next_attempt_at limit 1
  for no key update skip locked;
  if not found then
    return null;
  end if;
  update public.custody_timestamps t
  set attempts = least(t.attempts + 1, 1000), next_attempt_at = now() + make_interval(secs => lease_seconds)
  where (t.tenant_id, t.size, t.authority) = (stamp.tenant_id, stamp.size, stamp.authority);
  return jsonb_build_object(
    'municipality_id', stamp.tenant_id, 'size', stamp.size, 'authority', stamp.authority,
    'note', (select c.note from public.custody_checkpoints c where c.tenant_id = stamp.tenant_id and c.size = stamp.size)
  );
end
$$;
comment on function public.claim_custody_timestamp(integer) is
  'A time stamp that is due, for lease_seconds the caller''s alone: {municipality_id, size, authority, note}; NULL when none is.';
revoke execute on function public.claim_custody_timestamp(integer) from public, anon, authenticated, service_role;
grant execute on function public.claim_custody_timestamp(integer) to service_role;

create function public.complete_custody_timestamp(
  municipality_id uuid, size bigint, authority text, token text default null, stamped_at timestamptz default null, reason text default null
)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  update public.custody_timestamps t
  set token = complete_custody_timestamp.token, stamped_at = complete_custody_timestamp.stamped_at, last_error = reason,
    -- tried for weeks: a stamp that comes late still says that the log was there by then
    next_attempt_at = case
      when complete_custody_timestamp.token is null and t.attempts < 50 then now() + private.retry_delay(t.attempts)
    end
  where t.tenant_id = municipality_id and t.size = complete_custody_timestamp.size
    and t.authority = complete_custody_timestamp.authority and t.token is null;
end
$$;
comment on function public.complete_custody_timestamp(uuid, bigint, text, text, timestamptz, text) is
  'The token that an authority gave, or why it gave none: then it is asked again after a growing delay.';
revoke execute on function public.complete_custody_timestamp(uuid, bigint, text, text, timestamptz, text)
  from public, anon, authenticated, service_role;
grant execute on function public.complete_custody_timestamp(uuid, bigint, text, text, timestamptz, text) to service_role;
