// docs/adopt.md: a running ticket system adopts the bundle. Nobody waits long, and what is theirs stays as it was.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import {
  AGENT,
  as,
  checksum,
  COUNCILS,
  difference,
  documented,
  emptyProject,
  ownTicketSystem,
  push,
  snapshot,
  staff,
  traffic,
} from "./support.ts";

/** 1,000,000 for the figures of docs/adopt.md. */
const TICKETS = Number(Deno.env.get("ADOPT_TICKETS") ?? 100_000);
/** What a write may wait: for its turn behind a try of the migrations' lock, and for what is done under it. */
const PATIENCE_MS = 1500;

const root = new URL("../..", import.meta.url).pathname;
const supabase = await emptyProject();
const sql = supabase.connect("postgres");
const url = supabase.env.SUPABASE_DB_URL!;
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

let before = new Map<string, string>();
let rows = "";

test("a table that no report could be opened in is refused, and is as it was", async () => {
  await ownTicketSystem(sql, TICKETS);
  before = await snapshot(sql);
  const refused = await push(url);
  assert(!refused.success);
  assertStringIncludes(refused.output, 'opening a ticket failed: null value in column "council_id"');
  const { gone, changed } = difference(before, await snapshot(sql));
  assertEquals([...gone, ...changed.filter((line) => !line.startsWith("schema private"))], []);
});

test("what shows tickets past row-level security is found beforehand", async () => {
  await sql.unsafe(`
    create view desk.board as select id, subject from public.tickets;
    create view desk.mine with (security_invoker = on) as select id from public.tickets;
    create function desk.count_tickets() returns bigint language sql security definer as 'select count(*) from public.tickets'`);
  const found = await documented(
    url,
    "views that read tickets as their owner, and functions that run as theirs",
  );
  assertEquals(found.map(({ object }) => object).sort(), ["desk.board", "desk.count_tickets()"]);
});

test("a push that a long transaction stands against gives up, holds nobody up, and passes later", async () => {
  await documented(url, "what a report by WhatsApp cannot know may be null for now");
  before = await snapshot(sql);
  let longest = 0;
  await sql.begin(async (tx) => {
    await tx`select count(*) from public.tickets where reference < 10`; // and is held until this ends
    const pushing = push(url);
    for (let pushed = false; !pushed;) {
      const begun = performance.now();
      await sql`update public.tickets set subject = subject where reference = 1`;
      longest = Math.max(longest, performance.now() - begun);
      pushed = await Promise.race([
        pushing.then(() => true),
        new Promise<false>((resolve) => setTimeout(() => resolve(false), 20)),
      ]);
    }
    const { success, output } = await pushing;
    assert(!success);
    const [{ pid }] = await tx`select pg_backend_pid() as pid` as unknown as [{ pid: number }];
    assertStringIncludes(output, `public.tickets is in use by a long transaction (process ${pid}, since `);
    assertStringIncludes(output, "Nothing of this migration was done; push again when it has ended");
  });
  console.log(`while the push tried, the longest write took ${longest.toFixed(0)} ms`);
  assert(longest < PATIENCE_MS, `a write waited ${longest} ms`);
  const { added, gone, changed } = difference(before, await snapshot(sql));
  assertEquals([...gone, ...changed], []);
  assertEquals(added.filter((name) => name.includes("public.tickets")), []);
});

test(`${TICKETS} tickets, written and read while the migrations go in: nobody waits long`, async () => {
  rows = await checksum(sql, TICKETS);
  const stop = traffic(sql);
  const begun = performance.now();
  const pushed = await push(url);
  const took = performance.now() - begun;
  const { write, read, writes } = await stop();
  assert(pushed.success, pushed.output);
  console.log(
    `pushed in ${(took / 1000).toFixed(1)} s; of ${writes} writes the longest took ${write.toFixed(0)} ms, ` +
      `of the reads ${read.toFixed(0)} ms`,
  );
  assert(writes > 50, "there was no traffic");
  assert(write < PATIENCE_MS && read < PATIENCE_MS, `a write waited ${write} ms, a read ${read} ms`);
});

test("what was added to theirs is what docs/adopt.md tells, and all else is as it was", async () => {
  assertEquals(await checksum(sql, TICKETS), rows);
  const { added, gone, changed } = difference(before, await snapshot(sql));
  assertEquals(gone, []);
  // of what was there, rights and statistics by column
  const passing = /\{[^}]*\} (-1|0|300) /;
  const kept = changed.map((line) => line.split(": ").slice(1).join(": ").split(" -> "))
    .filter(([was, is]) => was!.replace(passing, "") !== is!.replace(passing, ""));
  assertEquals(kept, []);
  assertEquals(
    changed.map((line) => line.split(":")[0]),
    ["created_at", "id", "severity", "status", "updated_at"].map((column) =>
      `column public.tickets.${column}`
    ),
  );

  const page = await Deno.readTextFile(`${root}docs/adopt.md`);
  const section = page.split(/^## /m).find((part) => part.startsWith("What is added to your table"))!;
  for (const name of added.filter((name) => name.startsWith("column public.tickets."))) {
    assert(section.includes(`\`${name.split(".").pop()}\``), `docs/adopt.md does not tell of ${name}`);
  }
  const onTheirs = added.filter((name) =>
    /(public\.tickets|storage\.|realtime\.|auth\.|extensions\.|desk\.|maps|photos)/.test(name) &&
    !name.startsWith("column") && !name.startsWith("function private.")
  );
  const told = [
    /^relation public\.tickets_\w+$/,
    /^trigger (zzz_tickets_prepare|tickets_files_follow|tickets_messages_follow|tickets_(announce|count|words)_\w+) on public\.tickets$/,
    /^constraint tickets_\w+ on public\.tickets$/,
    /^policy (a sensitive ticket|staff read|managers and admins) .* on public\.tickets$/,
    /^(policy evidence: .*|trigger evidence_\w+) on storage\.(objects|buckets)$/,
    /^policy municipality topics: .* on realtime\.messages$/,
  ];
  assertEquals(onTheirs.filter((name) => !told.some((pattern) => pattern.test(name))), []);
  assertEquals(onTheirs.filter((name) => /^policy .* on public\.tickets$/.test(name)).length, 5);
  assertEquals(onTheirs.filter((name) => name.startsWith("relation public.tickets_")).length, 8);
});

