// `npm run deploy`, run as an operator runs it: the real CLI, a pretend Management API, and a local stack whose database
// is still empty. Vault, pg_cron and pg_net are pretended too, as tables; the local Postgres has none of them.
import { join } from "node:path";
import { startSupabase, type Supabase } from "../../local/supabase.ts";
import { setSchedule } from "../../operate/deploy/schedule.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type ManagementApi, startManagement } from "../support/management.ts";

const root = new URL("../..", import.meta.url).pathname;
const SECRETS = [
  ["PUBLIC_SUPABASE_URL", "ALLOWED_ORIGINS", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WEBHOOK_URL"],
  ["ENCRYPTION_KEY_CURRENT", "SENDER_HASH_KEY", "MEDIA_WORKER_KEY"],
].flat();

let supabase: Supabase;
let api: ManagementApi;

Deno.test.beforeAll(async () => {
  [supabase, api] = await Promise.all([startSupabase({ migrations: false, seed: false }), startManagement()]);
});

Deno.test.afterAll(async () => {
  await supabase?.stop();
  await api?.stop();
});

interface Ended {
  code: number;
  text: string;
}

/** Runs the command. `changes` to the env file: undefined leaves a setting out. Never may it show a value. */
async function deploy(changes: Record<string, string | undefined> = {}, ...args: string[]): Promise<Ended> {
  const names = [...SECRETS, "SUPABASE_DB_URL", "SUPABASE_SECRET_KEY"];
  const settings = { ...Object.fromEntries(names.map((name) => [name, supabase.env[name]])), ...changes };
  const file = join(supabase.directory, "production.env");
  const lines = Object.entries(settings).filter(([, value]) => value !== undefined);
  await Deno.writeTextFile(file, lines.map(([name, value]) => `${name}='${value}'\n`).join(""));

  const env = Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !/^(SUPABASE|TWILIO)_/.test(name)),
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ["run", "-A", "--no-check", "operate/deploy.ts", "--project-ref", api.ref, "--env-file", file],
      ["--yes", "--patience", "0", ...args],
    ].flat(),
    cwd: root,
    clearEnv: true,
    env: { ...env, ...supabase.mark, ...api.env },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const secret = [
    "TWILIO_AUTH_TOKEN",
    "ENCRYPTION_KEY_CURRENT",
    "ENCRYPTION_KEY_PREVIOUS",
    "SENDER_HASH_KEY",
    "MEDIA_WORKER_KEY",
  ];
  for (const name of [...secret, "SUPABASE_SECRET_KEY", "SUPABASE_DB_URL"]) {
    const value = settings[name];
    assert(!value || !text.includes(value), `it shows ${name}`);
  }
  assert(!text.includes(api.env.SUPABASE_ACCESS_TOKEN!), "it shows SUPABASE_ACCESS_TOKEN");
  return { code, text };
}

/** What was asked of the platform that changes it. */
const changesOf = (requests: string[]) => requests.filter((request) => !request.startsWith("GET "));
const superuser = () => supabase.connect("supabase_admin");

Deno.test("all that is missing or malformed is told at once, and nothing is touched", async () => {
  const { code, text } = await deploy({
    SENDER_HASH_KEY: "short",
    ENCRYPTION_KEY_CURRENT: undefined,
    TWILIO_WEBHOOK_URL: `${supabase.url}/functions/v1/twilio`,
    SUPABASE_SECRET_KEY: undefined,
  });
  assertEquals(code, 2, text);
  for (
    const said of [
      "SENDER_HASH_KEY: it must have at least 32",
      "ENCRYPTION_KEY_CURRENT is not set (a new one: openssl",
      "TWILIO_WEBHOOK_URL: after the host it must be exactly /functions/v1/twilio-media",
      "SUPABASE_SECRET_KEY is not set (Dashboard",
    ]
  ) assertStringIncludes(text, said);
  assertEquals(api.requests, []);
});

Deno.test("a file that is not there, and arguments that are none, say what to do", async () => {
  assertStringIncludes((await deploy({}, "--env-file", "/nowhere")).text, "/nowhere cannot be read");
  assertStringIncludes(
    (await deploy({}, "--project-ref", "Mbombela")).text,
    "npm run deploy -- --project-ref REF",
  );
  const unknown = await deploy({}, "--force");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.text, "--force");
});

Deno.test("a database that does not answer stops it before anything changes", async () => {
  const { code, text } = await deploy({}, "--db-url", "postgresql://postgres@127.0.0.1:9/postgres");
  assertEquals(code, 2, text);
  assertStringIncludes(text, "does not answer (ECONNREFUSED)");
  assertEquals(changesOf(api.requests), []);
});

