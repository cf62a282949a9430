/** Mistakes in what is stored, scheduled or set up: how each is made, and what the doctor says to it. */
import type { Problem } from "../../operate/doctor/findings.ts";
import type { Mistake } from "./mistakes.ts";
import { day, FILE, file, message, OBJECT, TENANT, WITHOUT_TRIGGERS } from "./rows.ts";

export const ROWS: Partial<Record<Problem, Mistake>> = {
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
  net_missing: { ways: [["drop table net.http_request_queue"]], says: ["pg_net is not installed"] },
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
    says: ["1 users have an unknown role, or none"],
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
