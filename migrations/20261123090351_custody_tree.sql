-- The tree of the custody log: sealing gives records their place in a Merkle tree (RFC 9162), one log per municipality. From then
-- on a record can be proved to be in the log, and the log to have only grown. docs/custody.md describes every byte.

-- Sealing --------------------------------------------------------------------------------------------------------------

-- Plans are pinned to index scans: the tables have no statistics on purpose, and a new one has none yet.
-- SECURITY DEFINER: no API role writes places or nodes. It takes no content from its caller.
create function private.seal_custody(tenant_id uuid, only_file uuid default null, batch integer default 5000)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  old_size bigint;
  new_size bigint;
  ids uuid[];
begin
  insert into private.custody_logs (tenant_id, size, root) values (seal_custody.tenant_id, 0, sha256(''))
  on conflict do nothing;
  if only_file is null then
    -- somebody else is sealing already
    select l.size into old_size from private.custody_logs l where l.tenant_id = seal_custody.tenant_id for update skip locked;
    if not found then
      return 0;
    end if;
    select array_agg(u.id order by u.recorded_at, u.id) into ids from (
      select r.id, r.recorded_at from public.custody_records r
      where r.tenant_id = seal_custody.tenant_id and r.seq is null
      order by r.recorded_at, r.id limit batch
    ) u;
  else
    select l.size into old_size from private.custody_logs l where l.tenant_id = seal_custody.tenant_id for update;
    select array_agg(r.id order by r.recorded_at, r.id) into ids from public.custody_records r
    where r.file_id = only_file and r.tenant_id = seal_custody.tenant_id and r.seq is null;
  end if;
  if ids is null then
    return 0;
  end if;
  new_size := old_size + cardinality(ids);
  update public.custody_records r set seq = old_size + u.n
  from unnest(ids) with ordinality u (id, n) where r.id = u.id;
  for height in 1..62 loop
    exit when new_size >> height = old_size >> height;
    if height = 1 then
      insert into private.custody_nodes (tenant_id, level, place, hash)
      select seal_custody.tenant_id, 1, (r.seq - 1) >> 1, sha256('\x01'::bytea || string_agg(decode(r.hash, 'hex'), ''::bytea order by r.seq))
      from public.custody_records r
      where r.tenant_id = seal_custody.tenant_id and r.seq > old_size >> 1 << 1 and r.seq <= new_size >> 1 << 1
      group by (r.seq - 1) >> 1;
    else
      insert into private.custody_nodes (tenant_id, level, place, hash)
      select seal_custody.tenant_id, height, n.place >> 1, sha256('\x01'::bytea || string_agg(n.hash, ''::bytea order by n.place))
      from private.custody_nodes n
      where n.tenant_id = seal_custody.tenant_id and n.level = height - 1
        and n.place >= old_size >> height << 1 and n.place < new_size >> height << 1
      group by n.place >> 1;
    end if;
  end loop;
  update private.custody_logs l
  set size = new_size, root = private.custody_range(l.tenant_id, 0, new_size), sealed_at = now(),
    checkpoint_wanted = l.checkpoint_wanted or only_file is not null
  where l.tenant_id = seal_custody.tenant_id;
  return cardinality(ids);
end
$$;
comment on function private.seal_custody(uuid, uuid, integer) is
  'Gives up to `batch` unsealed records of a municipality, or all of one file, their place in its log, and returns how many. One sealer at a time: a second one returns 0, or for one file waits.';
