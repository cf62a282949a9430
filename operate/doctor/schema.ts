/** Whether the schema is the migrations': pushed, and not changed by hand since. */
import type postgres from "postgres";
import { authHeaders } from "../../shared/platform/project.ts";
import {
  type CatalogueFile,
  compareCatalogues,
  type Difference,
  type Entry,
  fromFile,
  readCatalogue,
} from "./catalogue.ts";
import type { Finding, Outcome, Problem } from "./findings.ts";

const root = new URL("../../", import.meta.url);

/** Every migration of ours is among those that the project says were pushed. */
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
    await Deno.readTextFile(new URL("operate/doctor/catalogue.json", root)),
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

/**
 * Schema `private` is not served: the Data API itself is asked, since what the Dashboard sets is not in the database.
 * A gateway or database that does not answer throws.
 */
export async function exposure({ url, secretKey }: { url: string; secretKey: string }): Promise<Outcome> {
  const response = await fetch(`${url}/rest/v1/adoption?limit=0`, {
    headers: { ...authHeaders({ url, key: secretKey }), "accept-profile": "private" },
    signal: AbortSignal.timeout(30_000),
  });
  const { code } = await response.json().catch(() => ({})) as { code?: string };
  const isRefused = response.status === 406 && code === "PGRST106";
  // a key that is none is another finding, and tells nothing of schemas
  if (response.status >= 500 || (response.status === 401 && code !== "42501")) {
    throw new Error(`the Data API answered ${response.status}`);
  }
  return {
    found: "the Data API refuses schema private",
    findings: isRefused ? [] : [{
      problem: "private_exposed",
      found: `asked for schema private, the Data API answered ${response.status}${
        code ? ` ${code}` : ""
      }, not 406 PGRST106`,
    }],
  };
}

/** One file of migrations/. */
export interface Migration {
  name: string;
  text: string;
}

/** All of them, in their order. */
export async function readMigrations(): Promise<Migration[]> {
  const directory = new URL("migrations/", root);
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name).filter((name) =>
    name.endsWith(".sql")
  );
  return await Promise.all(
    names.sort().map(async (name) => ({ name, text: await Deno.readTextFile(new URL(name, directory)) })),
  );
}

function findingOf(difference: Difference, sources: Migration[]): Finding {
  const { entry, how } = difference;
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
  return { problem, found, todo: todoOf(difference, sources) };
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

/** The statement that mends it as role postgres, or where it is; nothing where PROBLEMS knows better. */
function todoOf({ entry, expected, how }: Difference, sources: Migration[]): string | undefined {
  const { kind, parent, name } = entry;
  if (how === "extra") {
    if (kind === "policy") {
      return `${alone(`drop policy "${name}" on ${parent}`)} -- or have it name its own buckets or topics`;
    }
    if (kind === "trigger") return alone(`drop trigger "${name}" on ${parent}`);
  }
  if (kind === "grant") {
    const [privilege, grantee] = name.split(" to ");
    const target = parent.includes("(") ? `function ${parent}` : parent;
    return how === "extra"
      ? `revoke ${privilege} on ${target} from ${grantee};`
      : `grant ${privilege} on ${target} to ${grantee};`;
  }
  if (kind === "table" && how === "changed") {
    // hosted refuses it to postgres on the platform's tables: 42501, must be owner
    return isPlatforms(name) ? undefined : `alter table ${name} enable row level security;`;
  }
  if (kind === "trigger") return createTrigger(expected!);
  const source = sourceOf(entry, sources);
  return source &&
    `migrations/${source} has the statement that makes it: docs/runbook.md#the-schema-was-changed`;
}

/** Behind the migrations' lock: policies and dropped triggers lock tables of Auth, and a sign-in must not wait for them. */
function alone(statement: string): string {
  return `do $$ begin perform private.lock_tables('{}'); ${statement}; end $$;`;
}

function isPlatforms(table: string): boolean {
  return /^(storage|realtime)\./.test(table);
}

/** Makes it, or makes it anew and switches it on: what `enable trigger` does, and who owns no table may do too. */
function createTrigger({ name, parent, definition }: Entry): string {
  const statement = `${definition.replace(/ enabled$/, "")};`;
  // a constraint trigger cannot be replaced
  return statement.startsWith("CREATE CONSTRAINT ")
    ? `${alone(`drop trigger if exists "${name}" on ${parent}`)} ${statement}`
    : statement.replace("CREATE ", "CREATE OR REPLACE ");
}

/** The migration whose statement makes the entry; undefined for what is the platform's, and for grants and roles. */
export function sourceOf({ kind, parent, name }: Entry, sources: Migration[]): string | undefined {
  const find = (pattern: string) => sources.find(({ text }) => new RegExp(pattern).test(text))?.name;
  const [its, on] = [RegExp.escape(name), RegExp.escape(parent)];
  const table = (title: string) => find(`create table (if not exists )?${title}\\b`);
  const constraint = () => find(`add constraint ${its}\\b`) ?? table(on);
  switch (kind) {
    case "table":
      return table(its);
    case "column":
      return table(on);
    case "constraint":
      return constraint();
    case "index":
      return find(`create (unique )?index (concurrently )?(if not exists )?${its}\\b`) ?? constraint();
    case "policy":
      // Postgres cuts a name after 63 bytes
      return find(`create policy "${its}${name.length < 63 ? "" : '[^"]*'}" on ${on}\\b`);
    case "trigger":
      return find(`create (or replace )?(constraint )?trigger ${its}\\b`);
    case "function":
      return find(`create (or replace )?function ${RegExp.escape(name.split("(")[0]!)}\\(`);
    case "view":
      return find(`create (or replace )?view ${its}\\b`);
    default:
      return undefined;
  }
}