test("tickets get their municipality in small batches, and no trigger of theirs fires", async () => {
  await documented(url, "municipalities");
  await documented(url, "tenant_id and council_id follow each other");
  const audits = async () => (await sql`select count(*)::int as n from desk.ticket_audit`)[0]!.n;
  const audited = await audits();
  await documented(url, "tickets from before");
  assertEquals(await audits(), audited);
  assertEquals(await checksum(sql, TICKETS), rows);
  const [left] =
    await sql`select count(*)::int as n from public.tickets where tenant_id is distinct from council_id`;
  assertEquals(left!.n, 0);
  assertEquals(
    [...await sql`select tenant_id, is_sensitive, status, tickets::int from private.ticket_counts where tickets > 0 order by 1, 2, 3`],
    [...await sql`select tenant_id, is_sensitive, status::text, count(*)::int as tickets from public.tickets group by 1, 2, 3 order by 1, 2, 3`],
  );
  const [lost] = await sql`select count(*)::int as n from public.tickets t
    where not exists (select from private.ticket_words w where w.ticket_id = t.id and w.tenant_id = t.tenant_id)`;
  assertEquals(lost!.n, 0, "tickets that no search finds");
});

test("what the planner knew of their columns it forgets, and learns no more of them", async () => {
  const known = () =>
    sql`select attname from pg_stats where schemaname = 'public' and tablename = 'tickets'
      and attname in (select attname from pg_attribute where attrelid = 'public.tickets'::regclass and attstattarget = 0)`;
  assert((await known()).length > 0, "nothing was known");
  await documented(url, "what the planner knew");
  await sql`analyze public.tickets`;
  // one that a policy of theirs uses stays known until they drop that
  assertEquals((await known()).map(({ attname }) => attname), ["status"]);
});

test("their people see what they saw, ours what their roles allow, and nobody a sensitive ticket", async () => {
  const count = (claims: Record<string, unknown>, role: "anon" | "authenticated" = "authenticated") =>
    as(
      sql,
      role,
      claims,
      async (tx) => (await tx`select count(id)::int as n from public.tickets`)[0]!.n as number,
    );
  const [all] = await sql`
    select count(*) filter (where council_id = ${COUNCILS.msunduzi})::int as council,
      count(*) filter (where status = 'done')::int as done from public.tickets`;
  const seen = async () => ({
    agent: await count(AGENT),
    public: await count({}, "anon"),
    manager: await count(staff("manager")),
    liaison: await count(staff("saps_liaison")),
    elsewhere: await count(staff("manager", "hibiscus")),
  });
  const first = await seen();
  assertEquals([first.agent, first.public, first.manager, first.liaison], [
    all!.council,
    all!.done,
    all!.council,
    all!.council,
  ]);

  await sql`update public.tickets set is_sensitive = true where id in (
    select id from public.tickets where council_id = ${COUNCILS.msunduzi} and status = 'done' limit 3)`;
  assertEquals(await seen(), {
    ...first,
    agent: first.agent - 3,
    public: first.public - 3,
    manager: first.manager - 3,
  });
  // a column of theirs that was not for users is not now
  await assertRejects(
    () => as(sql, "authenticated", staff("admin"), (tx) => tx`select phone from public.tickets limit 1`),
    Error,
    "permission denied",
  );
});

test("a WhatsApp report opens a ticket in their table, for their council", async () => {
  await sql`insert into public.whatsapp_numbers (number, tenant_id) values ('+27330000001', ${COUNCILS.msunduzi})`;
  const sid = `SM${"0".repeat(32)}`;
  await as(
    sql,
    "service_role",
    {},
    (tx) =>
      tx`select public.record_inbound_message(${sid}, 'whatsapp', '+27330000001', ${[
        "a".repeat(64),
      ]}, 'text', 'gAAAAA', '[]',
        body => 'no water')`,
  );
  const [ticket] = await sql`
    select t.council_id, t.status, t.tracking_number from public.tickets t
    join public.inbound_messages m on m.ticket_id = t.id where m.message_sid = ${sid}`;
  assertEquals([ticket!.council_id, ticket!.status], [COUNCILS.msunduzi, "new"]);
  assert(/^TKT-/.test(ticket!.tracking_number));
});

test("stop", () => supabase.stop());
