/**
 * The Data API as PostgREST serves it. Tables are answered by npm `@supabase/lite`, one transaction per request in
 * which Postgres itself decides by role and claims; functions are answered here, since lite hands a jsonb argument on
 * as a JSON string.
 */
import { App, type IntrospectResult } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { errors } from "jose";
import type postgres from "postgres";
import { asCaller } from "./database.ts";
import { isConnectionError, isPostgresError, refuse, refuseWith } from "./rest-errors.ts";
import type { Claims, Context, Handler } from "./types.ts";

export async function makeRest(context: Context): Promise<Handler> {
  const sql = context.connect("authenticator");
  const tables = new Tables(sql, context.connect("supabase_admin"));
  const functions = new Functions(sql);
  const makeLite = (schemas: string[]) =>
    new App({
      connection: tables,
      api: { enabled: true, schemas, max_rows: 1000 },
      auth: { enabled: false },
      storage: { enabled: false },
      studio: { enabled: false },
      // Its API key is, from us to it, the verified claims: it uses them as they are.
      options: {
        server: {
          apiKeys: {
            resolver: (key) =>
              Promise.resolve({ type: "publishable", claims: JSON.parse(decodeURIComponent(key)) }),
          },
        },
      },
    });
  let lite = makeLite(await exposedSchemas(sql));
  // NOTIFY pgrst, 'reload schema' or 'reload config'
  await sql.listen("pgrst", async (what) => {
    tables.forgetSchema();
    if (what === "reload config") lite = makeLite(await exposedSchemas(sql));
  });

  return async (request) => {
    const claims = await claimsOf(request, context);
    if (claims instanceof Response) return claims;
    const url = new URL(request.url);
    const called = /^\/rest\/v1\/rpc\/([^/]+)$/.exec(url.pathname)?.[1];
    // Called by GET, or with filters, an order or a limit on its rows, a function is lite's after all.
    if (called && request.method === "POST" && ["", "?select=*"].includes(url.search)) {
      return await functions.call(decodeURIComponent(called), request, claims);
    }

    const headers = new Headers(request.headers);
    headers.delete("authorization");
    headers.set("apikey", encodeURIComponent(JSON.stringify(claims)));
    const body = ["GET", "HEAD"].includes(request.method) ? undefined : await request.arrayBuffer();
    const ask = () => lite.fetch(new Request(url, { method: request.method, headers, body }));
    const response = await ask();
    if (!await mayBeStale(response)) return response;
    tables.forgetSchema();
    return await ask();
  };
}

/** Those that the role authenticator's setting pgrst.db_schemas names. */
async function exposedSchemas(sql: postgres.Sql): Promise<string[]> {
  const [row] = await sql<{ schemas: string }[]>`
    select substr(setting, strpos(setting, '=') + 1) as schemas
    from pg_db_role_setting s cross join unnest(s.setconfig) setting
    where s.setrole = 'authenticator'::regrole and setting like 'pgrst.db_schemas=%'`;
  return row?.schemas.split(",").map((schema) => schema.trim()) ?? ["public"];
}

/** Verifies the bearer token; without one the caller is anon. A refused token is PostgREST's 401. */
async function claimsOf(request: Request, context: Context): Promise<Claims | Response> {
  const token = /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!token) return { role: "anon" };
  try {
    return await context.keys.verify(token);
  } catch (error) {
    const parts = token.split(".").length;
    if (error instanceof errors.JWTExpired) return refuse(401, "PGRST303", "JWT expired");
    if (parts !== 3) return refuse(401, "PGRST301", `Expected 3 parts in JWT; got ${parts}`);
    const details = "None of the keys was able to decode the JWT";
    return refuse(401, "PGRST301", "No suitable key or wrong key type", details);
  }
}

/** Tables and columns may have been made since the schema was read: then it is read again, and asked again. */
async function mayBeStale(response: Response): Promise<boolean> {
  if (response.status !== 400 && response.status !== 404) return false;
  const { code } = await response.clone().json().catch(() => ({}));
  return ["PGRST200", "PGRST204", "PGRST205", "42703"].includes(code);
}

/** Lite's connection, logged in as `authenticator`; the schema is read as a superuser, since authenticator sees none. */
class Tables extends PostgresConnection {
  #catalog: PostgresConnection;
  #schema?: Promise<IntrospectResult>;

