-- The schedule: pg_cron calls the media worker each minute through pg_net, with the key from Vault. npm run deploy puts two secrets
-- there (or Dashboard → Vault, or select vault.create_secret(value, name)):
--   media_worker_url   https://YOUR_PROJECT.supabase.co/functions/v1/media-worker
--   media_worker_key   the functions' MEDIA_WORKER_KEY: it starts a round and can do nothing else
-- If the extensions are missing, something else must POST to that URL each minute with the key as `apikey`.

select private.lock_tables('{}');

create table if not exists private.media_worker_calls (
  request_id bigint primary key,
  called_at timestamptz not null default now()
);
comment on table private.media_worker_calls is
  'The schedule''s calls of the last hour, by their id at pg_net: net._http_response has each result, pg_cron has not.';
alter table private.media_worker_calls enable row level security;
create policy "nobody reads the schedule's calls" on private.media_worker_calls as restrictive for all to public using (false);
revoke all on private.media_worker_calls from public, anon, authenticated, service_role;

create function private.call_media_worker()
  returns void
  language plpgsql volatile security definer -- reads the key, which nobody else may
  set search_path = ''
as $$
declare
  url text;
  key text;
begin
  -- pg_cron keeps every run forever: half a million rows a year
  if extract(minute from now()) = 0 then
    delete from cron.job_run_details d
    using cron.job j
    where j.jobid = d.jobid and j.jobname = 'media-worker' and d.start_time < now() - interval '7 days';
  end if;
  select s.decrypted_secret into url from vault.decrypted_secrets s where s.name = 'media_worker_url';
  select s.decrypted_secret into key from vault.decrypted_secrets s where s.name = 'media_worker_key';
  if url is null or key is null then
    raise warning 'the media worker is not called: put media_worker_url and media_worker_key into Vault';
    return;
  end if;
  delete from private.media_worker_calls c where c.called_at < now() - interval '1 hour';
  insert into private.media_worker_calls (request_id)
  select net.http_post(
    url => url, body => '{}'::jsonb,
    headers => jsonb_build_object('content-type', 'application/json', 'apikey', key),
    -- it answers at once and works on; pg_net sends no other call until it has
    timeout_milliseconds => 5000
  );
end
$$;
comment on function private.call_media_worker() is
  'Calls the media worker, which alone knows whether anything is due (it has the encryption keys), and cleans up after pg_cron. pg_cron runs it each minute.';
revoke execute on function private.call_media_worker() from public, anon, authenticated, service_role;

do $$
begin
  if (select count(*) from pg_catalog.pg_available_extensions where name in ('pg_cron', 'pg_net')) < 2 then
    raise notice 'pg_cron and pg_net are not here: call the media-worker function each minute in another way, by POST with MEDIA_WORKER_KEY as apikey.';
    return;
  end if;
  create extension if not exists pg_cron with schema pg_catalog;
  create extension if not exists pg_net with schema extensions;
  perform cron.schedule('media-worker', '* * * * *', 'select private.call_media_worker()');
exception
  when others then
    raise warning 'the schedule could not be set up: %. Call the media-worker function each minute in another way.', sqlerrm;
end
$$;
