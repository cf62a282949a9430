/** Every mistake that the doctor names and that can be made by SQL: how it is made, and what he says to it. */
import type { Problem } from "../../operate/doctor/findings.ts";
import { ROWS } from "./mistakes-rows.ts";
import { WITHOUT_TRIGGERS } from "./rows.ts";

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

/** In the schema and the platform. */
const SCHEMA: Partial<Record<Problem, Mistake>> = {
  check_failed: {
    ways: [["drop function public.verify_custody(uuid, bigint, text)"]],
    says: ["could not be checked: PostgresError 42883"],
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
};

export const MISTAKES: Partial<Record<Problem, Mistake>> = { ...SCHEMA, ...ROWS };
