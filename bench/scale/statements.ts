/** What supabase-js asks, as the SQL that PostgREST sends: prepared, with parameters, wrapped in one JSON answer. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { asCaller } from "../../local/database.ts";
import type { Claims } from "../../local/types.ts";

/** One statement of a user's or a service's. */
export interface Statement {
  text: string;
  params: unknown[];
  /** Without PostgREST's wrapping: whose rows are those answered. */
  rows: string;
  /** Further settings of its transaction. */
  settings?: Record<string, string>;
}

/** A statement of a function, or Storage's. */
export function statement(
  text: string,
  params: unknown[] = [],
  settings?: Record<string, string>,
): Statement {
  return { text, params, rows: text, settings };
}

/** Rows that a hosted project answers at most. */
const MAX_ROWS = 1000;
/** Milliseconds that hosted gives the roles of the API. */
export const TIMEOUT = 8000;

/** The tables' statements that the code asks through supabase-js; `answer` gives the rows of each. */
export async function asked(
  use: (supabase: SupabaseClient) => PromiseLike<unknown>,
  answer: (url: URL) => unknown[] = () => [],
): Promise<Statement[]> {
  const requests: { url: URL; counted: boolean }[] = [];
  const supabase = createClient("http://127.0.0.1", "key", {
    auth: { autoRefreshToken: false, persistSession: false },
    global: {
      fetch(input, init) {
        const url = new URL(String(input));
        const counted = new Headers(init?.headers).get("prefer")?.includes("count=exact") ?? false;
        requests.push({ url, counted });
        return Promise.resolve(Response.json(answer(url), { headers: { "content-range": "*/0" } }));
      },
    },
  });
  await use(supabase);
  return requests.map(({ url, counted }) => select(url, counted));
}

function select(url: URL, counted: boolean): Statement {
  const params: unknown[] = [];
  const value = (given: unknown) => `$${params.push(given)}`;
  const table = `public.${name(url.pathname.split("/").at(-1)!)}`;
  const conditions: string[] = [];
  let columns = "*";
  let order = "";
  let limit = MAX_ROWS;
  for (const [key, given] of url.searchParams) {
    if (key === "select") {
      columns = given === "*" ? given : given.split(",").map(name).join(", ");
    } else if (key === "order") {
      order = " order by " + given.split(",").map((each) => {
        const [column, direction = "asc"] = each.split(".");
        return `${name(column!)} ${direction === "desc" ? "desc" : "asc"}`;
      }).join(", ");
    } else if (key === "limit") limit = Math.min(limit, Number(given));
    else if (key === "or") conditions.push(logic("or", given, value));
    else conditions.push(condition(key, given, value));
  }
  const where = conditions.length ? ` where ${conditions.join(" and ")}` : "";
  const rows = `select ${columns} from ${table}${where}${order} limit ${value(limit)} offset ${value(0)}`;
  const count = counted ? `, counted as (select 1 from ${table}${where})` : "";
  return {
    rows: counted ? `select count(*) from ${table}${where}` : rows,
    text: `with source as (${rows})${count}
      select ${counted ? "(select count(*) from counted)" : "null::bigint"} as total, count(t) as page,
        coalesce(json_agg(t), '[]') as body,
        nullif(current_setting('response.headers', true), '') as headers
      from (select * from source) t`,
    params,
  };
}

type AddValue = (given: unknown) => string;

/** `in.(a,b)`, `lt."2026-…"`, `not.is.null`. */
function condition(column: string, given: string, value: AddValue): string {
  const [, not, operator, operand] = /^(not\.)?([a-z]+)\.(.*)$/s.exec(given)!;
  const is = (comparison: string) => `${not ? "not " : ""}${name(column)} ${comparison}`;
  const symbols: Record<string, string> = { eq: "=", lt: "<", lte: "<=", gt: ">", gte: ">=" };
  if (operator === "is" && operand === "null") return is("is null");
  if (operator === "in") return is(`= any (${value(parts(operand!.slice(1, -1)).map(unquoted))})`);
  if (!(operator! in symbols)) throw new Error(`PostgREST's ${operator} is not known here`);
  return is(`${symbols[operator!]} ${value(unquoted(operand!))}`);
}

/** `(updated_at.lt."…",and(updated_at.eq."…",id.gt.…))`. */
function logic(joined: "or" | "and", given: string, value: AddValue): string {
  const conditions = parts(given.slice(1, -1)).map((part) => {
    const inner = /^(or|and)(\(.*\))$/s.exec(part);
    if (inner) return logic(inner[1] as "or" | "and", inner[2]!, value);
    const dot = part.indexOf(".");
    return condition(part.slice(0, dot), part.slice(dot + 1), value);
  });
  return `(${conditions.join(` ${joined} `)})`;
}

/** Split at the commas outside of quotes and parentheses. */
function parts(list: string): string[] {
  const found = [""];
  let depth = 0;
  let quoted = false;
  for (const sign of list) {
    if (sign === '"') quoted = !quoted;
    if (!quoted && sign === "(") depth++;
    if (!quoted && sign === ")") depth--;
    if (sign === "," && depth === 0 && !quoted) found.push("");
    else found[found.length - 1] += sign;
  }
  return found;
}

const unquoted = (text: string) => text.replace(/^"(.*)"$/s, "$1");

function name(column: string): string {
  if (!/^[a-z_0-9]+$/.test(column)) throw new Error(`${column} is no column's name`);
  return `"${column}"`;
}

class Undo extends Error {}

/** Works as the caller, in a transaction as PostgREST begins it; it is taken back unless `keep`. */
export async function within<T>(
  sql: postgres.Sql,
  claims: Claims,
  settings: Record<string, string> | undefined,
  work: (tx: postgres.TransactionSql) => Promise<T>,
  { keep = false } = {},
): Promise<T> {
  let result: T;
  try {
    await asCaller(sql, claims, { statement_timeout: `${TIMEOUT}`, ...settings }, async (tx) => {
      result = await work(tx);
      if (!keep) throw new Undo();
    });
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
  }
  return result!;
}

/** Milliseconds of the statement; those of the timeout where it was ended for lasting as long. */
export async function time(sql: postgres.Sql, claims: Claims, asking: Statement): Promise<number> {
  const { text, params, settings } = asking;
  try {
    return await within(sql, claims, settings, async (tx) => {
      const begun = performance.now();
      await tx.unsafe(text, params as never[], { prepare: true });
      return performance.now() - begun;
    });
  } catch (error) {
    if ((error as { code?: string }).code !== "57014") throw error;
    return TIMEOUT;
  }
}

/** Pages of 8 KB that the statement looks at, those of its functions and policies included; NaN where it was ended. */
export async function pages(sql: postgres.Sql, claims: Claims, asking: Statement): Promise<number> {
  const { text, params, settings } = asking;
  try {
    return await within(sql, claims, settings, async (tx) => {
      const [row] = await tx.unsafe(
        `explain (analyze, buffers, timing off, format json) ${text}`,
        params as never[],
      );
      const { Plan: plan } = row!["QUERY PLAN"][0];
      return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    });
  } catch (error) {
    if ((error as { code?: string }).code !== "57014") throw error;
    return NaN;
  }
}
