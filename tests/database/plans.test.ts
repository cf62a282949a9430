// What people and functions ask for reads little more than it answers, however much is stored: no whole table, no sorting of
// a municipality. Asked in municipalities of several sizes, by plans made for the values and by those made once for all.
import { claims, type Place, readPlace } from "../../bench/scale/place.ts";
import { type Operation, READS } from "../../bench/scale/reads.ts";
import { ACTS } from "../../bench/scale/writes.ts";
import { seedScale } from "../../bench/scale/seed.ts";
import {
  explain,
  type Planning,
  type PlanNode,
  PLANS,
  type Statement,
  unlessEnded,
  within,
} from "../../bench/scale/statements.ts";
import postgres from "postgres";
import { startSupabase } from "../../local/supabase.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** A plan that is good at one size may not be at another; PLANS_TICKETS=100000,1000000 asks at others. */
const SIZES = (Deno.env.get("PLANS_TICKETS") ?? "5000,50000").split(",").map(Number);
/** Rows that may be read, or sorted, for each one answered; where fewer than one is, for one. */
const RATIO = 10;
/** Pages that may be looked at besides. An index that is read from end to end has more. */
const PAGES = 40;
const TABLES = [
  "public.tickets",
  "public.media_attachments",
  "public.inbound_messages",
  "storage.objects",
  "public.custody_records",
  "private.custody_nodes",
  "private.ticket_origins",
  "private.sender_identities",
];

const OPERATIONS = [...READS, ...ACTS];

const SORTED = "without statistics Postgres takes a municipality for small, and sorts it";
const FILTERED = "no index has it, so all the municipality's are looked through";
const OR = "the policy's `or` keeps Postgres from the citizen's index, unless they are asked for by their id";
const AND = "the index of all the municipality's is read beside the right one";
const LIKE = "Storage asks by LIKE, for which row-level security lets no index be used";
/** What does not hold yet, and why. */
const KNOWN: Record<string, string> = {
  "newest 100 tickets": SORTED,
  "newest 100 tickets, admin": SORTED,
  "1,000 tickets behind a place deep in the list": SORTED,
  "a dashboard's list of a category and severity": FILTERED,
  "a citizen's own tickets": OR,
  "a citizen's own files": OR,
  "newest 100 files": SORTED,
  "Storage: 100 names to be signed": AND,
  "Storage: a file's folder listed, v2": LIKE,
  "Storage: a page of the municipality's folder, v2": LIKE,
};

/** On an older Postgres some of these hold; none else may not. */
const isOther = Deno.env.has("LOCAL_POSTGRES");

Deno.test("what people ask for reads little more than it answers, however many tickets there are", async (t) => {
  const names = OPERATIONS.map(({ name }) => name);
  assertEquals(Object.keys(KNOWN).filter((name) => !names.includes(name)), [], "KNOWN names nothing here");
  const faults = new Map(names.map((name): [string, string[]] => [name, []]));
  for (const size of SIZES) {
    await withMunicipality(size, async (sql, place) => {
      for (const operation of OPERATIONS) {
        for (const planning of operation.plans ?? PLANS) {
          const found = await faultsOf(sql, place, operation, planning);
          faults.get(operation.name)!.push(...found.map((fault) => `of ${size}, ${planning}: ${fault}`));
        }
      }
    });
  }
  for (const { name, as } of OPERATIONS) {
    await t.step(`${name} (${as})`, () => {
      if (!(name in KNOWN)) assertEquals(faults.get(name), []);
      else assert(isOther || faults.get(name)!.length > 0, "it holds now: take its line out of KNOWN");
    });
  }
});

/** One connection of a superuser to a database of its own. */
async function withMunicipality(
  size: number,
  work: (sql: postgres.Sql, place: Place) => Promise<void>,
): Promise<void> {
  const supabase = await startSupabase({ functions: false });
  const url = new URL(supabase.env.SUPABASE_DB_URL!);
  url.username = "supabase_admin";
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    await seedScale(supabase.connect("supabase_admin"), size);
    await work(sql, await readPlace(sql, size));
  } finally {
    await sql.end();
    await supabase.stop();
  }
}

async function faultsOf(
  sql: postgres.Sql,
  place: Place,
  operation: Operation,
  planning: Planning,
): Promise<string[]> {
  const asked = await operation.statement(place, 1);
  const caller = claims(operation.as, place, operation.sub?.(place, 1));
  const faults = await unlessEnded(within(sql, caller, asked.settings, async (tx) => {
    let before = new Map<string, { scans: number; rows: number }>();
    const plan = await explain(tx, bare(asked), planning, async () => {
      before = await rowsRead(tx);
    });
    const after = await rowsRead(tx);
    const answered = Math.max(1, plan["Actual Rows"]);
    const most = (operation.reads ?? RATIO) * answered;
    const faults = sorts(plan).filter((rows) => rows > most).map((rows) => `${rows} rows are sorted`);
    for (const [table, { scans, rows }] of after) {
      const had = before.get(table)!;
      if (scans > had.scans) faults.push(`${table} is read whole`);
      if (rows - had.rows > most) faults.push(`${rows - had.rows} rows of ${table} are read`);
    }
    const pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    if (pages > most + (operation.pages ?? PAGES)) faults.push(`${pages} pages are looked at`);
    if (!plan["Actual Rows"] && !operation.mayBeEmpty) faults.push("there is nothing");
    return faults.map((fault) => `${fault} to answer ${plan["Actual Rows"]}`);
  }));
  return faults ?? ["it lasts too long"];
}

/** Without PostgREST's wrapping, so that the plan's rows are those answered. */
function bare({ rows, params }: Statement): Pick<Statement, "text" | "params"> {
  return { text: rows, params };
}

/** Rows that went into each sort. */
function sorts(node: PlanNode): number[] {
  return (node.Plans ?? []).flatMap((child) => [
    ...(/Sort/.test(node["Node Type"]) ? [child["Actual Rows"] * child["Actual Loops"]] : []),
    ...sorts(child),
  ]);
}

/** By this transaction so far, from within functions and policies too: whole scans, and rows and entries of indexes. */
async function rowsRead(tx: postgres.TransactionSql): Promise<Map<string, { scans: number; rows: number }>> {
  const counted = await tx<{ name: string; scans: number; rows: number }[]>`
    select name, pg_stat_get_xact_numscans(name::regclass)::integer as scans,
      (pg_stat_get_xact_tuples_returned(name::regclass) + coalesce((
        select sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) from pg_index i where i.indrelid = name::regclass
      ), 0))::integer as rows
    from unnest(${TABLES}::text[]) name`;
  return new Map(counted.map(({ name, ...counts }) => [name, counts]));
}
