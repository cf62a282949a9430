-- The schedule: pg_cron calls the media worker each minute through pg_net, with the key from Vault. Two secrets name it
-- (Dashboard → Vault, or select vault.create_secret(value, name)):
--   media_worker_url   https://YOUR_PROJECT.supabase.co/functions/v1/media-worker
--   media_worker_key   a secret key, sb_secret_…
-- Where the extensions are missing, something else must POST to that URL each minute with the key as `apikey`.

create function private.call_media_worker()
  returns void
  language plpgsql volatile security definer -- reads the key, which nobody else may
  set search_path = ''
as $$
declare
  url text;
  key text;
begin
  -- nothing due costs one look at an index
  if not exists (select 1 from public.media_attachments m where m.next_attempt_at <= now()) then
    return;
  end if;
  select s.decrypted_secret into url from vault.decrypted_secrets s where s.name = 'media_worker_url';
  select s.decrypted_secret into key from vault.decrypted_secrets s where s.name = 'media_worker_key';
  if url is null or key is null then
    raise warning 'the media worker is not called: put media_worker_url and media_worker_key into Vault';
    return;
  end if;
  perform net.http_post(
    url => url, body => '{}'::jsonb,
    headers => jsonb_build_object('content-type', 'application/json', 'apikey', key),
    timeout_milliseconds => 150000 -- a round takes a minute and what the last file takes
  );
end
$$;
comment on function private.call_media_worker() is 'Calls the media worker if anything is due. pg_cron runs it each minute.';
revoke execute on function private.call_media_worker() from public, anon, authenticated, service_role;

do $$
begin
  if (select count(*) from pg_catalog.pg_available_extensions where name in ('pg_cron', 'pg_net')) < 2 then
    raise notice 'pg_cron and pg_net are not here: call the media-worker function each minute in another way, by POST with a secret key as apikey.';
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