Deno.test("a secret that arrives otherwise than it stands in the file is told, and nothing goes on with it", async () => {
  const set = api.secrets.set;
  api.secrets.set = (name, value) =>
    set.call(api.secrets, name, name === "ALLOWED_ORIGINS" ? `'${value}'` : value);
  const { code, text } = await deploy();
  api.secrets.set = set;
  assertEquals(code, 2, text);
  assertMatch(text, /These did not arrive .*single quotes:\n *- ALLOWED_ORIGINS\n/);
  assertEquals(changesOf(api.requests), [`POST /v1/projects/${api.ref}/secrets`]);
  api.secrets.clear();
  api.requests.length = 0;
});

Deno.test("a migration that fails stops it before the functions, and tells what the CLI said", async () => {
  await supabase.connect("postgres")`create table public.municipalities (id integer)`;
  try {
    const { code, text } = await deploy();
    assertEquals(code, 2, text);
    assertStringIncludes(text, "supabase db push failed");
    assertMatch(text, /ERROR: .*municipalities/);
    assertEquals(changesOf(api.requests), [`POST /v1/projects/${api.ref}/secrets`]);
  } finally {
    await supabase.connect("postgres")`drop table public.municipalities`;
  }
});

Deno.test("the same command goes on where it stopped; without Vault it says what to do instead", async () => {
  const { code, text } = await deploy();
  assertEquals(code, 1, text);
  assertMatch(text, /all 8 unchanged/);
  assertMatch(text, /\d+ applied/);
  assertStringIncludes(
    text,
    `or have something else POST to ${supabase.url}/functions/v1/media-worker each minute`,
  );
  assertStringIncludes(text, "7 of 7 right");
  assertStringIncludes(text, "No WhatsApp number is assigned yet");
  assertEquals(api.functions.size, 5);
  assertEquals(
    Object.fromEntries(api.secrets),
    Object.fromEntries(SECRETS.map((name) => [name, supabase.env[name]])),
  );
});

Deno.test("a second run changes no secret and no table; with Vault and pg_cron it sets the schedule", async () => {
  await superuser().unsafe(PRETEND_VAULT_AND_CRON);
  const before = api.requests.length;
  const { code, text } = await deploy();
  assertEquals(code, 0, text);
  assertStringIncludes(text, "all 8 unchanged");
  assertStringIncludes(text, "up to date");
  assertStringIncludes(text, "URL created, key created, job made");
  assertEquals(changesOf(api.requests.slice(before)).filter((request) => request.endsWith("/secrets")), []);
  assertEquals(api.functions.get("upload-url")!.version, 2);
  assertEquals(await scheduled(), [
    supabase.env.MEDIA_WORKER_KEY!,
    `${supabase.url}/functions/v1/media-worker`,
    "media-worker",
  ]);
});

Deno.test("the schedule is set once, follows the key, and is told to be off where somebody switched it off", async () => {
  const [url, key] = [`${supabase.url}/functions/v1/media-worker`, supabase.env.MEDIA_WORKER_KEY!];
  const again = () => setSchedule(supabase.connect("postgres"), url, key);
  assertEquals(await again(), { done: "URL unchanged, key unchanged, job active" });
  await superuser()`update vault.secrets set secret = 'the one before' where name = 'media_worker_key'`;
  assertEquals(await again(), { done: "URL unchanged, key updated, job active" });
  assertEquals(await scheduled(), [key, url, "media-worker"]);
  // a restored project: what Vault has was sealed under another root key, and can be neither opened nor updated
  await superuser()`update vault.secrets set secret = 'of another root key' where name = 'media_worker_key'`;
  assertEquals(await again(), { done: "URL unchanged, key created, job active" });
  assertEquals(await scheduled(), [key, url, "media-worker"]);

  await superuser()`update cron.job set active = false`;
  const [, statement] = /on again: (.*)/.exec((await again()).todo!)!;
  await supabase.connect("postgres").unsafe(statement!);
  assertEquals(await again(), { done: "URL unchanged, key unchanged, job active" });
  await superuser()`drop schema net`;
  assertStringIncludes((await again()).todo!, "Enable pg_net (Dashboard");
  await superuser()`create schema net`;
});

Deno.test("a key under which residents' data lie is not replaced silently", async () => {
  const before = api.requests.length;
  const { code, text } = await deploy({ SENDER_HASH_KEY: "another one, of thirty-two characters" });
  assertEquals(code, 2, text);
  assertStringIncludes(text, "SENDER_HASH_KEY: the project has another one");
  assertStringIncludes(text, "--replace SENDER_HASH_KEY");
  assertEquals(changesOf(api.requests.slice(before)), []);
});

