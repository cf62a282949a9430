/** Every mistake that the doctor names and that can be made by SQL: how it is made, and what he says to it. */
import type postgres from "postgres";
import type { Problem } from "../../operate/doctor/findings.ts";

export interface Mistake {
  /** Statements; each array is one way to make it. */
  ways: string[][];
  /** A part of what is said, one for each way, or one for all. */
  says: string[];
  /** What may follow from it. */
  also?: Problem[];
  /** Cannot be made beside the others. */
  alone?: true;
}

/** Mbombela, of supabase/seed.sql. */
const TENANT = "a1b0de1a-0000-4000-8000-000000000001";
export const FILE = "0d0c704e-0000-4000-8000-000000000001";
/** As a superuser may, past triggers and foreign keys. */
export const WITHOUT_TRIGGERS = "set local session_replication_role = replica";
const day = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "_");

/** A file's row; `fields` are further columns and their values. */
export function file(fields: Record<string, string>): string {
  const all = {
    file_id: `'${FILE}'`,
    tenant_id: `'${TENANT}'`,
    bucket: "'evidence'",
    path: `'${TENANT}/${FILE}/photo.jpg'`,
    filename: "'photo.jpg'",
    content_type: "'image/jpeg'",
    purpose: "'evidence'",
    next_attempt_at: "null",
    ...fields,
  };
  return `insert into public.media_attachments (${Object.keys(all).join()}) values (${
    Object.values(all).join()
  })`;
}
/** A GBV report, its two tokens sealed with the key of this id. */
export function message(sealedWith: string): string {
  return `select public.record_inbound_message('SM${"0".repeat(32)}', 'sms', '+27130000002', '{${
    "x".repeat(20)
  }}', 'text',
    'gAAAAA', '[]', encrypted_description => 'gAAAAA', sealed_with => '${sealedWith}')`;
}
const OBJECT = `insert into storage.objects (bucket_id, name, version)
  values ('evidence', '${TENANT}/${FILE}/photo.jpg', '1')`;

