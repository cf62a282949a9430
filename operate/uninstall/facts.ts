/** What an uninstall has to know of a project: what is there of what the migrations make, and what is in it. */
import type postgres from "postgres";
import { BUCKETS } from "../../shared/storage/buckets.ts";
import { type CatalogueFile, fromFile, readCatalogue } from "../doctor/catalogue.ts";
import { HIDING } from "./hide.ts";

const root = new URL("../../", import.meta.url);

export const TICKETS = "public.tickets";
/** Notes what was there before us. Where it is, the bundle is, or something that it left. */
export const ADOPTION = "private.adoption";
export const GBV_CHECK = "tickets_gbv_check";
/** Settings, notes, counts and copies, not what anybody sent us: their rows alone keep no table. */
const SETTINGS = [
  ADOPTION,
  "public.whatsapp_numbers",
  "public.municipalities",
  "private.media_worker_calls",
  "private.ticket_counts",
  "private.ticket_count_changes",
  "private.ticket_words",
];

/** A name as SQL has it. */
export const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** A text as SQL has it. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

async function migrationsCatalogue(): Promise<CatalogueFile> {
  return JSON.parse(await Deno.readTextFile(new URL("operate/doctor/catalogue.json", root)));
}

/** Names of objects, qualified. */
export interface Ours {
  tables: string[];
  views: string[];
  functions: string[];
  policies: { parent: string; name: string }[];
  triggers: { parent: string; name: string; definition: string }[];
}

/** What the migrations make and this project has; nothing where neither the bundle nor what it left is: names prove little. */
export async function ourObjects(sql: postgres.TransactionSql): Promise<Ours> {
  const file = await migrationsCatalogue();
  const found = await readCatalogue(sql);
  const isHere = found.some(({ kind, name }) =>
    (kind === "table" && name === ADOPTION) || (kind === "policy" && name === HIDING)
  );
  const present = new Map(
    (isHere ? found : []).map((
      entry,
    ) => [JSON.stringify([entry.kind, entry.parent, entry.name]), entry]),
  );
  const entries = fromFile(file).flatMap(({ kind, parent, name }) =>
    present.get(JSON.stringify([kind, parent, name])) ?? []
  );
  const names = (kind: string) => entries.filter((entry) => entry.kind === kind).map(({ name }) => name);
  const on = (kind: string) => entries.filter((entry) => entry.kind === kind);
  const tables = await madeByUs(sql, names("table").filter((name) => /^(public|private)\./.test(name)));
  return {
    tables,
    views: names("view"),
    functions: names("function"),
    policies: on("policy"),
    triggers: on("trigger"),
  };
}

/**
 * Those of the tables that say of themselves what the migrations' `comment on table` says: one that the municipality made
 * under the same name, after an uninstall that left something, is theirs. (An adopted tickets keeps its own comment.)
 */
async function madeByUs(sql: postgres.TransactionSql, tables: string[]): Promise<string[]> {
  const words = new Map<string, string>();
  for (const { name } of Deno.readDirSync(new URL("migrations/", root))) {
    const text = Deno.readTextFileSync(new URL(`migrations/${name}`, root));
    for (const [, table, comment] of text.matchAll(/comment on table (\S+) is\s+'((?:[^']|'')*)'/g)) {
      words.set(table!, comment!.replaceAll("''", "'"));
    }
  }
  const rows = await sql<{ name: string; comment: string | null }[]>`
    select name, obj_description(to_regclass(name), 'pg_class') as comment from unnest(${tables}::text[]) as name`;
  return rows.filter(({ name, comment }) => name === TICKETS || comment === words.get(name)).map(({ name }) =>
    name
  );
}

/** What the plan depends on. */
export interface Facts {
  /** The migrations made public.tickets. */
  ownTickets: boolean;
  /** A tickets table is there, with row-level security on. */
  securedTickets: boolean;
  sensitiveTickets: boolean;
  /** Tables that stay: those with rows, and those they refer to. An adopted tickets is among them only if referred to. */
  kept: Set<string>;
  keptColumns: string[];
  droppedColumns: string[];
  ourDefault: boolean;
  /** An adopted table has our constraint that what is GBV is sensitive. */
  gbvCheck: boolean;
  grants: { column: string; privilege: string; grantee: string }[];
  statistics: { column: string; statistics: number }[];
  /** Of tickets and the tables that stay. */
  indexes: { parent: string; name: string; backs: boolean }[];
  /** Ours. Of an empty one too somebody may hold an upload's token: it counts like a full one until it is gone. */
  buckets: { id: string; full: boolean }[];
  messages: boolean;
  /** Tables that hide something already: the migrations drop that policy, so an uninstall made it. */
  hidden: string[];
  job: boolean;
  vaultSecrets: string[];
  schema: "ours" | "theirs" | "absent";
  /** Who may use schema private by our grant. */
  usage: string[];
  /** What is in schema private and not ours. */
  strangers: string[];
  versions: string[];
  /** Queries that found nothing, on which the plan rests. */
  unfound: string[];
}