revoke execute on function private.seal_custody(uuid, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function private.seal_custody(uuid, uuid, integer) to authenticated; -- a certificate seals its file's records

-- SECURITY DEFINER: as private.seal_custody.
create function public.seal_custody(batch integer default 5000)
  returns integer
  language plpgsql volatile security definer
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  municipality uuid;
  sealed integer;
begin
  for municipality in
    select m.id from public.municipalities m
    where exists (select from public.custody_records r where r.tenant_id = m.id and r.seq is null)
    order by random()
  loop
    sealed := private.seal_custody(municipality, null, least(batch, 20000));
    if sealed > 0 then
      return sealed; -- one municipality a transaction: its lock is short
    end if;
  end loop;
  return 0;
end
$$;
comment on function public.seal_custody(integer) is 'Seals a batch of one municipality that has unsealed records. Returns how many; 0 when there is nothing to do.';
revoke execute on function public.seal_custody(integer) from public, anon, authenticated, service_role;
grant execute on function public.seal_custody(integer) to service_role;

-- Proofs ---------------------------------------------------------------------------------------------------------------

create or replace function private.custody_range(tenant_id uuid, low bigint, high bigint)
  returns bytea
  language plpgsql stable
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  parts bytea[] := '{}';
  position bigint := low;
  height integer;
  part bytea;
begin
  if low = high then
    return sha256('');
  end if;
  while position < high loop
    height := 0;
    while position + (2::bigint << height) <= high and height < 61 loop
      height := height + 1;
    end loop;
    if height = 0 then
      select decode(r.hash, 'hex') into part from public.custody_records r
      where r.tenant_id = custody_range.tenant_id and r.seq = position + 1;
    else
      select n.hash into part from private.custody_nodes n
      where n.tenant_id = custody_range.tenant_id and n.level = height and n.place = position >> height;
    end if;
    parts := parts || part;
    position := position + (1::bigint << height);
  end loop;
  part := parts[cardinality(parts)];
  for i in reverse cardinality(parts) - 1..1 loop
    part := sha256('\x01'::bytea || parts[i] || part);
  end loop;
  return part;
end
$$;
comment on function private.custody_range(uuid, bigint, bigint) is
  'MTH(D[low:high]) of RFC 9162, for ranges that its trees are made of: `low` is a multiple of the largest power of two that fits. One read a complete subtree. NULL where records or nodes are missing.';
revoke execute on function private.custody_range(uuid, bigint, bigint) from public, anon, authenticated, service_role;

-- SECURITY DEFINER: reads nodes, which no API role may. It reveals only hashes.
create or replace function private.custody_root(tenant_id uuid, size bigint)
  returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return encode(private.custody_range(tenant_id, 0, size), 'hex');
end
$$;
comment on function private.custody_root(uuid, bigint) is 'The root, hex, of a municipality''s log when it had so many records.';
revoke execute on function private.custody_root(uuid, bigint) from public, anon, authenticated, service_role;
grant execute on function private.custody_root(uuid, bigint) to authenticated, service_role;

-- SECURITY DEFINER: the head of a log is not readable otherwise.
create or replace function private.custody_size(tenant_id uuid)
  returns bigint
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return coalesce((select l.size from private.custody_logs l where l.tenant_id = custody_size.tenant_id), 0);
end
$$;
comment on function private.custody_size(uuid) is 'How many records of a municipality are sealed.';
revoke execute on function private.custody_size(uuid) from public, anon, authenticated, service_role;
grant execute on function private.custody_size(uuid) to authenticated, service_role;

-- SECURITY DEFINER: as custody_root.
create function private.inclusion_path(tenant_id uuid, seq bigint, size bigint)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  low bigint := 0;
  high bigint := size;
  half bigint;
  path text[] := '{}';
begin
  if seq is null or seq > size then
    return null;
  end if;
  while high - low > 1 loop
    half := private.largest_power_below(high - low);
    if seq - 1 < low + half then
      path := encode(private.custody_range(tenant_id, low + half, high), 'hex') || path;
      high := low + half;
    else
      path := encode(private.custody_range(tenant_id, low, low + half), 'hex') || path;
      low := low + half;
    end if;
  end loop;
  return to_jsonb(path);
end
$$;
comment on function private.inclusion_path(uuid, bigint, bigint) is 'PATH(seq - 1, D[size]) of RFC 9162: hashes, hex, from the leaf up. NULL if the record is not in a log of that size.';
revoke execute on function private.inclusion_path(uuid, bigint, bigint) from public, anon, authenticated, service_role;
grant execute on function private.inclusion_path(uuid, bigint, bigint) to authenticated, service_role;

-- SECURITY DEFINER: as custody_root.
create function private.consistency_path(tenant_id uuid, old_size bigint, size bigint)
  returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  low bigint := 0;
  high bigint := size;
  half bigint;
  whole boolean := true;
  path text[] := '{}';
begin
  if old_size not between 0 and size then
    return null;
  end if;
  if old_size = 0 then
    return '[]';
  end if;
  while old_size < high loop
    half := private.largest_power_below(high - low);
    if old_size <= low + half then
      path := encode(private.custody_range(tenant_id, low + half, high), 'hex') || path;
      high := low + half;
    else
      path := encode(private.custody_range(tenant_id, low, low + half), 'hex') || path;
      low := low + half;
      whole := false;
    end if;
  end loop;
  if not whole then
    path := encode(private.custody_range(tenant_id, low, high), 'hex') || path;
  end if;
  return to_jsonb(path);
end
$$;
comment on function private.consistency_path(uuid, bigint, bigint) is
  'PROOF(old_size, D[size]) of RFC 9162, hex. Empty for 0 and for equal sizes. NULL if the log never had that size.';
revoke execute on function private.consistency_path(uuid, bigint, bigint) from public, anon, authenticated, service_role;
grant execute on function private.consistency_path(uuid, bigint, bigint) to authenticated, service_role;

create or replace function private.largest_power_below(n bigint)
  returns bigint
  language plpgsql immutable
  set search_path = ''
as $$
declare
  power bigint := 1;
begin
  while power << 1 < n loop
    power := power << 1;
  end loop;
  return power;
end
$$;
comment on function private.largest_power_below(bigint) is 'The largest power of two smaller than n, where RFC 9162 splits a tree.';
revoke execute on function private.largest_power_below(bigint) from public, anon, authenticated, service_role;

create function public.custody_proof(file_id uuid, size bigint default null)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  tenant uuid;
  at_size bigint;
begin
  if (select auth.jwt()) ->> 'role' = 'authenticated' and not private.caller_sees_sensitive() then
    raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
  end if;
  -- row-level security: what may not be read does not exist
  select r.tenant_id into tenant from public.custody_records r where r.file_id = custody_proof.file_id limit 1;
  if not found then
    raise exception using errcode = 'PT404', message = 'not_found';
  end if;
  at_size := coalesce(size, private.custody_size(tenant));
  if at_size not between 0 and private.custody_size(tenant) then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'size: the log never had it';
  end if;
  return jsonb_build_object(
    'municipality_id', tenant, 'size', at_size, 'root', private.custody_root(tenant, at_size),
    'records', (
      select jsonb_agg(jsonb_build_object(
        'seq', r.seq, 'hash', r.hash, 'leaf', private.custody_leaf(r),
        'proof', private.inclusion_path(r.tenant_id, r.seq, at_size)
      ) order by r.recorded_at, r.id)
      from public.custody_records r where r.file_id = custody_proof.file_id
    )
  );
end
$$;
comment on function public.custody_proof(uuid, bigint) is
  'Every record of a file with its proof of inclusion in the log, at its present or a given earlier size: {municipality_id, size, root, records: [{seq, hash, leaf, proof}]}. proof is NULL for a record not in it yet. For admins and police liaison.';
revoke execute on function public.custody_proof(uuid, bigint) from public, anon, authenticated, service_role;
grant execute on function public.custody_proof(uuid, bigint) to authenticated, service_role;

create function public.custody_consistency(old_size bigint, size bigint default null, municipality_id uuid default null)
  returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  at_size bigint;
begin
  if (select auth.jwt()) ->> 'role' = 'authenticated' then
    if not private.caller_sees_sensitive() or private.caller_tenant() is null then
      raise exception using errcode = 'PT403', message = 'forbidden', detail = 'for admins and police liaison';
    end if;
    municipality_id := private.caller_tenant();
  end if;
  at_size := coalesce(size, private.custody_size(municipality_id));
  if old_size not between 0 and at_size or at_size > private.custody_size(municipality_id) then
    raise exception using errcode = 'PT400', message = 'invalid_request', detail = 'old_size, size: the log never had them';
  end if;
  return jsonb_build_object(
    'municipality_id', municipality_id,
    'old_size', old_size, 'old_root', private.custody_root(municipality_id, old_size),
    'size', at_size, 'root', private.custody_root(municipality_id, at_size),
    'proof', private.consistency_path(municipality_id, old_size, at_size)
  );
end
$$;
comment on function public.custody_consistency(bigint, bigint, uuid) is
  'Proof that the log only grew from old_size to size (now by default): {old_size, old_root, size, root, proof}. Users ask of their own municipality. For admins, police liaison and the service.';
revoke execute on function public.custody_consistency(bigint, bigint, uuid) from public, anon, authenticated, service_role;
grant execute on function public.custody_consistency(bigint, bigint, uuid) to authenticated, service_role;