export const MISTAKES: Partial<Record<Problem, Mistake>> = {
  check_failed: {
    ways: [["drop function public.verify_custody(uuid, bigint, text)"]],
    says: ["could not be found out: PostgresError 42883"],
    also: ["function_missing"],
    alone: true,
  },
  migration_missing: {
    ways: [["delete from supabase_migrations.schema_migrations where version = '20261123090750'"]],
    says: ["20261123090750_media_backlog.sql was not pushed"],
  },
  table_missing: {
    ways: [["drop table public.whatsapp_numbers cascade"]],
    says: ["table public.whatsapp_numbers is missing"],
    also: ["check_failed"],
    alone: true,
  },
  rls_off: {
    ways: [
      ["alter table public.tickets disable row level security"],
      ["alter table storage.objects disable row level security"],
      ["alter table realtime.messages disable row level security"],
    ],
    says: ["off on public.tickets", "off on storage.objects", "off on realtime.messages"],
  },
  column_changed: {
    ways: [
      ["alter table public.tickets alter is_sensitive drop not null"],
      ["alter table public.tickets alter category set statistics 100"],
    ],
    says: ['column "is_sensitive" on public.tickets', 'column "category" on public.tickets'],
  },
  constraint_changed: {
    ways: [["alter table public.media_attachments drop constraint media_attachments_failed_check"]],
    says: ['constraint "media_attachments_failed_check"'],
  },
  index_changed: {
    ways: [["drop index public.media_attachments_due_moves_idx"]],
    says: ['index "media_attachments_due_moves_idx"'],
  },
  view_changed: {
    ways: [["alter view public.media_backlog reset (security_invoker)"]],
    says: ["view public.media_backlog is not as"],
  },
  policy_missing: {
    ways: [
      ['drop policy "evidence: no user deletes a file" on storage.objects'],
      ['drop policy "municipality topics: no client sends" on realtime.messages'],
      ['drop policy "a sensitive ticket is for police liaison and admins" on public.tickets'],
    ],
    says: ["no user deletes a file", "no client sends", "a sensitive ticket is for"],
  },
  policy_changed: {
    ways: [
      ['alter policy "admins see their municipality\'s numbers" on public.whatsapp_numbers using (true)'],
      ['alter policy "everybody signed in reads their own municipality" on public.municipalities to anon'],
    ],
    says: ["admins see their municipality's numbers", "reads their own municipality"],
  },
  policy_extra: {
    ways: [
      ["create policy everybody on public.media_attachments for select to anon using (true)"],
      ["create policy everybody on storage.objects for select using (true)"],
      ["create policy everybody on storage.objects for select using (bucket_id = 'gbv-evidence')"],
      ["create policy everybody on storage.buckets for update using (true)"],
      ["create policy everybody on realtime.messages for insert with check (true)"],
    ],
    says: [
      'policy "everybody" on public.media_attachments',
      'policy "everybody" on storage.objects',
      'policy "everybody" on storage.objects',
      'policy "everybody" on storage.buckets',
      'policy "everybody" on realtime.messages',
    ],
  },
  trigger_missing: {
    ways: [
      ["drop trigger evidence_landed on storage.objects"],
      ["drop trigger evidence_guard on storage.objects"],
      ["drop trigger tickets_announce_update on public.tickets"],
    ],
    says: [
      'trigger "evidence_landed" on storage.objects is missing',
      'trigger "evidence_guard" on storage.objects is missing',
      'trigger "tickets_announce_update" on public.tickets is missing',
    ],
  },
  trigger_changed: {
    ways: [
      ["alter table storage.objects disable trigger evidence_guard"],
      ["alter table storage.objects disable trigger evidence_landed"],
      ["alter table public.custody_records enable replica trigger custody_records_append_only"],
    ],
    says: [
      'trigger "evidence_guard" on storage.objects',
      'trigger "evidence_landed" on storage.objects',
      'trigger "custody_records_append_only"',
    ],
  },
  trigger_extra: {
    ways: [
      [
        "create trigger mine before update on public.tickets for each row execute function suppress_redundant_updates_trigger()",
      ],
      ["create trigger mine before insert on storage.objects for each row execute function private.refuse_change()"],
    ],
    says: ['trigger "mine" on public.tickets is not ours', 'trigger "mine" on storage.objects is not ours'],
  },
  function_missing: {
    ways: [["drop function private.call_media_worker()"]],
    says: ["function private.call_media_worker() is missing"],
  },
  function_changed: {
    ways: [
      [
        "create or replace function private.caller_sees_sensitive() returns boolean language sql stable parallel safe set search_path = '' as 'select true'",
      ],
      ["alter function public.open_evidence(jsonb, text, integer) security definer"],
      ["alter function private.caller_tenant() reset search_path"],
    ],
    says: ["private.caller_sees_sensitive()", "public.open_evidence(", "private.caller_tenant()"],
  },
  grant_missing: {
    ways: [["revoke select on public.tickets from authenticated"]],
    says: ["grant SELECT to authenticated on public.tickets is missing"],
  },
  grant_extra: {
    ways: [
      ["grant select on public.inbound_messages to anon"],
      ["grant execute on function public.claim_media_work(integer) to anon"],
      ["grant update (sha256) on public.media_attachments to authenticated"],
      ["grant execute on function private.call_media_worker() to public"],
      ["grant create on schema private to authenticated"],
    ],
    says: [
      "SELECT to anon on public.inbound_messages",
      "EXECUTE to anon on public.claim_media_work(integer)",
      "UPDATE (sha256) to authenticated on public.media_attachments",
      "EXECUTE to public on private.call_media_worker()",
      "CREATE to authenticated on schema private",
    ],
  },
  role_changed: {
    ways: [["alter role authenticated bypassrls"], ["grant service_role to anon"]],
    says: ["role authenticated: bypasses row-level security", "role anon: is service_role too"],
  },
  bucket_missing: {
    ways: [[
      "set local storage.allow_delete_query = 'true'",
      "delete from storage.buckets where id = 'documents'",
    ]],
    says: ["there is no bucket documents"],
  },
  bucket_public: {
    ways: [[WITHOUT_TRIGGERS, "update storage.buckets set public = true where id = 'gbv-evidence'"]],
    says: ["gbv-evidence is public"],
  },
  bucket_versioned: {
    ways: [[
      WITHOUT_TRIGGERS,
      "set local role supabase_storage_admin",
      "alter table storage.buckets drop constraint buckets_versioning_dark_check",
      "reset role",
      "update storage.buckets set versioning_status = 'ENABLED' where id = 'evidence'",
    ]],
    says: ["evidence keeps versions of its files"],
    alone: true,
  },
  bucket_limits: {
    ways: [
      ["update storage.buckets set file_size_limit = null where id = 'evidence'"],
      ["update storage.buckets set allowed_mime_types = null where id = 'evidence'"],
      ["update storage.buckets set allowed_mime_types = allowed_mime_types || 'text/html'::text where id = 'evidence'"],
    ],
    says: ["evidence accepts other sizes or types"],
  },
  object_missing: {
    ways: [[
      WITHOUT_TRIGGERS,
      file({ status: "'stored'", file_size: "1", stored_at: "now()" }),
    ]],
    says: ["1 stored files have no object"],
    also: ["custody_tampered"],
    alone: true,
  },
  record_missing: {
    ways: [[WITHOUT_TRIGGERS, OBJECT.replaceAll(FILE, FILE.replace(/1$/, "2"))]],
    says: ["1 objects in our buckets have no record"],
  },
  schedule_missing: {
    ways: [["delete from cron.job"]],
    says: ["pg_cron has no job media-worker"],
    alone: true,
  },
  schedule_inactive: {
    ways: [["update cron.job set active = false"]],
    says: ["switched off"],
    alone: true,
  },
  schedule_failing: {
    ways: [
      ["update cron.job_run_details set status = 'failed'"],
      ["update cron.job_run_details set start_time = now() - interval '1 hour'"],
      ["delete from cron.job_run_details"],
      ["update net._http_response set status_code = 503"],
      ["update net._http_response set status_code = null, timed_out = true"],
      ["delete from net._http_response"],
    ],
    says: [
      "no run of media-worker succeeded",
      "the last good run of media-worker is 60 min ago",
      "has not run within a day: just after the first deploy that is well",
      "media-worker answered 503 to the last calls",
      "media-worker answered nothing within 5 s to the last calls",
      "pg_net has not sent the last calls",
    ],
  },
  net_missing: { ways: [["drop table net.http_request_queue"]], says: ["pg_net is not here"] },
  vault_secret_missing: {
    ways: [
      ["delete from vault.secrets where name = 'media_worker_key'"],
      ["delete from vault.secrets where name = 'media_worker_url'"],
      ["update vault.secrets set secret = 'of another root key' where name = 'media_worker_key'"],
    ],
    says: [
      "Vault has no media_worker_key",
      "Vault has no media_worker_url",
      "media_worker_key in Vault cannot be opened",
    ],
    alone: true,
  },
  vault_url_wrong: {
    ways: [[
      "update vault.secrets set secret = 'https://another.invalid/' where name = 'media_worker_url'",
    ]],
    says: ["is not this project's media-worker"],
  },
  vault_key_refused: {
    ways: [[
      "update net._http_response set status_code = 401",
    ]],
    says: ["media-worker refuses media_worker_key"],
    alone: true,
  },
  work_overdue: {
    ways: [
      [WITHOUT_TRIGGERS, file({ next_attempt_at: "now() - interval '1 hour'" })],
      [
        WITHOUT_TRIGGERS,
        "update public.tickets set updated_at = now() - interval '1 hour' where category = 'gbv'",
        file({
          next_attempt_at: "'-infinity'",
          status: "'stored'",
          file_size: "1",
          stored_at: "now()",
          is_sensitive: "true",
          ticket_id: `(select id from public.tickets where category = 'gbv' and tenant_id = '${TENANT}')`,
        }),
        OBJECT,
      ],
    ],
    says: ["1 due, the oldest for 60 min"],
    also: ["custody_tampered", "move_missing"],
    alone: true,
  },
  counts_differ: {
    ways: [
      [`insert into private.ticket_count_changes (tenant_id, is_sensitive, status, change) values ('${TENANT}', false, 'open', 1)`],
      [
        WITHOUT_TRIGGERS,
        `update public.tickets set status = 'resolved' where tenant_id = '${TENANT}' and status = 'open'`,
      ],
    ],
    says: ["counts are not those of the tickets"],
    alone: true,
  },
  sensitivity_differs: {
    ways: [[
      WITHOUT_TRIGGERS,
      file({
        ticket_id: `(select id from public.tickets where category = 'gbv' and tenant_id = '${TENANT}')`,
      }),
    ]],
    says: ["1 files are not marked as their ticket is"],
    alone: true,
  },
  move_missing: {
    ways: [[
      WITHOUT_TRIGGERS,
      file({
        next_attempt_at: "null",
        status: "'stored'",
        file_size: "1",
        stored_at: "now()",
        is_sensitive: "true",
        ticket_id: `(select id from public.tickets where category = 'gbv' and tenant_id = '${TENANT}')`,
      }),
      OBJECT,
    ]],
    says: ["1 files of sensitive tickets are not in gbv-evidence"],
    also: ["custody_tampered"],
    alone: true,
  },
  files_failed: {
    ways: [
      [WITHOUT_TRIGGERS, file({ status: "'failed'", last_error: "'media_refused'" })],
      // one that came long ago, tried again and failed now
      [
        `select private.record_system_event('${TENANT}', 'failed', '{}', '${FILE}')`,
        WITHOUT_TRIGGERS,
        file({ status: "'failed'", last_error: "'media_refused'", created_at: "now() - interval '1 year'" }),
      ],
    ],
    says: ["within 7 days: 1 media_refused"],
  },
  sealed_key_lost: {
    ways: [[message("deadbeef")]],
    says: ["2 sealed with key deadbeef, which is neither current nor previous"],
  },
  sealed_unopened: {
    ways: [[
      message("deadbeef"),
      "update public.inbound_messages set sealed_with = 'unopened'",
      "update public.tickets set sealed_with = 'unopened' where sealed_with is not null",
    ]],
    says: ["2 that no key opened: SM00000000000000000000000000000000, ticket "],
    alone: true,
  },
  partition_missing: {
    ways: [
      [`drop table realtime.messages_${day(0)}`],
      [
        `do $$ declare p regclass; begin for p in select inhrelid::regclass from pg_inherits
         where inhparent = 'realtime.messages'::regclass loop execute format('drop table %s', p); end loop; end $$`,
      ],
    ],
    says: ["no partition for today", "nobody has joined a channel yet"],
    alone: true,
  },
  partition_tomorrow_missing: {
    ways: [[`drop table realtime.messages_${day(1)}`]],
    says: ["no partition for tomorrow"],
  },
  publication_missing: {
    ways: [["drop publication supabase_realtime_messages_publication"]],
    says: ["in no publication"],
  },
  table_published: {
    ways: [["alter publication supabase_realtime add table public.tickets"]],
    says: ["supabase_realtime publishes tickets"],
  },
  municipalities_none: {
    ways: [[WITHOUT_TRIGGERS, "delete from public.whatsapp_numbers", "delete from public.municipalities"]],
    says: ["there is no municipality"],
    also: ["user_municipality"],
    alone: true,
  },
  numbers_none: {
    ways: [["delete from public.whatsapp_numbers"]],
    says: ["no municipality has a number"],
    alone: true,
  },
  number_orphan: {
    ways: [[
      WITHOUT_TRIGGERS,
      "insert into public.whatsapp_numbers (number, tenant_id) values ('+27999', gen_random_uuid())",
    ]],
    says: ["1 numbers belong to no municipality"],
  },
  user_municipality: {
    ways: [
      ["update auth.users set raw_app_meta_data = raw_app_meta_data - 'tenant_id' where email like 'admin@m%'"],
      [
        "update auth.users set raw_app_meta_data = raw_app_meta_data || '{\"tenant_id\": \"mbombela\"}' where email like 'admin@m%'",
      ],
    ],
    says: ["1 users have a role, but no municipality"],
  },
  user_role: {
    ways: [[
      "update auth.users set raw_app_meta_data = raw_app_meta_data || '{\"role\": \"superadmin\"}' where email like 'manager@m%'",
    ]],
    says: ["1 users have no role that is known"],
  },
  custody_unsealed: {
    ways: [[
      `select private.record_system_event('${TENANT}', 'received', '{}', '${FILE}')`,
      WITHOUT_TRIGGERS,
      "update public.custody_records r set recorded_at = now() - interval '6 minutes'",
      "update public.custody_records r set hash = private.custody_hash(r)",
    ]],
    says: ["1 records have waited more than 5 minutes to be sealed"],
    alone: true,
  },
  custody_tampered: {
    ways: [[
      `select private.record_system_event('${TENANT}', 'received', '{}', '${FILE}')`,
      `select private.seal_custody('${TENANT}')`,
      WITHOUT_TRIGGERS,
      "update public.custody_records set event = 'certified'",
    ]],
    says: ["record 1: this record was changed"],
  },
};

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
