// The schedule on a real pg_cron: the job runs as its owner, calls the worker, and its history is cleaned. pg_net and Vault are pretended.
import { startSupabase } from "../../local/supabase.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { until } from "../support/functions.ts";

Deno.test({
  name: "pg_cron calls the worker within a minute, and what it ran more than a week ago is forgotten",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const supabase = await startSupabase({ functions: false });
    try {
      const superuser = supabase.connect("supabase_admin");
      const [has] =
        await superuser`select count(*)::integer as n from pg_available_extensions where name = 'pg_cron'`;
      if (has!.n === 0) {
        console.log(
          "note: there is no pg_cron here: the schedule was not tried on a real one (Debian: postgresql-15-cron)",
        );
        return;
      }
      await superuser.unsafe(`
        create extension pg_cron;
        grant usage on schema cron to postgres;
        grant all on all functions in schema cron to postgres;
        grant select on cron.job to postgres;
        grant select, delete on cron.job_run_details to postgres;
        create schema net; create schema vault;
        create table net.calls (url text);
        create function net.http_post(url text, body jsonb, headers jsonb, timeout_milliseconds integer) returns bigint
          language sql as 'insert into net.calls values ($1) returning 1::bigint';
        create table vault.decrypted_secrets (name text, decrypted_secret text);
        insert into vault.decrypted_secrets values ('media_worker_url', 'https://worker'), ('media_worker_key', 'key');
        grant usage on schema net, vault to postgres;
        grant all on all tables in schema net, vault to postgres;
      `);
      const sql = supabase.connect("postgres");
      await sql`select cron.schedule('media-worker', '* * * * *', 'select private.call_media_worker()')`;
      const [job] = await sql`select jobid, username from cron.job`;
      assertEquals(job!.username, "postgres");
      await superuser`insert into cron.job_run_details (jobid, runid, username, status, start_time)
        values (${job!.jobid}, 1000001, 'postgres', 'succeeded', now() - interval '8 days'),
          (${job!.jobid}, 1000002, 'postgres', 'succeeded', now() - interval '6 days')`;
      await until("it has run", async () => (await superuser`select from net.calls`).length > 0, 75_000);
      await until(
        "and is said to have",
        async () =>
          (await sql`select from cron.job_run_details where status = 'succeeded' and start_time > now() - interval '2 minutes'`)
            .length > 0,
      );

      // the hour's first minute cleans; the clock is not ours, so its statement is run as the job would
      const [{ definition }] = await sql`
        select pg_get_functiondef('private.call_media_worker()'::regprocedure) as definition` as unknown as [
        { definition: string },
      ];
      const cleaning = /delete from cron\.job_run_details[^;]*;/.exec(definition);
      assert(cleaning);
      await sql.unsafe(cleaning[0]);
      assertEquals(
        (await superuser`select runid::integer from cron.job_run_details where runid > 1000000`).map((
          { runid },
        ) => runid),
        [1000002],
      );
    } finally {
      await supabase.stop();
    }
  },
});
