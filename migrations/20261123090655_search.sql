-- Search: the words of ordinary tickets, their messages and their numbers, in a table that nobody reads but the search itself. Of a
-- sensitive ticket there is the number alone, under keys of its own: who may not see it does not even pass by it.

select private.lock_tables('{public.tickets in share row exclusive mode, public.inbound_messages in share row exclusive mode}');

create table private.ticket_words (
  ticket_id uuid primary key references public.tickets (id) on update cascade on delete cascade,
  tenant_id uuid, -- NULL as in an adopted table, and with no words then
  words tsvector not null
);
-- As of all that tells of tickets the planner knows nothing: tests/database/estimates.test.ts.
alter table private.ticket_words
  alter column ticket_id set statistics 0,
  alter column tenant_id set statistics 0,
  alter column words set statistics 0;
comment on table private.ticket_words is
  'What a ticket is found by: the words of its number, its description and its messages, each behind a key of its municipality; of a sensitive ticket the number alone. Readable by nobody.';
comment on column private.ticket_words.words is
  'Keyed words (private.word_key); the first 2000 different ones, no places and no order.';
alter table private.ticket_words enable row level security;
create policy "nobody reads the words" on private.ticket_words as restrictive for all to public using (false);
revoke all on private.ticket_words from public, anon, authenticated, service_role;

-- Words --------------------------------------------------------------------------------------------------------------

-- No text search configuration: those take "Main/Church" for one word and "-20261123" for a number, and go by the database's
-- locale. This gives the same words everywhere, of every language that puts something between its words.
create function private.words_of(value text)
  returns text[]
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  folded text := left(value, 50000);
begin
  if not folded ~ '^[\u0001-~]*$' then
    -- letters without their accents, then those that have theirs within
    folded := translate(regexp_replace(normalize(folded, nfkd), '[\u0300-\u036f]+', '', 'g'), 'ØøŁłĐđĦħıŊŋ', 'OoLlDdHhiNn');
  end if;
  -- between words: all that is neither letter nor digit; beyond Latin, punctuation and pictures
  return array_remove(
    regexp_split_to_array(
      lower(folded),
      '[\u0001-/:-`{-\u00bf\u02b0-\u02ff\u2000-\u2bff\u2e00-\u2e7f\u3000-\u303f\ue000-\uf8ff\ufe00-\ufe6f\ufff0-\uffff\U0001f000-\U0001faff\U000e0000-\U0010ffff]+'
    ),
    ''
  );
end
$$;
comment on function private.words_of(text) is
  'The words of a text in their order, in small letters without accents: what is stored and what is searched for alike.';

-- With the municipality in the word, a search reads its own municipality's part of the index alone, also by a word's beginning.
create function private.word_key(tenant_id uuid, sensitive boolean)
  returns text
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  return case when sensitive then '1' else '0' end || left(encode(sha256(uuid_send(tenant_id)), 'base64'), 5);
end
$$;
comment on function private.word_key(uuid, boolean) is 'What the words of a municipality''s ordinary, or sensitive, tickets begin with in the index.';

create function private.keyed_words(tenant_id uuid, sensitive boolean, texts text[])
  returns tsvector
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  key constant text := private.word_key(tenant_id, sensitive);
begin
  return array_to_tsvector(array(
    select key || w.word
    from (
      select left(word, 40) as word, min(t.nr * 100000 + v.nr) as place
      from unnest(texts) with ordinality t (value, nr)
      cross join unnest(private.words_of(
        -- eMbombela, kwaZulu: isiZulu and its like put beginnings before a name, which is looked for by itself too
        t.value || case when t.value ~ '[a-z][A-Z]' then ' ' || regexp_replace(t.value, '[a-z]+([A-Z])', ' \1', 'g') else '' end
      )) with ordinality v (word, nr)
      group by 1
      order by 2
      limit 2000
    ) w
    where key is not null
  ));
end
$$;
comment on function private.keyed_words(uuid, boolean, text[]) is 'The first 2000 different words of these texts, as ticket_words has them; none without a municipality.';

