// docs/adopt.md, "What the table needs": each table that is refused, with its message; and the ways round that the page tells.
import type postgres from "postgres";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { documented, emptyProject } from "./support.ts";

const root = new URL("../..", import.meta.url).pathname;
const page = await Deno.readTextFile(`${root}docs/adopt.md`);
const migrations = await Promise.all(
  ["000_private_schema", "100_municipalities", "200_tickets"].map((name) =>
    Deno.readTextFile(`${root}migrations/20261123090${name}.sql`)
  ),
);

const supabase = await emptyProject();
const sql = supabase.connect("postgres");
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

class Undo extends Error {}

/** What the first three migrations say to a project that has been prepared so; nothing of it stays. */
async function verdict(prepare: string): Promise<string> {
  let said = "adopted";
  await sql.begin(async (tx) => {
    await tx.unsafe(prepare);
    try {
      await tx.savepoint((inner) => apply(inner));
    } catch (error) {
      said = (error as Error).message;
    }
    throw new Undo();
  }).catch((error) => {
    if (!(error instanceof Undo)) throw error;
  });
  return said;
}

async function apply(tx: postgres.TransactionSql): Promise<void> {
  for (const migration of migrations) await tx.unsafe(migration);
}

const table = (columns: string) =>
  `create table public.tickets (${columns}); alter table public.tickets enable row level security;`;
const ID = "id uuid primary key default gen_random_uuid()";

const REFUSED: [what: string, prepare: string, said: string][] = [
  ["ids that are numbers", table("id bigint primary key"), "id is bigint, needs uuid"],
  [
    "a time without its zone",
    table(`${ID}, created_at timestamp`),
    "created_at is timestamp without time zone, needs timestamp with time zone",
  ],
  ["a tenant that is a word", table(`${ID}, tenant_id text`), "tenant_id is text, needs uuid"],
  ["no id", table("number uuid primary key"), "there is no id, needs one of type uuid"],
  ["an id that is not unique", table("id uuid not null"), "id is not unique"],
  [
    "a view",
    "create table public.calls (id uuid primary key); create view public.tickets as select * from public.calls",
    "it is no plain table",
  ],
  [
    "a partitioned table",
    "create table public.tickets (id uuid primary key) partition by hash (id)",
    "it is no plain table",
  ],
  [
    "a flag that may be null",
    table(`${ID}, is_sensitive boolean default false`),
    "is_sensitive may be null, needs not null",
  ],
  [
    "no row-level security, and users",
    `create table public.tickets (${ID}); grant select on public.tickets to authenticated`,
    "row-level security is off while users have rights on it",
  ],
  [
    "a column that we do not know of",
    table(`${ID}, ward text not null`),
    'opening a ticket failed: null value in column "ward"',
  ],
  [
    "categories of their own",
    table(`${ID}, category text check (category in ('Water'))`),
    "opening a ticket failed: new row for relation",
  ],
];

test("each table that does not fit is refused with what the page says", async () => {
  for (const [what, prepare, said] of REFUSED) {
    const heard = await verdict(prepare);
    assertStringIncludes(heard, `public.tickets cannot be adopted: ${said}`, what);
    const told = said.replace(/: .*/, "").replace(/created_at is .*|tenant_id is .*/, "needs uuid");
    assertStringIncludes(page, told, `docs/adopt.md does not tell: ${said}`);
  }
});

test("tables that fit are adopted: flags, enums, words of their own, a table for the service alone", async () => {
  for (
    const prepare of [
      table(`${ID}, is_sensitive boolean not null`),
      `create type public.state as enum ('new', 'done'); ${
        table(`${ID}, status public.state not null default 'new'`)
      }`,
      table(`${ID}, severity integer, description varchar(200)`),
      `create table public.tickets (${ID}); grant all on public.tickets to service_role`,
    ]
  ) assertEquals(await verdict(prepare), "adopted", prepare);
});

test("a name of ours that is taken is refused before anything is made", async () => {
  const ours = JSON.parse(await Deno.readTextFile(`${root}operate/doctor/catalogue.json`));
  const tables = Object.keys(ours.table[""]).filter((name) =>
    name.startsWith("public.") && name !== "public.tickets"
  );
  assert(tables.length >= 5);
  for (const name of [...tables, "public.evidence_access_log"]) {
    assertStringIncludes(
      await verdict(`create table ${name} (id integer)`),
      `in use already, and not ours: ${name.slice(7)}`,
    );
    assertStringIncludes(page, `\`${name.slice(7)}\``);
  }
  for (const bucket of ["evidence", "documents", "gbv-evidence"]) {
    assertStringIncludes(
      await verdict(`insert into storage.buckets (id, name) values ('${bucket}', '${bucket}')`),
      `in use already, and not ours: the bucket ${bucket}`,
    );
  }
});

test("ids that are numbers: with the page's second key the table is adopted", async () => {
  await sql.unsafe(`${table("id bigint generated always as identity primary key, subject text default ''")}
    insert into public.tickets (subject) select 'call ' || n from generate_series(1, 50) n;
    create table public.notes (ticket bigint references public.tickets (id)); insert into public.notes values (7);`);
  await documented(supabase.env.SUPABASE_DB_URL!, "ids that are numbers");
  assertEquals(await verdict("select 1"), "adopted");
  const [row] = await sql`
    select count(distinct t.id)::int as ids, count(n.ticket)::int as notes
    from public.tickets t left join public.notes n on n.ticket = t.number`;
  assertEquals({ ...row }, { ids: 50, notes: 1 });
});

test("a table under another name: renamed, with a view of the old name that its programs go on writing to", async () => {
  await sql.unsafe(
    `drop table public.notes; drop table public.tickets; ${
      table(`${ID}, subject text`).replaceAll("public.tickets", "public.calls")
    }`,
  );
  const [rename, view] = Array.from(
    page.matchAll(/`?\(?`((?:alter table public\.calls|create view public\.calls)[^`]*)`/g),
    ([, sql]) => sql!,
  );
  await sql.unsafe(rename!);
  await sql.unsafe(view!);
  assertEquals(await verdict("select 1"), "adopted");
  await sql`insert into public.calls (subject) values ('by the old name')`;
  assertEquals((await sql`select subject from public.tickets`)[0]!.subject, "by the old name");
});

test("stop", () => supabase.stop());