  constructor(authenticator: postgres.Sql, superuser: postgres.Sql) {
    super({ postgresOptions: loginOf(authenticator) });
    this.#catalog = new PostgresConnection({ postgresOptions: { ...loginOf(superuser), max: 1 } });
    // Otherwise lite would first grant the API roles all privileges on every table.
    Object.assign(this, { rlsState: "active" });
  }

  forgetSchema(): void {
    this.#schema = undefined;
  }

  override introspect(): Promise<IntrospectResult> {
    return this.#schema ??= this.#catalog.introspect();
  }

  /** One request. What it did is undone when the answer is a refusal. */
  override async withContext<T>(
    ...[caller, work, options]: Parameters<PostgresConnection["withContext"]>
  ): Promise<T> {
    try {
      return await super.withContext(caller, async (tx) => {
        const result = await work(tx);
        if (result instanceof Response && result.status >= 400) throw new Refused(result);
        return result as T;
      }, options);
    } catch (error) {
      if (error instanceof Refused) return error.response as T;
      // Lite words these three as PostgREST does; of the others it knows few.
      const known = isPostgresError(error) && ["42703", "42883", "42P01"].includes(error.code);
      if (known || !isPostgresError(error) && !isConnectionError(error)) throw error;
      return refuseWith(error, (caller?.auth as Partial<Claims> | undefined)?.role ?? "anon") as T;
    }
  }
}

class Refused extends Error {
  constructor(readonly response: Response) {
    super();
  }
}

/** Lite reads values its own way, so it cannot share the pool; it logs in as the pool does. */
function loginOf({ options }: postgres.Sql) {
  const { host, port, user, pass, database } = options;
  return {
    host: host[0],
    port: port[0],
    username: user,
    password: pass ?? undefined,
    database,
    max: 10,
    idle_timeout: 5,
    onnotice: () => {},
    types: {
      timestamptz: reads(1184, isoTime),
      timestamp: reads(1114, isoTime),
      numeric: reads(1700, (text) => Number.isFinite(Number(text)) ? Number(text) : text),
      bytea: reads(17, (text) => text),
    },
  };
}

/** How the values of a type are read, where lite's way is not what Postgres writes into JSON. */
function reads(oid: number, parse: (text: string) => unknown) {
  return { to: oid, from: [oid], serialize: String, parse };
}

/** The connection's time zone is UTC. */
function isoTime(text: string): string {
  return text.replace(" ", "T").replace(/[+-]\d\d$/, "$&:00");
}

/** A function of schema public, as pg_proc describes it. */
interface Routine {
  /** Of its input arguments. */
  names: string[];
  types: string[];
  required: number;
  variadic: boolean;
  set: boolean;
  composite: boolean;
  nothing: boolean;
}

/** Calls functions. What pg_proc says of them is kept for a second, and never that there is none. */
class Functions {
  #sql: postgres.Sql;
  #known = new Map<string, { until: number; routines: Routine[] }>();

  constructor(sql: postgres.Sql) {
    this.#sql = sql;
  }

