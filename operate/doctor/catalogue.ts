/**
 * What the migrations make, as Postgres' catalogue has it: tables, policies, triggers, functions, grants… A project
 * is compared with catalogue.json, which tests/doctor/write-catalogue.ts writes from a database that has only them.
 */
import type postgres from "postgres";

/** One object and its definition, in Postgres' own words (17). */
export interface Entry {
  kind:
    | "table"
    | "view"
    | "column"
    | "constraint"
    | "index"
    | "policy"
    | "trigger"
    | "function"
    | "grant"
    | "role";
  /** The table, view, function or schema that it is on; empty for those themselves. */
  parent: string;
  name: string;
  definition: string;
}

/** All entries of schemas public and private, and of ours on the platform's tables. Changes nothing. */
export async function readCatalogue(sql: postgres.TransactionSql): Promise<Entry[]> {
  // names come out qualified, whatever the database's own path is
  await sql`select set_config('search_path', '', true)`;
  return [
    ...await sql<Entry[]>`
      with tables as (
        select c.*, n.nspname || '.' || c.relname as title, n.nspname in ('public', 'private') as ours
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'private')
          or (n.nspname, c.relname) in (('storage', 'objects'), ('storage', 'buckets'), ('realtime', 'messages'))
      ), functions as (
        select p.*, p.oid::regprocedure::text as title
        from pg_proc p where p.pronamespace in ('public'::regnamespace, to_regnamespace('private'))
      ), grants as (
        select t.title as parent, a.privilege_type || ' to ' || coalesce(r.rolname, 'public') as name
        from tables t cross join aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) a
        left join pg_roles r on r.oid = a.grantee
        where t.ours and t.relkind in ('r', 'p', 'v') and (a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role'))
        union all
        select t.title, a.privilege_type || ' (' || c.attname || ') to ' || coalesce(r.rolname, 'public')
        from tables t join pg_attribute c on c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped
        cross join aclexplode(c.attacl) a
        left join pg_roles r on r.oid = a.grantee
        where t.ours and (a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role'))
        union all
        select f.title, a.privilege_type || ' to ' || coalesce(r.rolname, 'public')
        from functions f cross join aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
        left join pg_roles r on r.oid = a.grantee
        where a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role')
        union all
        select 'schema ' || n.nspname, a.privilege_type || ' to ' || coalesce(r.rolname, 'public')
        from pg_namespace n cross join aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
        left join pg_roles r on r.oid = a.grantee
        where n.nspname = 'private' and (a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role'))
      )
      select 'table' as kind, '' as parent, t.title as name,
        case when t.relrowsecurity then 'row-level security' else 'no row-level security' end as definition
      from tables t where t.relkind in ('r', 'p')
      union all
      select 'view', '', t.title, concat_ws(' ', 'with', t.reloptions::text,
        -- Postgres 15 writes r.tenant_id where 16 and later write tenant_id
        regexp_replace(pg_get_viewdef(t.oid), '\\m[a-z]\\.(?=[a-z_])', '', 'g'))
      from tables t where t.relkind = 'v'
      union all
      select 'column', t.title, c.attname, concat_ws(' ', format_type(c.atttypid, c.atttypmod),
        case when c.attnotnull then 'not null' end, 'default ' || pg_get_expr(d.adbin, d.adrelid),
        case when c.attstattarget = 0 then 'no statistics' end)
      from tables t join pg_attribute c on c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped
      left join pg_attrdef d on d.adrelid = t.oid and d.adnum = c.attnum
      where t.ours and t.relkind in ('r', 'p', 'c')
      union all
      select 'constraint', t.title, c.conname, pg_get_constraintdef(c.oid)
      from tables t join pg_constraint c on c.conrelid = t.oid where t.ours and c.contype in ('c', 'f', 'p', 'u', 'x')
      union all
      select 'index', t.title, c.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid), case when not i.indisvalid then 'invalid' end)
      from tables t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid where t.ours
      union all
      select 'policy', t.title, p.polname, concat_ws(' ',
        case when p.polpermissive then 'permissive' else 'restrictive' end,
        case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        'to', (
          select string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname)
          from unnest(p.polroles) as role (id) left join pg_roles r on r.oid = role.id
        ),
        'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
      from tables t join pg_policy p on p.polrelid = t.oid
      union all
      select 'trigger', t.title, g.tgname, concat_ws(' ', pg_get_triggerdef(g.oid),
        case g.tgenabled when 'O' then 'enabled' when 'D' then 'disabled' else 'enabled only as ' || g.tgenabled::text end)
      from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
      join pg_proc p on p.oid = g.tgfoid
      where t.ours or p.pronamespace = to_regnamespace('private')
      union all
      select 'function', '', f.title, concat_ws(' ', pg_get_function_result(f.oid),
        case when f.prosecdef then 'security definer' end, f.provolatile::text, l.lanname, f.proconfig::text, md5(f.prosrc))
      from functions f join pg_language l on l.oid = f.prolang
      union all
      select 'grant', parent, name, '' from grants
      union all
      select 'role', '', r.rolname, concat_ws(', ', case when r.rolsuper then 'superuser' end,
        case when r.rolbypassrls then 'bypasses row-level security' end,
        case when pg_has_role(r.oid, 'service_role', 'MEMBER') then 'is service_role too' end)
      from pg_roles r where r.rolname in ('anon', 'authenticated')
      order by 1, 2, 3`,
  ];
}

