/** Whether pg_cron calls the media worker, and what the worker answers. */
import type postgres from "postgres";
import { type Finding, type Outcome, PROBLEMS } from "./findings.ts";

/** Minutes without a run that has succeeded; one is begun each minute. */
const SILENT = 5;

/** The job, its last runs, the two secrets in Vault. `url` is the project's. */
export async function schedule(sql: postgres.TransactionSql, url: string): Promise<Outcome> {
  const [has] = await sql`
    select to_regclass('cron.job') is not null as cron, to_regclass('net.http_request_queue') is not null as net,
      to_regclass('vault.decrypted_secrets') is not null as vault`;
  if (!has!.cron) {
    return {
      found:
        'pg_cron is not here: something else must call the worker each minute; "due work" says whether it does',
      findings: [],
    };
  }
  const findings: Finding[] = [];
  const [job] = await sql`
    select jobid, active from cron.job where jobname = 'media-worker' and command like '%private.call_media_worker()%'`;
  if (!job) findings.push({ problem: "schedule_missing", found: "pg_cron has no job media-worker" });
  else if (!job.active) {
    findings.push({ problem: "schedule_inactive", found: "pg_cron's job media-worker is switched off" });
  } else {
    const [last] = await sql`
      select coalesce(round(extract(epoch from now() - max(d.start_time) filter (where d.status = 'succeeded')) / 60), -1)::integer as minutes,
        count(*)::integer as runs
      from cron.job_run_details d
      where d.jobid = ${job.jobid} and d.start_time > now() - interval '1 day'`;
    const { minutes, runs } = last!;
    if (runs === 0) {
      findings.push({
        problem: "schedule_failing",
        found: "media-worker has not run within a day: just after the first deploy that is well",
        todo: `run it again in two minutes; if it says the same: ${PROBLEMS.schedule_failing}`,
        unknown: true,
      });
    } else if (minutes < 0) {
      findings.push({ problem: "schedule_failing", found: "no run of media-worker succeeded within a day" });
    } else if (minutes > SILENT) {
      findings.push({
        problem: "schedule_failing",
        found: `the last good run of media-worker is ${minutes} min ago`,
      });
    }
  }
  if (!has!.net) findings.push({ problem: "net_missing", found: "the extension pg_net is not installed" });

  for (const name of ["media_worker_url", "media_worker_key"]) {
    const value = has!.vault ? await secretOf(sql, name) : undefined;
    if (value === "unreadable") {
      findings.push({
        problem: "vault_secret_missing",
        found: `${name} in Vault cannot be opened: it was sealed under another root key`,
      });
    } else if (!value) findings.push({ problem: "vault_secret_missing", found: `Vault has no ${name}` });
    else if (name === "media_worker_url" && value.text !== `${url}/functions/v1/media-worker`) {
      findings.push({
        problem: "vault_url_wrong",
        found: "media_worker_url in Vault is not this project's media-worker",
      });
    }
  }
  if (has!.net) findings.push(...await answers(sql));
  return { found: "each minute, by pg_cron, and the worker accepts it", findings };
}

/** A secret of Vault's; `unreadable` in a restored project, whose root key is another. */
async function secretOf(
  sql: postgres.TransactionSql,
  name: string,
): Promise<{ text: string } | "unreadable" | undefined> {
  try {
    const [row] = await sql.savepoint((inner) =>
      inner`select decrypted_secret as text from vault.decrypted_secrets where name = ${name}`
    );
    return row as unknown as { text: string } | undefined;
  } catch (error) {
    if ((error as { code?: string }).code === "42501") throw error;
    return "unreadable";
  }
}

/** What the worker answered to the last calls: pg_cron says "succeeded" whatever it was. */
async function answers(sql: postgres.TransactionSql): Promise<Finding[]> {
  const calls = await sql`
    select r.status_code as status, coalesce(r.timed_out, false) as timed_out, r.id is not null as answered
    from private.media_worker_calls c left join net._http_response r on r.id = c.request_id
    where c.called_at < now() - interval '30 seconds'
    order by c.called_at desc limit 5`;
  const [last] = calls;
  // one that came late, while a function started, is no fault
  if (!last || calls.some(({ status }) => status === 200 || status === 202)) return [];
  if (!last.answered) {
    return [{ problem: "schedule_failing", found: "pg_net has not sent the last calls of media-worker" }];
  }
  if (last.status === 401) {
    return [{ problem: "vault_key_refused", found: "media-worker refuses media_worker_key of Vault" }];
  }
  const found = last.status ?? (last.timed_out ? "nothing within 5 s" : "nothing at all");
  return [{ problem: "schedule_failing", found: `media-worker answered ${found} to the last calls` }];
}