/** Reads what the plan depends on; changes nothing. */
export async function readFacts(sql: postgres.TransactionSql, ours: Ours): Promise<Facts> {
  const there = async (name: string) =>
    (await sql`select to_regclass(${name}) is not null as there`)[0]!.there as boolean;
  const unfound: string[] = [];
  const any = async (query: string) => {
    const found = (await sql.unsafe(`select exists (${query}) as found`))[0]!.found as boolean;
    if (!found) unfound.push(query);
    return found;
  };

  const installed = ours.tables.includes(ADOPTION);
  const hidden =
    (await sql`select polrelid::regclass::text as name from pg_policy where polname = ${HIDING} order by 1`)
      .map(({ name }) => name as string);
  const adoption = new Map<string, { acl?: string[]; statistics?: number }>(
    installed ? (await sql`select item, was from private.adoption`).map(({ item, was }) => [item, was]) : [],
  );
  const hasTickets = await there(TICKETS);
  const ownTickets = adoption.has("own table tickets");
  const adopted = adoption.has("table tickets");
  const columns = hasTickets ? await ticketColumns(sql) : [];
  const isAdopted = (column: string) => adoption.has(`column tickets.${column}`);
  const added = !adopted ? [] : columns.filter(({ name, known }) => known && !isAdopted(name));
  const touched = ({ name, type, missing }: Column) =>
    `${identifier(name)} is distinct from ${missing === null ? "null" : `${literal(missing)}::${type}`}`;
  const held = added.length
    ? (await sql.unsafe(
      `select ${
        added.map((column) => `bool_or(${touched(column)}) as ${identifier(column.name)}`).join(", ")
      } from ${TICKETS}`,
    ))[0]!
    : {} as Record<string, boolean>;
  const untouched = added.filter(({ name }) => !held[name]);
  // in one query, which reads the rows once
  if (untouched.length) unfound.push(`select from ${TICKETS} where ${untouched.map(touched).join(" or ")}`);
  const keptColumns = added.filter(({ name }) => held[name]).map(({ name }) => name);
  const kept = await keptTables(sql, ours, any, keptColumns, ownTickets);
  const sensitiveTickets = columns.some(({ name }) => name === "is_sensitive") &&
    (ownTickets || adopted || hidden.includes(TICKETS)) &&
    await any(`select from ${TICKETS} where is_sensitive`);

  const buckets = (await sql<{ id: string; full: boolean }[]>`
    select b.id, exists (select from storage.objects o where o.bucket_id = b.id) as full
    from storage.buckets b where b.id in ${sql(Object.keys(BUCKETS))} order by b.id`)
    .filter(() => installed || hidden.includes("storage.objects"));
  unfound.push(
    ...buckets.filter(({ full }) => !full).map(({ id }) =>
      `select from storage.objects where bucket_id = ${literal(id)}`
    ),
  );
  const grantable = ["anon", "authenticated", "service_role"];
  const schemaAcl = adoption.get("schema private")?.acl;
  const [schema] = await sql`
    select array(
      select coalesce(r.rolname, 'public') from aclexplode(n.nspacl) a left join pg_roles r on r.oid = a.grantee
      where a.privilege_type = 'USAGE' and (a.grantee = 0 or r.rolname in ${sql(grantable)})
    ) as usage
    from pg_namespace n where n.nspname = 'private'`;
  const files = Array.from(Deno.readDirSync(new URL("migrations/", root)), ({ name }) => name.split("_")[0]!);
  return {
    ownTickets,
    securedTickets: hasTickets && await any(
      `select from pg_class where oid = '${TICKETS}'::regclass and relrowsecurity`,
    ),
    sensitiveTickets,
    kept,
    keptColumns,
    droppedColumns: untouched.map(({ name }) => name),
    ourDefault: columns.some(({ expression }) => expression?.includes("private.new_tracking_number()")),
    gbvCheck: adopted && await any(
      `select from pg_constraint where conname = ${
        literal(GBV_CHECK)
      } and conrelid = to_regclass('${TICKETS}')`,
    ),
    grants: columns.flatMap(({ name, acl }) =>
      isAdopted(name) ? newGrants(name, acl, adoption.get(`column tickets.${name}`)!.acl ?? []) : []
    ).concat(
      keptColumns.flatMap((name) => newGrants(name, columns.find((column) => column.name === name)!.acl, [])),
    ),
    statistics: columns.filter(({ name, statistics }) => isAdopted(name) && statistics === 0)
      .map(({ name }) => ({ column: name, statistics: adoption.get(`column tickets.${name}`)!.statistics! }))
      .filter(({ statistics }) => statistics !== 0),
    indexes: await ourIndexes(sql, [...kept, ...adopted ? [TICKETS] : []], kept),
    buckets,
    messages: (installed || hidden.includes("realtime.messages")) &&
      await any("select from realtime.messages where topic like 'municipality:%'"),
    hidden,
    job: await there("cron.job") && await any("select from cron.job where jobname = 'media-worker'"),
    vaultSecrets: await there("vault.secrets")
      ? (await sql`select name from vault.secrets where name in ('media_worker_url', 'media_worker_key') order by name`)
        .map(({ name }) => name)
      : [],
    schema: !schema ? "absent" : schemaAcl || !installed ? "theirs" : "ours",
    usage: !schema || !installed
      ? []
      : (schema.usage as string[]).filter((grantee) =>
        !schemaAcl?.some((item) => item.startsWith(`${grantee === "public" ? "" : grantee}=`))
      ),
    strangers: installed ? await strangersIn(sql, ours) : [],
    versions: await there("supabase_migrations.schema_migrations")
      ? (await sql`select version from supabase_migrations.schema_migrations where version in ${sql(files)}`)
        .map(({ version }) => version)
      : [],
    unfound,
  };
}

