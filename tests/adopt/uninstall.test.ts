// docs/adopt.md, "Uninstall": all of ours goes but evidence; nobody reads more than before; installing again works.
import postgres from "postgres";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import {
  AGENT,
  as,
  checksum,
  COUNCILS,
  difference,
  documented,
  emptyProject,
  ownTicketSystem,
  snapshot,
  staff,
  uninstall,
} from "./support.ts";
import { mustPush, mustUninstall, storage, storeFile } from "./uninstalling.ts";

const TICKETS = 3000;
const HIDING = "kept evidence: for nobody";

const theirs = await emptyProject();
const sql = theirs.connect("postgres");
const url = theirs.env.SUPABASE_DB_URL!;
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

/** What each kind of user can read of tickets, files and messages, as `reader: thing`. */
async function readable(sql: postgres.Sql): Promise<Set<string>> {
  const found = new Set<string>();
  const readers: [string, Record<string, unknown>][] = [
    ["agent", AGENT],
    ...["citizen", "field_worker", "manager", "admin", "saps_liaison"].map((role) =>
      [role, staff(role)] as [string, Record<string, unknown>]
    ),
    ["stranger", { sub: crypto.randomUUID() }],
    ["anon", {}],
  ];
  const topics = [`municipality:${COUNCILS.msunduzi}`, `municipality:${COUNCILS.msunduzi}:gbv`];
  for (const [reader, claims] of readers) {
    const role = reader === "anon" ? "anon" : "authenticated";
    const see = async (what: string, query: (tx: postgres.TransactionSql) => Promise<postgres.Row[]>) => {
      const rows = await as(sql, role, claims, query).catch((error) => {
        // no right to the table at all
        if (error.code !== "42501") throw error;
        return [];
      });
      for (const { thing } of rows) found.add(`${reader}: ${what} ${thing}`);
    };
    await see("ticket", (tx) => tx`select id as thing from public.tickets`);
    await see("file", async (tx) => {
      await tx`select set_config('storage.operation', 'object.get_authenticated', true)`;
      return await tx`select bucket_id || '/' || name as thing from storage.objects`;
    });
    await see("record", (tx) => tx`select file_id as thing from public.media_attachments`);
    await see("custody", (tx) => tx`select hash as thing from public.custody_records`);
    await see("message", (tx) => tx`select message_sid as thing from public.inbound_messages`);
    for (const topic of topics) {
      await see(`${topic}`, async (tx) => {
        await tx`select set_config('realtime.topic', ${topic}, true)`;
        return await tx`select id as thing from realtime.messages where topic = ${topic}`;
      });
    }
  }
  return found;
}

const tampered = async (sql: postgres.Sql) =>
  await as(
    sql,
    "service_role",
    {},
    async (tx) => (await tx`select * from public.verify_custody()`).map((row) => ({ ...row })),
  );

/** The project with nothing of ours, and with nothing but their own system. */
let platform = new Map<string, string>();
let alone = new Map<string, string>();

test("on a project that took in nothing all goes, the schedule, its secrets and the buckets too", async () => {
  await theirs.connect("supabase_admin").unsafe(`
    create schema cron; create table cron.job (jobname text); grant usage on schema cron to postgres; grant select, delete on cron.job to postgres;
    create function cron.unschedule(name text) returns boolean language sql as 'delete from cron.job where jobname = name returning true';
    create schema vault; create table vault.secrets (name text); grant usage on schema vault to postgres; grant select, delete on vault.secrets to postgres;
    insert into cron.job values ('media-worker'), ('their-own');
    insert into vault.secrets values ('media_worker_url'), ('media_worker_key'), ('their_own')`);
  platform = await snapshot(sql);
  await mustPush(url);
  const installed = await snapshot(sql);

  const dry = await uninstall(theirs, "--dry-run");
  assert(dry.success, dry.output);
  assertEquals(difference(installed, await snapshot(sql)), { added: [], gone: [], changed: [] });
  for (
    const line of [
      "remove the cron job media-worker",
      "remove the Vault secrets media_worker_key, media_worker_url",
      "remove function private.caller_role()",
      'remove policy "evidence: open to be read" on storage.objects',
      "remove trigger evidence_guard on storage.objects",
      "remove schema private",
      "remove bucket gbv-evidence (empty)",
    ]
  ) assertStringIncludes(dry.output, line);
  // every object that came is named, or goes with a table that is
  const objects = difference(platform, installed).added.filter((name) =>
    /^(function|policy|trigger|relation public\.(?!.*(_idx|_key|_pkey)$))/.test(name)
  );
  assert(objects.length > 60);
  for (const name of objects) {
    const bare = name.replace(/^\w+ /, "").replace(/ on [a-z_.]+$/, "");
    assertStringIncludes(dry.output, bare);
  }

  const output = await mustUninstall(theirs);
  assertEquals(difference(platform, await snapshot(sql)), { added: [], gone: [], changed: [] });
  assertEquals((await sql`select jobname from cron.job`).map(({ jobname }) => jobname), ["their-own"]);
  assertEquals((await sql`select name from vault.secrets`).map(({ name }) => name), ["their_own"]);
  const functionGone = "npx supabase functions delete twilio-media --remote=YOUR_PROJECT";
  for (const line of [functionGone, "TWILIO_AUTH_TOKEN", "another webhook"]) {
    assertStringIncludes(output, line);
  }
  assertStringIncludes(await mustUninstall(theirs), "nothing of the bundle is left to remove");
});

