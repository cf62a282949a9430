-- An index whose building was interrupted is there and never used: every search would read all words.
do $$
begin
  if exists (select from pg_catalog.pg_index i where i.indexrelid = 'private.ticket_words_idx'::regclass and not i.indisvalid) then
    raise exception 'an index was not built to its end: private.ticket_words_idx. Run `set statement_timeout = 0` and `reindex index concurrently private.ticket_words_idx`, then push again.';
  end if;
end
$$;