interface Column {
  name: string;
  /** The migrations know a column of this name. */
  known: boolean;
  type: string;
  /** What rows older than the column show. */
  missing: string | null;
  expression: string | null;
  statistics: number;
  acl: string[];
}

async function ticketColumns(sql: postgres.TransactionSql): Promise<Column[]> {
  const file = await migrationsCatalogue();
  const known = Object.keys(file.column![TICKETS]!);
  return await sql<Column[]>`
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attname in ${
    sql(known)
  } as known, (a.attmissingval::text::text[])[1] as missing,
      pg_get_expr(d.adbin, d.adrelid) as expression, coalesce(a.attstattarget, -1)::int as statistics,
      coalesce(a.attacl::text[], '{}') as acl
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${TICKETS}::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`;
}

/** Tables of ours with rows in them, and all that their foreign keys refer to. */
async function keptTables(
  sql: postgres.TransactionSql,
  ours: Ours,
  any: (query: string) => Promise<boolean>,
  keptColumns: string[],
  ownTickets: boolean,
): Promise<Set<string>> {
  const kept = new Set<string>();
  for (const name of ours.tables) {
    if (SETTINGS.includes(name) || (name === TICKETS && !ownTickets)) continue;
    if (await any(`select from ${name}`)) kept.add(name);
  }
  // records are verified against all of these, the empty ones too
  if (kept.has("public.custody_records")) {
    for (const name of ours.tables) if (/\.custody_/.test(name)) kept.add(name);
  }
  const references = await sql<{ from: string; to: string; column: string }[]>`
    select c.conrelid::regclass::text as "from", c.confrelid::regclass::text as "to", a.attname as "column"
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid::regclass::text in ${sql(ours.tables.length ? ours.tables : [""])}`;
  for (let before = -1; before !== kept.size;) {
    before = kept.size;
    for (const { from, to, column } of references) {
      const refers = from === TICKETS && !ownTickets
        ? keptColumns.includes(column)
        : kept.has(from) || !ours.tables.includes(from);
      if (refers) kept.add(to);
    }
  }
  return kept;
}

/** Our indexes of the tables, and whether a foreign key of a table that stays needs each. */
async function ourIndexes(
  sql: postgres.TransactionSql,
  tables: string[],
  kept: Set<string>,
): Promise<Facts["indexes"]> {
  const file = await migrationsCatalogue();
  const found: Facts["indexes"] = [];
  for (const parent of new Set(tables)) {
    const names = Object.keys(file.index?.[parent] ?? {});
    if (names.length === 0) continue;
    found.push(
      ...await sql<Facts["indexes"]>`
        select ${parent} as parent, c.relname as name, exists (
          select from pg_constraint k where k.contype = 'f' and k.conindid = i.indexrelid
            and k.conrelid::regclass::text = any (${[...kept]})
        ) as backs
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = ${parent}::regclass and c.relname in ${sql(names)}
          and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
        order by c.relname`,
    );
  }
  return found;
}

/** Rights that a column has now and had not when it was adopted. */
function newGrants(column: string, now: string[], then: string[]): Facts["grants"] {
  const letters: Record<string, string> = { r: "select", a: "insert", w: "update" };
  const had = new Map(then.map((item) => [item.split("=")[0], item.split("=")[1]!.split("/")[0]!]));
  return now.flatMap((item) => {
    const [grantee, rest] = item.split("=") as [string, string];
    if (!["authenticated", "service_role"].includes(grantee)) return [];
    return [...rest.split("/")[0]!].filter((letter) =>
      letter in letters && !had.get(grantee)?.includes(letter)
    )
      .map((letter) => ({ column, privilege: letters[letter]!, grantee }));
  });
}

async function strangersIn(sql: postgres.TransactionSql, ours: Ours): Promise<string[]> {
  const known = [...ours.tables, ...ours.functions, ...ours.views];
  const rows = await sql`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace = 'private'::regnamespace and c.relkind not in ('i', 'I', 't')
    union all
    select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'private'::regnamespace
    union all
    select t.oid::regtype::text from pg_type t where t.typnamespace = 'private'::regnamespace and t.typtype in ('e', 'd', 'r')`;
  return rows.map(({ name }) => name as string).filter((name) => !known.includes(name));
}