test("an adopted table that nothing was put into is what it was; their schema private too", async () => {
  await ownTicketSystem(sql, TICKETS);
  await documented(url, "what a report by WhatsApp cannot know may be null for now");
  alone = await snapshot(sql);
  const rows = await checksum(sql, TICKETS);
  await mustPush(url);
  assertStringIncludes(await mustUninstall(theirs), "keep   row-level security of tickets");
  assertEquals(difference(alone, await snapshot(sql)), { added: [], gone: [], changed: [] });
  assertEquals(await checksum(sql, TICKETS), rows);
});

test("who is not asked, or uses what is to go, changes nothing", async () => {
  await mustPush(url);
  const installed = await snapshot(sql);
  assertStringIncludes((await uninstall(theirs)).output, "add --yes");
  assertStringIncludes((await uninstall(theirs, "--force")).output, "npm run uninstall -- [--dry-run]");
  await sql`create policy "by our role" on public.tickets for select to authenticated using (private.caller_role() = 'admin')`;
  const used = await uninstall(theirs, "--yes");
  assert(!used.success);
  assertStringIncludes(used.output, "function private.caller_role()");
  assertStringIncludes(
    used.output,
    "policy by our role on table public.tickets depends on function private.caller_role()",
  );
  await sql`drop policy "by our role" on public.tickets`;
  assertEquals(difference(installed, await snapshot(sql)), { added: [], gone: [], changed: [] });
});

