/** What the doctor can find, and what to do about each: tests/doctor makes every one of these mistakes. */

const RUNBOOK = "docs/runbook.md";
const SCHEMA = `${RUNBOOK}#the-schema-was-changed`;

/** By name: what to do, where the finding itself does not know better. */
export const PROBLEMS = {
  // asking
  database_unreachable:
    "set SUPABASE_DB_URL (Dashboard → Connect → Session pooler); nothing in the database was checked",
  check_failed:
    "fix the other findings, then run it again; connect as postgres, which may read what every check needs",
  clock_differs: "set this machine's clock (Supabase keeps the database's), then run it again",
  // functions
  upload_url: `${RUNBOOK}#a-function-does-not-answer`,
  signed_url: `${RUNBOOK}#a-function-does-not-answer`,
  open_report: `${RUNBOOK}#a-function-does-not-answer`,
  twilio_media: `${RUNBOOK}#a-function-does-not-answer`,
  media_worker: `${RUNBOOK}#a-function-does-not-answer`,
  secret_missing:
    "put it into .env.production (README, Configuration), then npm run deploy -- --project-ref YOUR_PROJECT",
  secrets_unknown: "SUPABASE_ACCESS_TOKEN must be a token of somebody who may see this project's secrets",
  key_refused: "give a secret key of this project: Dashboard → Project Settings → API keys",
  // schema
  migration_missing: "npm run deploy -- --project-ref YOUR_PROJECT",
  table_missing: `npm run deploy -- --project-ref YOUR_PROJECT; if its migrations are up to date: ${SCHEMA}`,
  rls_off: `Supabase support, urgently: hosted lets nobody else switch it (${SCHEMA})`,
  column_changed: SCHEMA,
  constraint_changed: SCHEMA,
  index_changed: SCHEMA,
  view_changed: SCHEMA,
  policy_missing: SCHEMA,
  policy_changed: SCHEMA,
  policy_extra: SCHEMA,
  trigger_missing: SCHEMA,
  trigger_changed: SCHEMA,
  trigger_extra: SCHEMA,
  function_missing: SCHEMA,
  function_changed: SCHEMA,
  grant_missing: SCHEMA,
  grant_extra: SCHEMA,
  role_changed: `${RUNBOOK}#keys-leaked: somebody gave an API role more than it has`,
  private_exposed: "Dashboard → Project Settings → Data API: take `private` out of the exposed schemas",
  // Storage
  bucket_missing: `${RUNBOOK}#a-bucket-was-changed`,
  bucket_public: `${RUNBOOK}#a-bucket-was-changed, at once: everybody can read its files`,
  bucket_versioned: `${RUNBOOK}#a-bucket-was-changed`,
  bucket_limits: `${RUNBOOK}#a-bucket-was-changed`,
  object_missing: `${RUNBOOK}#restoring-a-backup`,
  record_missing: `${RUNBOOK}#restoring-a-backup`,
  sensitivity_differs:
    "update public.media_attachments set is_sensitive = not is_sensitive where ticket_id is not null and is_sensitive is distinct from (bucket = 'gbv-evidence' or exists (select from public.tickets t where t.id = ticket_id and t.is_sensitive)); -- a trigger sets it right",
  counts_differ:
    "select private.recount_tickets(); -- if it comes back, find out what writes tickets with triggers off",
  move_missing: `${RUNBOOK}#the-schedule-stopped`,
  // schedule and work
  schedule_missing:
    "select cron.schedule('media-worker', '* * * * *', 'select private.call_media_worker()');",
  schedule_inactive:
    "select cron.alter_job(jobid, active => true) from cron.job where jobname = 'media-worker';",
  schedule_failing: `${RUNBOOK}#the-schedule-stopped`,
  net_missing: "create extension pg_net with schema extensions;",
  vault_secret_missing: "npm run deploy puts both into Vault; or select vault.create_secret(VALUE, NAME)",
  vault_url_wrong: `${RUNBOOK}#the-schedule-stopped`,
  vault_key_refused: "npm run deploy puts MEDIA_WORKER_KEY into the functions and into Vault",
  work_overdue: `${RUNBOOK}#the-schedule-stopped`,
  files_failed:
    `select * from public.media_backlog where situation = 'failed'; then ${RUNBOOK}#files-missing`,
  keys_untold: "give ENCRYPTION_KEY_CURRENT, and _PREVIOUS if there is one, as the functions have them",
  sealed_key_lost: `${RUNBOOK}#sealed-texts-that-no-key-opens`,
  sealed_unopened: `${RUNBOOK}#sealed-texts-that-no-key-opens`,
  // Realtime
  partition_missing: `${RUNBOOK}#realtime-is-silent`,
  partition_tomorrow_missing: `${RUNBOOK}#realtime-is-silent`,
  publication_missing: `${RUNBOOK}#realtime-is-silent`,
  table_published: "alter publication supabase_realtime drop table …;",
  // who is who
  municipalities_none: 'npm run numbers -- municipality add SLUG --name "…"',
  numbers_none: "npm run numbers -- add NUMBER --municipality SLUG; until then messages get 404",
  number_orphan: `${RUNBOOK}#restoring-a-backup`,
  user_municipality: `${RUNBOOK}#a-user-sees-nothing`,
  user_role: `${RUNBOOK}#a-user-sees-nothing`,
  // custody
  custody_unsealed: `${RUNBOOK}#the-schedule-stopped`,
  custody_tampered: `${RUNBOOK}#verify_custody-found-something`,
} as const satisfies Record<string, string>;

export type Problem = keyof typeof PROBLEMS;

/** One thing that is not as it should be. Names no secret, number or file. */
export interface Finding {
  problem: Problem;
  found: string;
  /** Default: what PROBLEMS says. */
  todo?: string;
  /** It could not be checked, rather than being wrong. */
  unknown?: boolean;
}

/** What one check saw: `found` where all is well. */
export interface Outcome {
  found: string;
  findings: Finding[];
}

/** One line of the report. */
export interface Line {
  check: string;
  result: "ok" | "WRONG" | "UNKNOWN";
  found: string;
  problem?: Problem;
  todo?: string;
}

/** A check's lines: one that says it is well, or one a finding. */
export function linesOf(check: string, { found, findings }: Outcome): Line[] {
  if (findings.length === 0) return [{ check, result: "ok", found }];
  return findings.map((finding) => ({
    check,
    result: finding.unknown ? "UNKNOWN" : "WRONG",
    found: finding.found,
    problem: finding.problem,
    todo: finding.todo ?? PROBLEMS[finding.problem],
  }));
}