create function private.current_words(tickets uuid[])
  returns table (ticket_id uuid, tenant_id uuid, words tsvector)
  language plpgsql stable
  set search_path = ''
as $$
begin
  return query
    select t.id, t.tenant_id, private.keyed_words(t.tenant_id, t.is_sensitive, case
      when t.is_sensitive then array[t.tracking_number::text]
      else array[t.tracking_number::text, t.description::text] || array(
        select concat_ws(' ', m.body, m.place) from public.inbound_messages m
        where m.tenant_id = t.tenant_id and m.ticket_id = t.id and m.kind <> 'opt_out'
        order by m.received_at
      )
    end)
    from unnest(tickets) c (id) join public.tickets t on t.id = c.id;
end
$$;
comment on function private.current_words(uuid[]) is 'What these tickets are to be found by: of a sensitive one its number alone, whatever words it has.';

create function private.note_words(tickets uuid[])
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  -- Always a row, locked if not written: the filling of the table (the next migration) passes by what is there.
  insert into private.ticket_words as w (ticket_id, tenant_id, words)
  select c.ticket_id, c.tenant_id, c.words from private.current_words(tickets) c
  on conflict (ticket_id) do update set tenant_id = excluded.tenant_id, words = excluded.words
  where (w.tenant_id, w.words) is distinct from (excluded.tenant_id, excluded.words);
end
$$;
comment on function private.note_words(uuid[]) is 'Notes what these tickets are to be found by from now on. Their rows are locked by who calls it.';

-- SECURITY DEFINER: who writes a ticket has no right to write words.
create function private.follow_ticket_words()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  changed uuid[];
begin
  if tg_op = 'INSERT' then
    select array_agg(n.id) into changed from new_rows n;
  else
    -- a full join, since it is never a nested loop, for which a plan made when there were few rows would settle
    select array_agg(n.id) into changed
    from old_rows o full join new_rows n on n.id = o.id
    where (o.id, o.tenant_id, o.is_sensitive) is distinct from (n.id, n.tenant_id, n.is_sensitive)
      or o.tracking_number::text is distinct from n.tracking_number::text
      or o.description::text is distinct from n.description::text;
  end if;
  if changed is not null then
    perform private.note_words(changed);
  end if;
  return null;
end
$$;
comment on function private.follow_ticket_words() is
  'Trigger: a ticket is found by the words it has now. One that turns sensitive loses them in the same statement.';
create trigger tickets_words_insert
  after insert on public.tickets referencing new table as new_rows
  for each statement execute function private.follow_ticket_words();
create trigger tickets_words_update
  after update on public.tickets referencing old table as old_rows new table as new_rows
  for each statement execute function private.follow_ticket_words();

-- SECURITY DEFINER: as follow_ticket_words.
create function private.follow_message_words()
  returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- Who moves a message locks its tickets after it: at the end of the transaction, and the tickets first, nobody waits in a circle.
  perform from public.tickets t
  where t.id = new.ticket_id or (tg_op = 'UPDATE' and t.id = old.ticket_id)
  order by t.id for no key update;
  if tg_op = 'INSERT' then
    update private.ticket_words w
    set words = w.words || private.keyed_words(w.tenant_id, false, array[concat_ws(' ', new.body, new.place)])
    from public.tickets t
    where w.ticket_id = new.ticket_id and t.id = w.ticket_id and t.tenant_id = w.tenant_id and not t.is_sensitive
      and length(w.words) < 2000;
    if found or exists (select from private.ticket_words w where w.ticket_id = new.ticket_id) then
      return null;
    end if;
  end if;
  perform private.note_words(array[new.ticket_id] || case when tg_op = 'UPDATE' then nullif(old.ticket_id, new.ticket_id) end);
  return null;
end
$$;
comment on function private.follow_message_words() is 'Trigger: a ticket is found by the words of the messages that are its own now.';
create constraint trigger messages_words_insert
  after insert on public.inbound_messages deferrable initially deferred
  for each row when (new.kind <> 'opt_out' and (new.body is not null or new.place is not null))
  execute function private.follow_message_words();
