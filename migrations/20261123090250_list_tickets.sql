-- Lists of tickets, read along an index whatever filter they have. Of a plain query the planner, which knows nothing of the columns,
-- now and then sorts the municipality.

set local lock_timeout = '5s';

-- enable_…: see above. (The ids, and the rows of a few statuses, are sorted all the same: there is no other way.)
create function public.list_tickets(
  sort text default 'updated_at',
  status text[] default null,
  category text[] default null,
  severity text[] default null,
  sensitive boolean default null,
  since timestamptz default null,
  number text default null,
  ids uuid[] default null,
  after_time timestamptz default null,
  after_id uuid default null,
  page_size integer default 50
)
  returns jsonb
  language plpgsql stable
  set search_path = ''
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_sort = off
  set jit = off -- which a sort that is turned off would seem worth
as $$
declare
  -- Row-level security applies to all that is read here. Each statement is planned for its values: what is NULL falls away.
  page constant text := format(
    'select t.id, t.tenant_id, t.tracking_number, t.category, t.severity, t.status, t.is_sensitive, t.description, t.created_at,
      t.updated_at, t.last_message_at, t.last_read_at
    from public.tickets t
    where t.tenant_id = $1
      and ($3 is null
        or ($2 is null and ((t.%1$I is null and t.id > $3) or t.%1$I is not null))
        or (t.%1$I <= $2 and (t.%1$I < $2 or t.id > $3)))
      and ($6 is null or t.category::text = any ($6)) and ($7 is null or t.severity::text = any ($7)) and %2$s
      and ($8 is null or t.created_at >= $8)',
    coalesce(sort, ''), case when sensitive then 't.is_sensitive' when not sensitive then 'not t.is_sensitive' else 'true' end
  );
  ordered constant text := format(' order by t.%1$I desc, t.id limit $4', coalesce(sort, ''));
  any_status constant text := ' and ($5 is null or t.status::text = any ($5))';
  rows_of text;
  tickets jsonb;
begin
  if sort is null or sort not in ('updated_at', 'created_at') or page_size is null or page_size not between 1 and 1000
    or cardinality(ids) > 1000
  then
    raise exception using errcode = 'PT400', message = 'invalid_request',
      detail = 'sort: updated_at or created_at; page_size: 1 to 1000; ids: at most 1000';
  end if;
  -- `offset 0`: looked up one by one, and not looked for in all the municipality's
  rows_of := case
    when ids is not null then
      'select t.* from unnest($9) i (id) cross join lateral (' || page || any_status || ' and t.id = i.id offset 0) t'
    when number is not null then
      'select t.* from (' || page || any_status || ' and t.tracking_number = $10 offset 0) t'
    when not private.caller_is_staff() then
      'select t.* from (' || page || any_status || ' and t.reporter_id = (select auth.uid()) offset 0) t'
    -- the latest of each status: there is an index that has them
    when sort = 'updated_at' and cardinality(status) between 1 and 8 then
      'select t.* from (select distinct unnest($5)) s (status) cross join lateral ('
        || page || ' and t.status::text = s.status' || ordered || ') t'
    else page || any_status
  end;
  execute format('select coalesce(jsonb_agg(to_jsonb(t)), ''[]'') from (%s) t', rows_of || ordered) into tickets
  using private.caller_tenant(), after_time, after_id, page_size, status, category, severity, since, ids, number;
  return jsonb_build_object('tickets', tickets, 'next', case
    when jsonb_array_length(tickets) = page_size then jsonb_build_object('time', tickets -> -1 -> sort, 'id', tickets -> -1 -> 'id')
  end);
end
$$;
comment on function public.list_tickets(
  text, text[], text[], text[], boolean, timestamptz, text, uuid[], timestamptz, uuid, integer
) is
  'Tickets that the caller may read, newest first by sort (updated_at or created_at), narrowed by the filters, to a whole number or to ids: {tickets, next}. The next page is after_time and after_id of next, until that is null. A page costs the same wherever it is, and however many tickets there are, unless hardly any has what category, severity and since ask for. Raises PT400.';

revoke execute on function public.list_tickets(text, text[], text[], text[], boolean, timestamptz, text, uuid[], timestamptz, uuid, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.list_tickets(text, text[], text[], text[], boolean, timestamptz, text, uuid[], timestamptz, uuid, integer)
  to authenticated;