test("evidence stays, is proved and cannot be changed; nobody reads more than before; a new installation has it all", async () => {
  await documented(url, "municipalities");
  await documented(url, "tenant_id and council_id follow each other");
  await documented(url, "tickets from before");
  await sql`insert into public.whatsapp_numbers (number, tenant_id, is_sensitive) values
    ('+27330000001', ${COUNCILS.msunduzi}, false), ('+27330000002', ${COUNCILS.msunduzi}, true)`;
  for (const [sid, number] of [["1", "+27330000001"], ["2", "+27330000002"]] as const) {
    await as(
      sql,
      "service_role",
      {},
      (tx) =>
        tx`select public.record_inbound_message(${`SM${sid.repeat(32)}`}, 'whatsapp', ${number}, ${[
          "a".repeat(64),
        ]}, 'text', 'gAAAAA', '[{"filename": "a.jpg", "content_type": "image/jpeg"}]',
          body => ${sid === "1" ? "no water" : null}, encrypted_description => ${
          sid === "2" ? "gAAAAA" : null
        }, sealed_with => 'deadbeef')`,
    );
  }
  const files = [
    await storeFile(theirs, "evidence", COUNCILS.msunduzi),
    await storeFile(theirs, "gbv-evidence", COUNCILS.msunduzi),
  ];
  await sql`update public.tickets set is_sensitive = true where id in (
    select id from public.tickets where council_id = ${COUNCILS.msunduzi} and status = 'done' limit 5)`;
  const installed = await snapshot(sql);
  const could = await readable(sql);
  assert(
    [...could].some((line) => line.startsWith("admin: file gbv-evidence/")) === false,
    "GBV evidence without its record",
  );
  assert([...could].some((line) => line.startsWith("admin: file evidence/")));

  await sql`drop trigger follow_council on public.tickets`;
  const output = await mustUninstall(theirs);
  assertStringIncludes(output, "keep   bucket gbv-evidence");
  const can = await readable(sql);
  assertEquals([...can].filter((line) => !could.has(line)), []);
  const sensitive = new Set(
    (await sql`select id from public.tickets where is_sensitive`).map(({ id }) => id as string),
  );
  assertEquals(sensitive.size, 6);
  assertEquals([...can].filter((line) => sensitive.has(line.split(" ").pop()!)), []);
  assertEquals(
    [...can].filter((line) => !/^(agent: ticket|anon: ticket|\w+: file (desk-photos|maps)\/)/.test(line)),
    [],
  );
  const open = [...could].filter((line) => /^(agent|anon): ticket/.test(line));
  assert(open.length > TICKETS / 2 && open.every((line) => can.has(line)), "their own people lost tickets");

  // what is left, and no more
  const left = difference(alone, await snapshot(sql));
  assertEquals(left.gone, []);
  assertEquals(
    left.changed.map((line) => line.split(":")[0]),
    ["created_at", "severity", "status", "updated_at"].map((column) => `column public.tickets.${column}`),
  );
  assertEquals(
    left.added.filter((name) =>
      !/^(column|constraint|relation) .*(municipalities|media_attachments|custody_\w+|inbound_messages|adoption|sender_identities|ticket_origins)[._]\w+/
        .test(name) &&
      !/^constraint .* on (public\.(municipalities|media_attachments|custody_\w+|inbound_messages)|private\.\w+)$/
        .test(name)
    ),
    [
      "bucket evidence",
      "bucket gbv-evidence",
      ...[
        "category",
        "description",
        "encrypted_description",
        "is_sensitive",
        "last_message_at",
        "sealed_with",
        "tenant_id",
        "tracking_number",
      ]
        .map((column) => `column public.tickets.${column}`),
      "constraint tickets_category_check on public.tickets",
      "constraint tickets_gbv_check on public.tickets",
      "constraint tickets_tenant_id_fkey on public.tickets",
      "function private.commitment(bytea,text)",
      "function private.custody_hash(public.custody_records)",
      "function private.custody_leaf(public.custody_records)",
      "function private.custody_range(uuid,bigint,bigint)",
      "function private.custody_root(uuid,bigint)",
      "function private.custody_size(uuid)",
      "function private.file_fault(public.media_attachments)",
      "function private.first_tampered(uuid)",
      "function private.log_faults(uuid,bigint,bigint)",
      "function private.recent_fault(uuid,integer)",
      "function private.recorded_file(uuid)",
      "function private.refuse_change()",
      "function public.tickets_follow_council()",
      "function public.verify_custody(uuid,bigint,text)",
      `policy ${HIDING} on public.tickets`,
      `policy ${HIDING} on realtime.messages`,
      `policy ${HIDING} on storage.objects`,
      "relation private.adoption",
      "relation private.custody_logs",
      "relation private.custody_nodes",
      "relation private.custody_signers",
      "relation private.sender_identities",
      "relation private.ticket_origins",
      "relation public.custody_audits",
      "relation public.custody_checkpoints",
      "relation public.custody_keys",
      "relation public.custody_records",
      "relation public.custody_timestamps",
      "relation public.inbound_messages",
      "relation public.media_attachments",
      "relation public.municipalities",
      "relation public.tickets_tenant_id_id_key",
      "trigger custody_audits_kept on public.custody_audits",
      "trigger custody_checkpoints_append_only on public.custody_checkpoints",
      "trigger custody_keys_kept on public.custody_keys",
      "trigger custody_nodes_append_only on private.custody_nodes",
      "trigger custody_records_append_only on public.custody_records",
      "trigger custody_records_kept on public.custody_records",
      "trigger custody_timestamps_append_only on public.custody_timestamps",
      "trigger custody_timestamps_kept on public.custody_timestamps",
      "trigger evidence_deleted on storage.objects",
      "trigger evidence_guard on storage.objects",
      "trigger evidence_landed on storage.objects",
      "trigger inbound_messages_kept on public.inbound_messages",
      "trigger media_attachments_kept on public.media_attachments",
    ],
  );

  // nobody changes it, the service role neither
  const [bucket, path] = ["evidence", files[0]!];
  assertEquals((await storage(theirs.env, "GET", bucket, path)).status, 200);
  for (const method of ["PUT", "DELETE", "POST"]) {
    const { status } = await storage(
      theirs.env,
      method,
      bucket,
      path,
      method === "DELETE" ? undefined : new Uint8Array([1]),
    );
    assert(status >= 400, `${method} changed kept evidence`);
  }
  const fresh = `${COUNCILS.msunduzi}/${crypto.randomUUID()}/new.jpg`;
  assert(
    (await storage(theirs.env, "POST", bucket, fresh, new Uint8Array([1]))).status >= 400,
    "a file was added",
  );
  for (
    const statement of [
      "delete from public.custody_records",
      "delete from public.media_attachments",
      "delete from public.inbound_messages",
    ]
  ) {
    assertEquals(await sql.unsafe(statement).then(() => "done", (error) => error.code), "42501", statement);
  }
  assertEquals(await tampered(sql), []);

  await mustPush(url);
  await sql`create trigger follow_council before insert or update of council_id, tenant_id on public.tickets
    for each row execute function public.tickets_follow_council()`;
  assertEquals(difference(installed, await snapshot(sql)), { added: [], gone: [], changed: [] });
  assertEquals(await readable(sql), could);
  assertEquals(await tampered(sql), []);
  await storeFile(theirs, "documents", COUNCILS.msunduzi); // the log goes on
  assertEquals(await tampered(sql), []);
});

test("a second uninstall leaves what the first one left; tampering with it is found", async () => {
  await sql`drop trigger follow_council on public.tickets`;
  await mustUninstall(theirs);
  const left = await snapshot(sql);
  await mustUninstall(theirs);
  assertEquals(difference(left, await snapshot(sql)), { added: [], gone: [], changed: [] });
  await theirs.connect("supabase_admin").begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`update public.custody_records set details = '{}' where id = (select id from public.custody_records limit 1)`;
  });
  const [found, ...more] = await tampered(sql);
  assert(/record .*was changed$/.test(String(found?.problem)) && more.length === 0);
});

test("stop", () => theirs.stop());