-- (Those of a ticket that turns sensitive lose their words with it.)
create constraint trigger messages_words_update
  after update on public.inbound_messages deferrable initially deferred
  for each row when (
    new.ticket_id is distinct from old.ticket_id
    or (not new.is_sensitive and (new.body, new.place) is distinct from (old.body, old.place))
  )
  execute function private.follow_message_words();

-- Searching ----------------------------------------------------------------------------------------------------------

-- SECURITY DEFINER: nobody may read the words; and the planner would use no index for them under row-level security. It applies the
-- rules itself, but never alone: search_tickets reads every ticket that it names, or asks about, as its caller.
create function private.matching_tickets(words text, sensitive boolean, among uuid[] default null)
  returns uuid[]
  language plpgsql stable security definer
  set search_path = ''
  set enable_bitmapscan = on -- which its caller has turned off
as $$
declare
  most constant integer := 10000;
  tenant constant uuid := private.caller_tenant();
  sees_sensitive constant boolean := private.caller_sees_sensitive();
  wanted constant text[] := (private.words_of(words))[:20];
  last constant integer := cardinality(wanted);
  query tsquery;
  hits uuid[];
begin
  select string_agg('(' || k.query || ')', ' | ')::tsquery into query
  from (
    select string_agg(
      quote_literal(private.word_key(tenant, kind) || left(w.word, 40)) || case when w.nr = last then ':*' else '' end, ' & '
    ) as query
    from unnest(array[false, true]) kind cross join unnest(wanted) with ordinality w (word, nr)
    where (kind = matching_tickets.sensitive or matching_tickets.sensitive is null) and (sees_sensitive or not kind)
    group by kind
  ) k;
  if query is null then
    return '{}';
  end if;
  if among is null and private.caller_is_staff() then
    select array_agg(w.ticket_id) into hits
    from (select w.ticket_id from private.ticket_words w where w.tenant_id = tenant and w.words @@ query limit most + 1) w;
    return case when cardinality(hits) > most then null else coalesce(hits, '{}') end;
  end if;
  -- offset 0: each by itself, not by way of the index, where common words have half of the tickets
  select array_agg(a.id) into hits
  from unnest(coalesce(
    among, array(select t.id from (select t.id from public.tickets t where t.reporter_id = (select auth.uid()) offset 0) t)
  )) a (id)
  cross join lateral (select w.tenant_id, w.words from private.ticket_words w where w.ticket_id = a.id offset 0) w
  where w.tenant_id = tenant and w.words @@ query;
  return coalesce(hits, '{}');
end
$$;
comment on function private.matching_tickets(text, boolean, uuid[]) is
  'Tickets of the caller''s municipality that have all these words, the last one perhaps only begun: among those given, else among all, or for a citizen their own; NULL where that is more than 10000 of all. Sensitive ones, by number, for those who may see them.';

