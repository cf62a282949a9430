/** Where a word is written down that must be nowhere. */
import type postgres from "postgres";
import { assert } from "./assert.ts";

/** What any text with this ASCII word in it contains, written as it is, in hex or in base64. */
export function traces(word: string): string[] {
  const bytes = new TextEncoder().encode(word);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  // at each place within a group of three; the ends depend on what stands beside them
  const base64 = [0, 1, 2].map((before) => {
    const text = btoa(" ".repeat(before) + word);
    return text.slice(before === 0 ? 0 : 4, text.length - text.length % 4 - 4);
  });
  return [word, hex, ...base64];
}

/** The tables of ours, of Storage, Auth and Realtime whose rows have any of the words. */
export async function tablesWith(sql: postgres.Sql, words: string[]): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('public', 'private', 'realtime', 'storage', 'auth')
      and has_table_privilege(c.oid, 'select')`;
  assert(tables.length > 15, "too few tables: nothing would be proved");
  const pattern = words.map((word) => word.replace(/[^A-Za-z0-9]/g, (sign) => `\\${sign}`)).join("|");
  const found = await Promise.all(tables.map(async ({ name }) => {
    const [row] = await sql.unsafe(`select exists (select from ${name} t where t::text ~* $1) as it`, [
      pattern,
    ]);
    return row!.it ? [name] : [];
  }));
  return found.flat().sort();
}

/**
 * Columns whose rows have any of the words, as `schema.table.column`, and `statistics of …` where the planner keeps it: of
 * every table there is but Postgres' own. For a superuser.
 */
export async function columnsWith(sql: postgres.Sql, words: string[]): Promise<string[]> {
  const columns = await sql<{ place: string; relation: string; name: string }[]>`
    select concat_ws('.', n.nspname, c.relname, a.attname) as place, format('%I.%I', n.nspname, c.relname) as relation,
      format('%I', a.attname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`;
  assert(columns.length > 200, "too few columns: nothing would be proved");
  const pattern = words.map((word) => word.replace(/[^A-Za-z0-9]/g, (sign) => `\\${sign}`)).join("|");
  const found: string[] = [];
  for (const [relation, those] of Map.groupBy(columns, ({ relation }) => relation)) {
    const tests = those.map(({ name }, index) =>
      `coalesce(bool_or(${name}::text ~* $1), false) as c${index}`
    );
    const [row] = await sql.unsafe(`select ${tests.join(", ")} from ${relation}`, [pattern]);
    found.push(...those.filter((_, index) => row![`c${index}`]).map(({ place }) => place));
  }
  const statistics = await sql`
    select concat_ws('.', s.schemaname, s.tablename, s.attname) as place from pg_stats s
    where concat_ws(' ', s.most_common_vals, s.histogram_bounds, s.most_common_elems) ~* ${pattern}`;
  return [...found, ...statistics.map(({ place }) => `statistics of ${place}`)].sort();
}