/** By kind, parent and name: as catalogue.json has it, a line an entry. */
export type CatalogueFile = Record<string, Record<string, Record<string, string>>>;

export function toFile(entries: Entry[]): CatalogueFile {
  const file: CatalogueFile = {};
  for (const { kind, parent, name, definition } of entries) {
    ((file[kind] ??= {})[parent] ??= {})[name] = definition;
  }
  return file;
}

export function fromFile(file: CatalogueFile): Entry[] {
  return Object.entries(file).flatMap(([kind, parents]) =>
    Object.entries(parents).flatMap(([parent, names]) =>
      Object.entries(names).map(([name, definition]) => ({
        kind: kind as Entry["kind"],
        parent,
        name,
        definition,
      }))
    )
  );
}

/** What differs from the migrations' catalogue. */
export interface Difference {
  /** As it is found; as the migrations make it where it is missing. */
  entry: Entry;
  /** As the migrations make it, if they do. */
  expected?: Entry;
  how: "missing" | "changed" | "extra";
}

export interface Comparison {
  differences: Difference[];
  /** Objects on an adopted `tickets` that are not ours: they may be there, and are worth a look. */
  adopted: Entry[];
}

const TICKETS = "public.tickets";
/** What a project may not add to our own objects. More columns, constraints and indexes do no harm. */
const CLOSED: Entry["kind"][] = ["policy", "trigger", "grant"];

/**
 * Compares a project's catalogue with the migrations'. Objects that have nothing to do with ours do not count, nor does what
 * an adopted `tickets` brought along.
 */
export function compareCatalogues(expected: Entry[], actual: Entry[], isAdopted: boolean): Comparison {
  const key = ({ kind, parent, name }: Entry) => JSON.stringify([kind, parent, name]);
  const there = new Map(actual.map((entry) => [key(entry), entry]));
  const known = new Set(expected.map(key));
  const ours = new Set(expected.map(({ parent, name }) => parent || name));

  const differences: Difference[] = [];
  const adopted: Entry[] = [];
  for (const entry of expected) {
    const found = there.get(key(entry));
    if (found && sameDefinition(entry, found)) continue;
    // its own columns, constraints, keys and rights stay as they were; what hides a sensitive ticket does not
    const itsOwn = isAdopted && entry.parent === TICKETS && entry.name !== "is_sensitive" &&
      ((entry.kind === "column" && found) || entry.kind === "constraint" || entry.kind === "grant" ||
        entry.name === "tickets_pkey");
    if (!itsOwn) {
      differences.push({ entry: found ?? entry, expected: entry, how: found ? "changed" : "missing" });
    }
  }
  for (const entry of actual) {
    if (known.has(key(entry)) || !CLOSED.includes(entry.kind) || !ours.has(entry.parent)) continue;
    const reach = reachOf(entry);
    if (isAdopted && (entry.parent === TICKETS || reach === "everything")) adopted.push(entry);
    else if (reach !== "its own") differences.push({ entry, how: "extra" });
  }
  return { differences, adopted };
}

function sameDefinition(one: Entry, other: Entry): boolean {
  const words = (text: string) => text.replaceAll(/\s+/g, " ");
  return words(one.definition) === words(other.definition);
}

/**
 * What an object that is not of the migrations is about. A project's own policies on the platform's tables are its own
 * business while they name its own buckets and topics; one that names none reaches for ours too. (Our restrictive policies
 * hold against both, so a project that had such a one before it adopted us may keep it.)
 */
function reachOf({ kind, parent, definition }: Entry): "ours" | "everything" | "its own" {
  if (kind !== "policy") return "ours";
  switch (parent) {
    case "storage.objects":
      if (/'(gbv-)?evidence'|'documents'/.test(definition)) return "ours";
      return definition.includes("bucket_id") ? "its own" : "everything";
    case "storage.buckets":
      return /^\w+ select /.test(definition) ? "its own" : "everything";
    case "realtime.messages":
      if (definition.includes("municipality:")) return "ours";
      return definition.includes("topic") ? "its own" : "everything";
    default:
      return "ours";
  }
}
