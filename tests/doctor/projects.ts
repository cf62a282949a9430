/** Projects as the doctor may find them: with things of their own, with old trouble, adopted, with a schedule. */
import type postgres from "postgres";
import { FILE, file, OBJECT, TENANT, WITHOUT_TRIGGERS } from "./rows.ts";

/** What a project may have, and is none of the doctor's business. */
export const HARMLESS = [
  "create policy avatars on storage.objects for select using (bucket_id = 'avatars')",
  "create policy rooms on realtime.messages for select using ((select realtime.topic()) like 'room:%')",
  "create policy list on storage.buckets for select using (true)",
  "create table public.invoices (id integer)",
  "grant all on public.invoices to anon",
  "alter table public.media_attachments add column note text",
  "update auth.users set raw_app_meta_data = '{}' where email like 'citizen@m%'",
  WITHOUT_TRIGGERS,
  file({ status: "'failed'", last_error: "'type_mismatch'" }),
];

/** What went wrong eight days ago and cannot be mended: told, but no longer as wrong. */
export const LONG_AGO = [
  WITHOUT_TRIGGERS,
  file({
    status: "'failed'",
    last_error: "'media_not_found'",
    created_at: "now() - interval '8 days'",
  }),
  OBJECT.replaceAll(FILE, FILE.replace(/1$/, "2")),
  "update storage.objects set created_at = now() - interval '8 days'",
];

/** A file that Storage lost. */
export const LOST = [
  `select private.record_system_event('${TENANT}', 'received', '{"bucket": "evidence", "filename": "photo.jpg", "file_size": 1}', '${FILE}')`,
  WITHOUT_TRIGGERS,
  file({ status: "'stored'", file_size: "1", stored_at: "now()" }),
];

/** An adopted table: its own columns, constraints, policies, triggers and grants stand on tickets. */
export const ADOPTED = [
  "insert into private.adoption values ('table tickets', '{}')",
  "alter table public.tickets add column case_number text",
  "alter table public.tickets alter status drop not null",
  "alter table public.tickets drop constraint tickets_status_check",
  "create policy clerks on public.tickets for select using (true)",
  "grant delete on public.tickets to authenticated",
];

/** pg_cron, pg_net and Vault as far as the doctor asks them, well set up. */
export async function setUpSchedule(sql: postgres.Sql, url: string, key: string): Promise<void> {
  await sql.unsafe(`
    create schema cron;
    create table cron.job (jobid bigint, schedule text, command text, nodename text, nodeport integer, database text,
      username text, active boolean, jobname text);
    create table cron.job_run_details (jobid bigint, runid bigint, job_pid integer, database text, username text,
      command text, status text, return_message text, start_time timestamptz, end_time timestamptz);
    create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql security definer as
    'insert into cron.job (jobid, jobname, schedule, command, active) values (2, $1, $2, $3, true) returning jobid';
    create function cron.alter_job(
      job_id bigint, schedule text default null, command text default null, database text default null,
      username text default null, active boolean default null
    ) returns void language sql security definer as
    'update cron.job j set active = coalesce($6, j.active) where j.jobid = $1';
    create schema net;
    create table net.http_request_queue (id bigint);
    create table net._http_response (id bigint, status_code integer, timed_out boolean, error_msg text, created timestamptz);
    insert into net._http_response (id, status_code) values (1, 202);
    insert into private.media_worker_calls (request_id, called_at) values (1, now() - interval '1 minute');
    create schema vault;
    create table vault.secrets (name text, secret text);
    create function vault.opened(secret text) returns text language plpgsql as $$
    begin
      if secret = 'of another root key' then raise exception using errcode = '22000', message = 'pgsodium_crypto_aead_det_decrypt_by_id: invalid ciphertext'; end if;
      return secret;
    end $$;
    create view vault.decrypted_secrets as select name, vault.opened(secret) as decrypted_secret from vault.secrets;
    grant usage on schema cron, net, vault to postgres;
    grant select on cron.job to postgres;
    grant select on all tables in schema net to postgres;
    insert into cron.job (jobid, schedule, command, active, jobname)
    values (1, '* * * * *', 'select private.call_media_worker()', true, 'media-worker');
    insert into cron.job_run_details (jobid, runid, status, start_time) values (1, 1, 'succeeded', now());
  `);
  await sql`insert into vault.secrets values
    ('media_worker_url', ${`${url}/functions/v1/media-worker`}), ('media_worker_key', ${key})`;
}