  async call(name: string, request: Request, claims: Claims): Promise<Response> {
    const text = await request.text();
    let args: unknown;
    try {
      args = text === "" ? {} : JSON.parse(text);
    } catch {
      return refuse(400, "PGRST102", "Empty or invalid json");
    }
    if (typeof args !== "object" || args === null || Array.isArray(args)) args = {};
    const given = Object.keys(args as object).sort();

    try {
      const fitting = (await this.#overloads(name)).filter((routine) => fits(routine, given));
      const [routine, other] = fitting;
      if (!routine) return notFound(name, given);
      if (other) {
        return refuse(
          300,
          "PGRST203",
          `Could not choose the best candidate function between: ${
            fitting.map(({ names, types }) =>
              `public.${name}(${names.map((arg, i) => `${arg} => ${types[i]}`).join(", ")})`
            ).join(", ")
          }`,
          null,
          "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
        );
      }
      const [row] = await asCaller(
        this.#sql,
        claims,
        {},
        (tx) =>
          tx.unsafe<{ body: string | null; rows: number }[]>(
            callOf(name, routine, given),
            given.length > 0 ? [text] : [],
          ),
      );
      return answer(routine, row!, request);
    } catch (error) {
      this.#known.delete(name);
      return refuseWith(error, claims.role);
    }
  }

  async #overloads(name: string): Promise<Routine[]> {
    const known = this.#known.get(name);
    if (known && known.until > Date.now()) return known.routines;
    const routines = await this.#sql<Routine[]>`
      select coalesce(a.names, '{}') as names, coalesce(a.types, '{}') as types,
        p.pronargs - p.pronargdefaults as required, p.provariadic <> 0 as variadic, p.proretset as set,
        t.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false) as composite,
        p.prorettype = 'void'::regtype as nothing
      from pg_proc p
      join pg_type t on t.oid = p.prorettype
      cross join lateral (
        select array_agg(p.proargnames[i] order by i) as names,
          array_agg(format_type(coalesce(p.proallargtypes[i], p.proargtypes[i - 1]), null) order by i) as types
        from generate_series(1, coalesce(array_length(p.proallargtypes, 1), p.pronargs)) as i
        where coalesce(p.proargmodes[i], 'i') in ('i', 'b', 'v')
      ) a
      where p.pronamespace = 'public'::regnamespace and p.proname = ${name} and p.prokind = 'f'
        and p.prorettype <> 'trigger'::regtype`;
    if (routines.length > 0) this.#known.set(name, { until: Date.now() + 1000, routines: [...routines] });
    return routines;
  }
}

/** Whether it takes all of these arguments and needs no other. */
function fits({ names, required }: Routine, given: string[]): boolean {
  return given.every((name) => names.includes(name)) &&
    names.slice(0, required).every((name) => given.includes(name));
}

/** The call as PostgREST writes it: Postgres itself turns the JSON object into the declared types. */
function callOf(name: string, routine: Routine, given: string[]): string {
  const { names, types } = routine;
  const typeOf = (arg: string) => types[names.indexOf(arg)];
  const passed = given.map((arg) => {
    const variadic = routine.variadic && arg === names.at(-1) ? "variadic " : "";
    return `${variadic}${quote(arg)} => args.${quote(arg)}`;
  });
  const columns = given.map((arg) => `${quote(arg)} ${typeOf(arg)}`);
  const source = given.length > 0
    ? `json_to_record($1::text::json) as args(${columns.join(", ")}), lateral `
    : "";
  const value = routine.nothing
    ? "null::json"
    : routine.composite
    ? "to_json(result)"
    : "to_json(result.value)";
  const alias = routine.composite ? "result" : "result(value)";
  const body = routine.set ? "coalesce(json_agg(value), '[]')" : "json_agg(value) -> 0";
  return `select (${body})::text as body, count(*)::int as rows from (
    select ${value} as value from ${source}public.${quote(name)}(${passed.join(", ")}) as ${alias}) as call`;
}

function answer(
  routine: Routine,
  { body, rows }: { body: string | null; rows: number },
  request: Request,
): Response {
  if (routine.nothing) return new Response(null, { status: 204 });
  const counted = /count=/.test(request.headers.get("prefer") ?? "");
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-range": `${rows > 0 ? `0-${rows - 1}` : "*"}/${counted ? rows : "*"}`,
  };
  if (routine.set && request.headers.get("accept")?.startsWith("application/vnd.pgrst.object+json")) {
    if (rows !== 1) {
      const message = "Cannot coerce the result to a single JSON object";
      return refuse(406, "PGRST116", message, `The result contains ${rows} rows`);
    }
    return new Response(JSON.stringify(JSON.parse(body!)[0]), { headers });
  }
  return new Response(body ?? "null", { headers });
}

function notFound(name: string, given: string[]): Response {
  const [parameters, call] = given.length === 0
    ? ["without parameters", `public.${name} without parameters`]
    : [
      `with parameter${given.length > 1 ? "s" : ""} ${given.join(", ")}`,
      `public.${name}(${given.join(", ")})`,
    ];
  return refuse(
    404,
    "PGRST202",
    `Could not find the function ${call} in the schema cache`,
    `Searched for the function public.${name} ${parameters} or with a single unnamed json/jsonb parameter, ` +
      "but no matches were found in the schema cache.",
  );
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
