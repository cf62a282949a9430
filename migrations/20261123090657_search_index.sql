-- What a search looks in. Without a pending list, which every search would read to its end. Built once the words are there, and alone
-- in its file, which the CLI then runs outside a transaction: CONCURRENTLY, so that no write of a ticket waits.
create index concurrently if not exists ticket_words_idx on private.ticket_words using gin (words) with (fastupdate = off);
