/** What supabase-js asks, as the SQL that PostgREST sends: prepared, with parameters, wrapped in one JSON answer. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { asCaller } from "../../local/database.ts";
import type { Claims } from "../../local/types.ts";
import { quantile } from "../harness/statistics.ts";

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

/** The statements that the code asks through supabase-js; `answer` gives the rows of each. */
export async function asked(
  use: (supabase: SupabaseClient) => PromiseLike<unknown>,
  answer: () => Record<string, unknown>[] = () => [],
): Promise<Statement[]> {
  const statements: Statement[] = [];
  const supabase = createClient("http://127.0.0.1", "key", {
    auth: { autoRefreshToken: false, persistSession: false },
    global: {
      fetch(input, init) {
        const url = new URL(String(input));
        const rows = answer();
        if (url.pathname.includes("/rpc/")) {
          const args = JSON.parse(String(init!.body));
          statements.push(page(url, args));
          const last = rows.at(-1);
          const next = last ? { time: last[args.sort], id: last.id } : null;
          return Promise.resolve(Response.json({ tickets: rows, next }));
        }
        const counted = new Headers(init?.headers).get("prefer")?.includes("count=exact") ?? false;
        statements.push(select(url, counted));
        return Promise.resolve(Response.json(rows, { headers: { "content-range": "*/0" } }));
      },
    },
  });
  await use(supabase);
  return statements;
}

/** Of list_tickets and search_tickets. */
const TYPES: Record<string, string> = {
  words: "text",
  number: "text",
  sort: "text",
  page_size: "integer",
  since: "timestamptz",
  sensitive: "boolean",
  status: "text[]",
  category: "text[]",
  severity: "text[]",
  ids: "uuid[]",
  after_time: "timestamptz",
  after_id: "uuid",
};

/** A function that answers a page of tickets, called as PostgREST calls it. */
function page(url: URL, args: Record<string, unknown>): Statement {
  const names = Object.keys(args);
  const call = `public.${name(url.pathname.split("/").at(-1)!)}(${
    names.map((each) => `${each} => args.${each}`).join(", ")
  })`;
  const given = `(select $1::text::json as data) payload,
    lateral (select * from json_to_record(payload.data) as _(${
    names.map((each) => `${each} ${TYPES[each]}`).join(", ")
  })) args`;
  return {
    rows: `select each.value from ${given}, lateral (select ${call} as answer) called,
      lateral jsonb_array_elements(called.answer -> 'tickets') each`,
    text: `select called.answer::text as body from ${given}, lateral (select ${call} as answer) called`,
    params: [JSON.stringify(args)],
  };
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

/** `lt.2026-…` */
function condition(column: string, given: string, value: AddValue): string {
  const [, operator, operand] = /^([a-z]+)\.(.*)$/s.exec(given)!;
  const symbols: Record<string, string> = { eq: "=", lt: "<", lte: "<=", gt: ">", gte: ">=" };
  if (!(operator! in symbols)) throw new Error(`PostgREST's ${operator} is not known here`);
  return `${name(column)} ${symbols[operator!]} ${value(operand)}`;
}

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

/**
 * A prepared statement is planned for its values the first five times on a connection, and from then on once for all if that
 * looks no dearer. Both count: `auto` is what comes after the first five.
 */
export const PLANS = ["force_custom_plan", "auto"] as const;
export type Planning = typeof PLANS[number];
/** Runs before: the first one on a connection also reads catalogs. */
const BEFORE = { force_custom_plan: 1, auto: 6 };

/** Milliseconds of the statement; those of the timeout where it was ended for lasting as long. */
export async function time(
  sql: postgres.Sql,
  claims: Claims,
  asking: Statement,
  planning: Planning,
): Promise<number> {
  const { text, params, settings } = asking;
  const measured = within(sql, claims, { plan_cache_mode: planning, ...settings }, async (tx) => {
    const begun = performance.now();
    await tx.unsafe(text, params as never[], { prepare: true });
    return performance.now() - begun;
  });
  return await unlessEnded(measured) ?? TIMEOUT;
}

/** Of some runs by each kind of plan, the slower kind's median: fewer runs, but three, where one takes long. */
export async function medianTime(
  sql: postgres.Sql,
  next: () => Promise<[Claims, Statement]>,
  plans: readonly Planning[] = PLANS,
): Promise<number> {
  const medians: number[] = [];
  for (const planning of plans) {
    const times: number[] = [];
    const begun = performance.now();
    while (times.length < 15 && (times.length < 3 || performance.now() - begun < 400)) {
      times.push(await time(sql, ...await next(), planning));
      if (times.at(-1) === TIMEOUT) return TIMEOUT;
    }
    medians.push(quantile(times, 0.5));
  }
  return Math.max(...medians);
}

/** Pages of 8 KB that the statement looks at, those of its functions and policies included; NaN where it was ended. */
export async function pages(
  sql: postgres.Sql,
  claims: Claims,
  asking: Statement,
  plans: readonly Planning[] = PLANS,
): Promise<number> {
  const of: number[] = [];
  for (const planning of plans) {
    const plan = await unlessEnded(
      within(sql, claims, asking.settings, (tx) => explain(tx, asking, planning)),
    );
    of.push(plan ? plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] : NaN);
  }
  return Math.max(...of);
}

/** A node of a plan that was followed. */
export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: PlanNode[];
}

/**
 * Runs the statement as it is run after its first times on a connection; how it was planned and what it looked at. `before` comes
 * just before.
 */
export async function explain(
  tx: postgres.TransactionSql,
  { text, params }: Pick<Statement, "text" | "params">,
  planning: Planning,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<PlanNode> {
  await tx`select set_config('plan_cache_mode', ${planning}, true)`;
  await tx.unsafe(`prepare asked as ${text}`);
  const values = params.length ? `(${params.map(literal).join(", ")})` : "";
  try {
    for (let run = 0; run < BEFORE[planning]; run++) {
      await tx.savepoint(async (point) => {
        await point.unsafe(`explain (analyze, timing off) execute asked${values}`);
        throw new Undo();
      }).catch((error) => {
        if (!(error instanceof Undo)) throw error;
      });
    }
    await before();
    const [row] = await tx.unsafe(
      `explain (analyze, buffers, timing off, format json) execute asked${values}`,
    );
    return row!["QUERY PLAN"][0].Plan;
  } finally {
    await tx.unsafe("deallocate asked").catch(() => {}); // after an error with its transaction's end
  }
}

function literal(value: unknown): string {
  const text = Array.isArray(value)
    ? `{${value.map((each) => `"${String(each).replace(/["\\]/g, "\\$&")}"`).join(",")}}`
    : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

/** Undefined where Postgres ended it for lasting too long. */
export async function unlessEnded<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as { code?: string }).code !== "57014") throw error;
  }
}