Deno.test("a leaked key is replaced on demand, but not the one that sealed what was received", async () => {
  const refused = await deploy({}, "--replace", "ENCRYPTION_KEY_CURRENT");
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.text, "npm run deploy -- --project-ref REF");

  const known = api.secrets.get("SENDER_HASH_KEY")!;
  const another = "another one, of thirty-two characters";
  try {
    const { code, text } = await deploy({ SENDER_HASH_KEY: another }, "--replace", "SENDER_HASH_KEY");
    assertEquals(code, 0, text);
    assertStringIncludes(text, "set: SENDER_HASH_KEY");
    assertEquals(api.secrets.get("SENDER_HASH_KEY"), another);
  } finally {
    api.secrets.set("SENDER_HASH_KEY", known);
  }
});

Deno.test("a smoke test that fails says what to do, and the command fails", async () => {
  await supabase.functions!.restart("twilio-media", { TWILIO_AUTH_TOKEN: "0".repeat(32) });
  const { code, text } = await deploy();
  assertEquals(code, 1, text);
  assertStringIncludes(text, "6 of 7 right");
  assertStringIncludes(text, "403 invalid_signature instead of 404 not_found");
  assertStringIncludes(
    text,
    "→ TWILIO_AUTH_TOKEN or TWILIO_WEBHOOK_URL differs from that of the functions",
  );
  await supabase.functions!.restart("twilio-media");
});

Deno.test("a Storage that refuses residents' files shows at the deploy", async () => {
  const sql = superuser();
  await sql`alter table storage.objects add constraint refused check (bucket_id <> 'evidence')`;
  const refused = await deploy();
  await sql`alter table storage.objects drop constraint refused`;
  assertEquals(refused.code, 1, refused.text);
  assertStringIncludes(refused.text, "6 of 7 right");
  assertStringIncludes(refused.text, "the upload failed: storage");
  assertStringIncludes(refused.text, "Residents' files would be refused too");
});

Deno.test("the trials leave no trace: neither the signed test message nor the file", async () => {
  const [counts] = await superuser()`
    select (select count(*) from public.inbound_messages)::integer as messages,
      (select count(*) from public.tickets)::integer as tickets,
      (select count(*) from public.media_attachments)::integer as files,
      (select count(*) from public.custody_records)::integer as records,
      (select count(*) from storage.objects)::integer as objects`;
  assertEquals({ ...counts }, { messages: 0, tickets: 0, files: 0, records: 0, objects: 0 });
});

async function scheduled(): Promise<string[]> {
  const secrets = await superuser()`select secret from vault.secrets order by name`;
  const jobs = await superuser()`select jobname from cron.job`;
  return [...secrets.map(({ secret }) => secret), ...jobs.map(({ jobname }) => jobname)];
}

/** As the extensions supabase_vault, pg_cron and pg_net show themselves. */
const PRETEND_VAULT_AND_CRON = `
  create schema vault;
  create table vault.secrets (
    id uuid primary key default gen_random_uuid(), name text unique, description text not null, secret text not null
  );
  create function vault.opened(secret text) returns text language plpgsql as $$
  begin
    if secret = 'of another root key' then raise exception using errcode = '22000', message = 'pgsodium_crypto_aead_det_decrypt_by_id: invalid ciphertext'; end if;
    return secret;
  end $$;
  create view vault.decrypted_secrets as select s.*, vault.opened(s.secret) as decrypted_secret from vault.secrets s;
  create function vault.create_secret(
    new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
  ) returns uuid language sql as
  'insert into vault.secrets (name, description, secret) values ($2, $3, $1) returning id';
  create function vault.update_secret(
    secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
    new_key_id uuid default null
  ) returns void language sql as
  'update vault.secrets s set secret = $2 where id = $1 and vault.opened(s.secret) is not null';
  create schema cron;
  create table cron.job (
    jobid bigint generated always as identity, schedule text, command text, jobname text unique, active boolean default true
  );
  create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql security definer as
  'insert into cron.job (jobname, schedule, command) values ($1, $2, $3) returning jobid';
  create function cron.alter_job(
    job_id bigint, schedule text default null, command text default null, database text default null,
    username text default null, active boolean default null
  ) returns void language sql security definer as
  'update cron.job j set active = coalesce($6, j.active) where j.jobid = $1';
  create schema net;
  grant usage on schema vault, cron, net to postgres;
  grant all on all tables in schema vault to postgres;
  grant select on all tables in schema cron to postgres;
`;
