/** The schedule of the media worker: pg_cron calls it each minute, with its URL and key from Vault. */
import type postgres from "postgres";
import { PROBLEMS } from "../doctor/findings.ts";

/** What was found and done; `todo` where the schedule does not run yet. */
export interface ScheduleResult {
  done: string;
  todo?: string;
}

/** Creates or updates the two secrets in Vault, and the job where it is missing. Can be run again. */
export async function setSchedule(
  sql: postgres.Sql,
  workerUrl: string,
  key: string,
): Promise<ScheduleResult> {
  const otherwise =
    `or have something else POST to ${workerUrl} each minute, with MEDIA_WORKER_KEY as apikey`;
  const [has] = await sql`
    select to_regclass('vault.decrypted_secrets') is not null as vault, to_regclass('cron.job') is not null as cron,
      to_regnamespace('net') is not null as net`;
  if (!has!.vault) {
    return {
      done: "not set: Vault is not installed",
      todo: `Enable it (Dashboard → Integrations → Vault) and run this again; ${otherwise}.`,
    };
  }
  const url = await keepSecret(sql, "media_worker_url", workerUrl, "Where pg_cron calls the media worker");
  const secret = await keepSecret(
    sql,
    "media_worker_key",
    key,
    "MEDIA_WORKER_KEY, which lets pg_cron call the media worker",
  );
  const done = `URL ${url}, key ${secret}`;
  const missing = [...has!.cron ? [] : ["pg_cron"], ...has!.net ? [] : ["pg_net"]];
  if (missing.length > 0) {
    return {
      done: `${done}; ${missing.join(" and ")} not installed`,
      todo: `Enable ${
        missing.join(" and ")
      } (Dashboard → Database → Extensions) and run this again; ${otherwise}.`,
    };
  }
  const [job] = await sql`select active from cron.job where jobname = 'media-worker'`;
  if (!job) {
    await sql`select cron.schedule('media-worker', '* * * * *', 'select private.call_media_worker()')`;
    return { done: `${done}, job made` };
  }
  if (job.active) return { done: `${done}, job active` };
  return {
    done: `${done}, job switched off`,
    todo: `Somebody switched it off. Switch it on again: ${PROBLEMS.schedule_inactive}`,
  };
}

async function keepSecret(
  sql: postgres.Sql,
  name: string,
  value: string,
  description: string,
): Promise<string> {
  const known = await secretOf(sql, name);
  if (!known) {
    // one that is there and cannot be opened (a restored project has another root key) cannot be updated either
    await sql`delete from vault.secrets where name = ${name}`;
    await sql`select vault.create_secret(${value}, ${name}, ${description})`;
    return "created";
  }
  if (known.decrypted_secret === value) return "unchanged";
  await sql`select vault.update_secret(${known.id}, ${value})`;
  return "updated";
}

/** A secret of Vault's, or undefined where there is none that can be opened. */
async function secretOf(
  sql: postgres.Sql,
  name: string,
): Promise<{ id: string; decrypted_secret: string } | undefined> {
  try {
    const [row] = await sql<{ id: string; decrypted_secret: string }[]>`
      select id, decrypted_secret from vault.decrypted_secrets where name = ${name}`;
    return row;
  } catch (error) {
    if ((error as { code?: string }).code === "42501") throw error;
    return undefined;
  }
}
