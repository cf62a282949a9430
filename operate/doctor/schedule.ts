/** Whether pg_cron calls the media worker, and with a key that is let in. */
import type postgres from "postgres";
import { authHeaders } from "../../shared/platform/project.ts";
import type { Finding, Outcome } from "./findings.ts";

/** Minutes without a run that has succeeded; one is begun each minute. */
const SILENT = 5;

/** Whether a key is a secret key of the project at `url`: it may read a table that users may not. */
export async function isSecretKey(url: string, key: string): Promise<boolean> {
  const response = await fetch(`${url}/rest/v1/inbound_messages?select=message_sid&limit=0`, {
    headers: authHeaders({ url, key }),
    signal: AbortSignal.timeout(30_000),
  });
  await response.body?.cancel();
  if (response.status >= 500) throw new Error(`the Data API answered ${response.status}`);
  return response.ok;
}

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
      select coalesce(round(extract(epoch from now() - max(d.start_time) filter (where d.status = 'succeeded')) / 60), -1)::integer as minutes
      from cron.job_run_details d
      where d.jobid = ${job.jobid} and d.start_time > now() - interval '1 day'`;
    const { minutes } = last!;
    if (minutes < 0) {
      findings.push({ problem: "schedule_failing", found: "no run of media-worker succeeded within a day" });
    } else if (minutes > SILENT) {
      findings.push({
        problem: "schedule_failing",
        found: `the last good run of media-worker is ${minutes} min ago`,
      });
    }
  }
  if (!has!.net) findings.push({ problem: "net_missing", found: "the extension pg_net is not here" });

  const secrets = new Map(
    has!.vault
      ? (await sql`
        select name, decrypted_secret from vault.decrypted_secrets
        where name in ('media_worker_url', 'media_worker_key')`).map((
        row,
      ) => [row.name, row.decrypted_secret])
      : [],
  );
  const [workerUrl, workerKey] = [secrets.get("media_worker_url"), secrets.get("media_worker_key")];
  for (const [name, value] of Object.entries({ media_worker_url: workerUrl, media_worker_key: workerKey })) {
    if (!value) findings.push({ problem: "vault_secret_missing", found: `Vault has no ${name}` });
  }
  if (workerUrl && workerUrl !== `${url}/functions/v1/media-worker`) {
    findings.push({
      problem: "vault_url_wrong",
      found: "media_worker_url in Vault is not this project's media-worker",
    });
  }
  if (workerKey && !await isSecretKey(url, workerKey)) {
    findings.push({
      problem: "vault_key_refused",
      found: "media_worker_key in Vault is no secret key of this project",
    });
  }
  return { found: "each minute, by pg_cron, with a key that is let in", findings };
}