-- enable_…: pages are read along the index of their order. The planner, which knows nothing, might sort all tickets for them.
create function public.search_tickets(
  words text,
  sort text default 'updated_at',
  status text[] default null,
  category text[] default null,
  severity text[] default null,
  sensitive boolean default null,
  since timestamptz default null,
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
  set jit = off -- which the last sort would seem worth
as $$
declare
  tenant constant uuid := private.caller_tenant();
  -- Row-level security applies to all that is read here: what it hides is not counted, and is no place to go on from.
  behind constant text := format(
    't.tenant_id = $1 and ($3 is null
      or ($2 is null and ((t.%1$I is null and t.id > $3) or t.%1$I is not null))
      or (t.%1$I <= $2 and (t.%1$I < $2 or t.id > $3)))', coalesce(sort, ''));
  wanted constant text := '($5 is null or t.status::text = any ($5)) and ($6 is null or t.category::text = any ($6))
    and ($7 is null or t.severity::text = any ($7)) and ($8 is null or t.is_sensitive = $8) and ($9 is null or t.created_at >= $9)';
  walk constant text := format(
    'select array_agg(t.id order by t.nr) filter (where %3$s), count(*) < $4,
      (array_agg(t.time order by t.nr desc))[1], (array_agg(t.id order by t.nr desc))[1]
    from (
      select t.*, row_number() over () as nr
      from (
        select t.id, t.%1$I as time, t.status, t.category, t.severity, t.is_sensitive, t.created_at
        from public.tickets t where %2$s order by t.%1$I desc, t.id limit $4
      ) t
    ) t', coalesce(sort, ''), behind, wanted);
  size integer;
  looked uuid[];
  is_all boolean;
  place_time timestamptz := after_time;
  place_id uuid := after_id;
  hits uuid[];
  found uuid[] := '{}';
  tickets jsonb;
begin
  if sort is null or sort not in ('updated_at', 'created_at') or page_size is null or page_size not between 1 and 100
    or cardinality(ids) > 1000
  then
    raise exception using errcode = 'PT400', message = 'invalid_request',
      detail = 'sort: updated_at or created_at; page_size: 1 to 100; ids: at most 1000';
  end if;

  -- A common word is found among the newest tickets, a rare one in the index. One that is neither is looked for in so many tickets,
  -- and the page says where to go on: no search takes long, however many there are.
  foreach size in array array[1000, 10000] loop
    if ids is not null or size > 1000 or not private.caller_is_staff() then
      hits := private.matching_tickets(words, sensitive, ids);
      if hits is not null then
        found := hits;
        is_all := true;
        exit;
      end if;
    end if;
    execute walk into looked, is_all, place_time, place_id
    using tenant, place_time, place_id, size, status, category, severity, sensitive, since;
    hits := private.matching_tickets(words, sensitive, coalesce(looked, '{}'));
    found := found || array(
      select l.id from unnest(looked) with ordinality l (id, nr) where l.id = any (hits)
      order by l.nr limit page_size - cardinality(found)
    );
    exit when is_all or cardinality(found) = page_size;
  end loop;

  execute format(
    'select coalesce(jsonb_agg(to_jsonb(t)), ''[]'')
    from (
      select t.* from unnest($10) f (id)
      cross join lateral (
        select t.id, t.tenant_id, t.tracking_number, t.category, t.severity, t.status, t.is_sensitive, t.description, t.created_at,
          t.updated_at, t.last_message_at, t.last_read_at
        from public.tickets t where t.id = f.id and %2$s and %3$s offset 0
      ) t
      order by t.%1$I desc, t.id limit $4
    ) t', sort, behind, wanted
  ) into tickets
  using tenant, after_time, after_id, page_size, status, category, severity, sensitive, since, found;
  return jsonb_build_object('tickets', tickets, 'next', case
    when jsonb_array_length(tickets) = page_size then jsonb_build_object('time', tickets -> -1 -> sort, 'id', tickets -> -1 -> 'id')
    when not is_all then jsonb_build_object('time', place_time, 'id', place_id)
  end);
end
$$;
comment on function public.search_tickets(
  text, text, text[], text[], text[], boolean, timestamptz, uuid[], timestamptz, uuid, integer
) is
  'Tickets with all these words in their number, description and messages, the last word perhaps only begun; of a sensitive ticket in its number alone. {tickets, next}: newest first by sort (updated_at or created_at), only what the caller may read, narrowed by the filters and to ids if given. The next page is after_time and after_id of next, until that is null; a page may be short, or empty, before. Raises PT400.';

revoke execute on function
  private.words_of(text),
  private.word_key(uuid, boolean),
  private.keyed_words(uuid, boolean, text[]),
  private.current_words(uuid[]),
  private.note_words(uuid[]),
  private.follow_ticket_words(),
  private.follow_message_words(),
  private.matching_tickets(text, boolean, uuid[]),
  public.search_tickets(text, text, text[], text[], text[], boolean, timestamptz, uuid[], timestamptz, uuid, integer)
  from public, anon, authenticated, service_role;
grant execute on function
  private.matching_tickets(text, boolean, uuid[]),
  public.search_tickets(text, text, text[], text[], text[], boolean, timestamptz, uuid[], timestamptz, uuid, integer)
  to authenticated;
