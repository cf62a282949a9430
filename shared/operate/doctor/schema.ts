/** Whether the schema is the migrations': pushed, and not changed by hand since. */
import type postgres from "postgres";
import {
  type CatalogueFile,
  compareCatalogues,
  type Difference,
  fromFile,
  readCatalogue,
} from "./catalogue.ts";
import type { Finding, Outcome, Problem } from "./findings.ts";

const root = new URL("../../../", import.meta.url);

/** Every migration of ours stands among those that the project says were pushed. */
export async function migrations(sql: postgres.TransactionSql): Promise<Outcome> {
  const files = (await readMigrations()).map(({ name }) => name);
  const [table] = await sql`select to_regclass('supabase_migrations.schema_migrations') is not null as there`;
  const pushed = new Set(
    table!.there
      ? (await sql`select version from supabase_migrations.schema_migrations`).map(({ version }) => version)
      : [],
  );
  const missing = files.filter((name) => !pushed.has(name.split("_")[0]));
  return {
    found: `all ${files.length} pushed, the newest ${files.at(-1)}`,
    findings: missing.map((name) => ({ problem: "migration_missing", found: `${name} was not pushed` })),
  };
}

/** Tables, policies, triggers, functions and grants are as the migrations made them. */
export async function schema(sql: postgres.TransactionSql): Promise<Outcome> {
  const file: CatalogueFile = JSON.parse(
    await Deno.readTextFile(new URL("shared/operate/doctor/catalogue.json", root)),
  );
  const expected = fromFile(file);
  const [row] = await sql`
    select to_regclass('private.adoption') is not null as noted`;
  const isAdopted = row!.noted &&
    (await sql`select from private.adoption where item = 'table tickets'`).length > 0;
  const { differences, adopted } = compareCatalogues(expected, await readCatalogue(sql), isAdopted);
  // what is on a table, view or function that is not there is not there either
  const gone = new Set(
    differences.filter(({ entry, how }) => how === "missing" && entry.parent === "").map(({ entry }) =>
      entry.name
    ),
  );
  const sources = await readMigrations();
  const yours = adopted.map(({ kind, name, parent }) => `${kind} ${name} on ${parent}`);
  return {
    found: `${expected.length} objects as the migrations made them` +
      (yours.length ? `; also your own: ${yours.join(", ")}` : ""),
    findings: differences.filter(({ entry }) => !gone.has(entry.parent))
      .map((difference) => findingOf(difference, sources)),
  };
}

/** No schema of helpers is served by the Data API. */
export async function exposure(sql: postgres.TransactionSql): Promise<Outcome> {
  const [row] = await sql`
    select exists (
      select from pg_db_role_setting s cross join unnest(s.setconfig) setting
      where setting like 'pgrst.db_schemas=%'
        and 'private' = any (string_to_array(replace(split_part(setting, '=', 2), ' ', ''), ','))
    ) as exposed`;
  return {
    found: "schema private is not served",
    findings: row!.exposed
      ? [{ problem: "private_exposed", found: "schema private is among those the Data API serves" }]
      : [],
  };
}

async function readMigrations(): Promise<{ name: string; text: string }[]> {
  const directory = new URL("migrations/", root);
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name).filter((name) =>
    name.endsWith(".sql")
  );
  return await Promise.all(
    names.sort().map(async (name) => ({ name, text: await Deno.readTextFile(new URL(name, directory)) })),
  );
}

function findingOf({ entry, how }: Difference, sources: { name: string; text: string }[]): Finding {
  const { kind, parent, name } = entry;
  const what = parent
    ? `${kind} ${kind === "grant" ? name : JSON.stringify(name)} on ${parent}`
    : `${kind} ${name}`;
  const problem = problemOf(entry, how);
  const found = problem === "rls_off"
    ? `row-level security is off on ${name}`
    : problem === "role_changed"
    ? `role ${name}: ${entry.definition}`
    : `${what} ${
      { missing: "is missing", changed: "is not as the migration made it", extra: "is not ours" }[how]
    }`;
  return { problem, found, todo: todoOf(entry, how, sources) };
}

function problemOf({ kind }: Difference["entry"], how: Difference["how"]): Problem {
  switch (kind) {
    case "table":
      return how === "missing" ? "table_missing" : "rls_off";
    case "policy":
      return ({ missing: "policy_missing", changed: "policy_changed", extra: "policy_extra" } as const)[how];
    case "trigger":
      return ({ missing: "trigger_missing", changed: "trigger_changed", extra: "trigger_extra" } as const)[
        how
      ];
    case "function":
      return how === "missing" ? "function_missing" : "function_changed";
    case "grant":
      return how === "missing" ? "grant_missing" : "grant_extra";
    default:
      return `${kind}_changed`;
  }
}

/** The statement that mends it, or where it stands. */
function todoOf(
  { kind, parent, name, definition }: Difference["entry"],
  how: Difference["how"],
  sources: { name: string; text: string }[],
): string | undefined {
  if (how === "extra") {
    if (kind === "policy") {
      return `drop policy "${name}" on ${parent}; (or have it name its own buckets or topics)`;
    }
    if (kind === "trigger") return `drop trigger "${name}" on ${parent};`;
  }
  if (kind === "grant") {
    const [privilege, grantee] = name.split(" to ");
    const target = parent.includes("(") ? `function ${parent}` : parent;
    return how === "extra"
      ? `revoke ${privilege} on ${target} from ${grantee};`
      : `grant ${privilege} on ${target} to ${grantee};`;
  }
  if (kind === "table" && how === "changed") return `alter table ${name} enable row level security;`;
  if (kind === "trigger" && how === "changed" && /disabled$|enabled only as \w$/.test(definition)) {
    return `alter table ${parent} enable trigger "${name}";`;
  }
  const bare = kind === "function" ? `function ${name.split("(")[0]}(` : name;
  const source = sources.findLast(({ text }) => text.includes(bare))?.name;
  if (!source || kind === "role") return undefined;
  return `migrations/${source} has the statement that makes it: docs/runbook.md#the-schema-was-changed`;
}
