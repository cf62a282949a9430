// The schedule's call, with stand-ins for pg_net and Vault: the worker is woken whether files are due or not.
import { assertEquals } from "../support/assert.ts";
import { database } from "../support/functions.ts";

Deno.test("the worker is called when no file is due: it has records to seal, and keys that only it knows", async () => {
  class Rollback extends Error {}
  await database((sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(`
        create schema net;
        create table net.calls (url text, headers jsonb);
        create function net.http_post(url text, body jsonb, headers jsonb, timeout_milliseconds integer) returns bigint
          language sql as 'insert into net.calls values ($1, $3) returning 1::bigint';
        create schema cron;
        create table cron.job (jobid bigint, jobname text);
        create table cron.job_run_details (jobid bigint, start_time timestamptz);
        create schema vault;
        create table vault.decrypted_secrets (name text, decrypted_secret text);
        insert into vault.decrypted_secrets values ('media_worker_url', 'https://worker'), ('media_worker_key', 'key');
        update public.media_attachments set next_attempt_at = null where next_attempt_at is not null;
        select private.call_media_worker();
      `);
      assertEquals([...await tx`select url, headers ->> 'apikey' as key from net.calls`], [
        { url: "https://worker", key: "key" },
      ]);
      throw new Rollback();
    }).catch((error) => {
      if (!(error instanceof Rollback)) throw error;
    })
  );
});
