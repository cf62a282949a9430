/** A municipality that runs a ticket system of its own on Supabase, and what can be seen of its database. */
import postgres from "postgres";
import { startSupabase, type Supabase } from "../../local/supabase.ts";

const root = new URL("../..", import.meta.url).pathname;

export const COUNCILS = {
  msunduzi: "c0c0c0c0-0000-4000-8000-000000000001",
  hibiscus: "c0c0c0c0-0000-4000-8000-000000000002",
};

/** A project with nothing of ours. */
export async function emptyProject(): Promise<Supabase> {
  return await startSupabase({ functions: false, migrations: false, seed: false });
}

/** `supabase db push`, as a developer does it. */
export async function push(databaseUrl: string): Promise<{ success: boolean; output: string }> {
  return await run(`${root}node_modules/.bin/supabase`, ["db", "push", `--remote=${databaseUrl}`, "--yes"]);
}

/** Runs the statements that docs/adopt.md has under the comment, each by itself as psql does. The last one's rows. */
export async function documented(databaseUrl: string, comment: string): Promise<postgres.Row[]> {
  const page = await Deno.readTextFile(`${root}docs/adopt.md`);
  const block = Array.from(page.matchAll(/^```sql\n-- ([^\n]+)\n(.*?)^```/gms)).find(([, title]) =>
    title === comment
  );
  if (!block) throw new Error(`docs/adopt.md has no statements under: ${comment}`);
  const session = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    let rows: postgres.Row[] = [];
    for (const [statement] of block[2]!.matchAll(/(?:[^;$]|\$\$.*?\$\$)+;/gs)) {
      rows = await session.unsafe(statement);
    }
    return rows;
  } finally {
    await session.end();
  }
}

/** `npm run uninstall -- …` */
export async function uninstall(
  { env }: Pick<Supabase, "env">,
  ...args: string[]
): Promise<{ success: boolean; output: string }> {
  const { SUPABASE_URL, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = env as Record<string, string>;
  return await run(`${root}node_modules/deno-newest/deno`, [
    "run",
    "-A",
    "--no-check",
    "operate/uninstall.ts",
    ...args,
  ], {
    SUPABASE_URL: SUPABASE_URL!,
    SUPABASE_SECRET_KEY: SUPABASE_SECRET_KEY!,
    SUPABASE_DB_URL: SUPABASE_DB_URL!,
  });
}

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: root,
    stdin: "null",
    env: { SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1", ...env },
  }).output();
  return { success, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Its own system: names, statuses, triggers, policies, rights, buckets and topics that have nothing to do with ours. */
export async function ownTicketSystem(sql: postgres.Sql, tickets: number): Promise<void> {
  await sql.unsafe(`
    create schema desk;
    create type desk.ticket_status as enum ('new', 'assigned', 'done');
    create table desk.councils (id uuid primary key, name text not null);
    insert into desk.councils values ('${COUNCILS.msunduzi}', 'Msunduzi'), ('${COUNCILS.hibiscus}', 'Hibiscus Coast');
    create table desk.ticket_audit (ticket uuid, operation text, at timestamptz default clock_timestamp());

    create table public.tickets (
      id uuid primary key default gen_random_uuid(),
      council_id uuid not null references desk.councils (id),
      reference bigint generated always as identity unique,
      subject text not null default 'untitled',
      status desk.ticket_status not null default 'new',
      severity smallint not null default 3 check (severity between 1 and 5),
      phone text,
      resident uuid,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    comment on table public.tickets is 'Calls to the desk';
    create index tickets_by_council on public.tickets (council_id, status);
    alter table public.tickets alter column severity set statistics 300;

    create function public.touch() returns trigger language plpgsql as 'begin new.updated_at := now(); return new; end';
    create function desk.audit() returns trigger language plpgsql security definer as
      'begin insert into desk.ticket_audit values (coalesce(new.id, old.id), tg_op); return null; end';
    create trigger touch before update on public.tickets for each row execute function public.touch();
    create function public.open_tickets(council uuid) returns bigint language sql stable as
      'select count(*) from public.tickets where council_id = council and status <> ''done''';

    alter table public.tickets enable row level security;
    create policy "agents see all of their council" on public.tickets for all to authenticated
      using (council_id::text = auth.jwt() -> 'app_metadata' ->> 'council')
      with check (council_id::text = auth.jwt() -> 'app_metadata' ->> 'council');
    create policy "the public sees what is done" on public.tickets for select to anon using (status = 'done');
    grant select (id, subject, status, created_at) on public.tickets to anon;
    grant select (id, council_id, reference, subject, status, severity, created_at, updated_at) on public.tickets to authenticated;
    grant insert (council_id, subject, severity), update (subject, status) on public.tickets to authenticated;

    insert into storage.buckets (id, name, public) values ('desk-photos', 'desk-photos', false), ('maps', 'maps', true);
    create policy "anybody does anything" on storage.objects for all to public using (true) with check (true);
    create policy "everybody hears the desk" on realtime.messages for select to authenticated using (true);
    insert into storage.objects (bucket_id, name, metadata) select 'desk-photos', n || '.jpg', '{"size": 1, "mimetype": "image/jpeg"}'
    from generate_series(1, 100) n;

    create schema private;
    create function private.secret_of_the_desk() returns integer language sql as 'select 42';
    grant usage on schema private to service_role;

    insert into public.tickets (council_id, subject, status, severity, phone)
    select case n % 2 when 0 then '${COUNCILS.msunduzi}'::uuid else '${COUNCILS.hibiscus}'::uuid end,
      'call ' || n || repeat(' water on the road', 8), (array['new', 'assigned', 'done'])[n % 3 + 1]::desk.ticket_status,
      n % 5 + 1, '+2782' || lpad(n::text, 7, '0')
    from generate_series(1, ${tickets}) n;
    create trigger audit after insert or update or delete on public.tickets for each row execute function desk.audit();
    analyze public.tickets;
  `);
}

/** Every object of the catalogue outside Postgres' own schemas, `kind name` to definition; and who may what. */
export async function snapshot(sql: postgres.Sql): Promise<Map<string, string>> {
  const rows = await sql.begin(async (tx) => {
    await tx`set local search_path = ''`;
    return await tx`
      with spaces as (
        select oid, nspname, coalesce(nspacl, acldefault('n', nspowner)) as acl from pg_namespace
        where nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'supabase_migrations') and nspname !~ '^pg_(toast_)?temp'
      )
      select 'schema ' || nspname as name, (select string_agg(a::text, ' ' order by a::text) from unnest(acl) a) as definition
      from spaces
      union all
      select 'relation ' || c.oid::regclass, concat_ws(' ', c.relkind::text, c.relrowsecurity::text, c.reloptions::text,
        (select string_agg(a::text, ' ' order by a::text) from unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a),
        obj_description(c.oid, 'pg_class'), case when c.relkind = 'v' then pg_get_viewdef(c.oid) when c.relkind = 'i' then pg_get_indexdef(c.oid) end)
      from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind not in ('t', 'S')
      union all
      select 'column ' || c.oid::regclass || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        pg_get_expr(d.adbin, d.adrelid),
        (select '{' || string_agg(item::text, ' ' order by item::text) || '}' from unnest(a.attacl) item), coalesce(a.attstattarget, -1)::text, a.attidentity::text, col_description(c.oid, a.attnum))
      from pg_class c join spaces s on s.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relkind in ('r', 'p', 'v')
      union all
      select 'constraint ' || k.conname || ' on ' || k.conrelid::regclass, pg_get_constraintdef(k.oid)
      from pg_constraint k join spaces s on s.oid = k.connamespace
      where k.conrelid <> 0 and not exists (select from pg_trigger t where t.tgconstraint = k.oid and not t.tgisinternal)
      union all
      select 'policy ' || p.polname || ' on ' || p.polrelid::regclass, concat_ws(' ', p.polpermissive::text, p.polcmd::text,
        p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      from pg_policy p
      union all
      select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass, pg_get_triggerdef(t.oid) || t.tgenabled::text
      from pg_trigger t where not t.tgisinternal and t.tgparentid = 0
      union all
      select 'function ' || p.oid::regprocedure, md5(p.prosrc) || (
        select string_agg(a::text, ' ' order by a::text) from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a)
      from pg_proc p join spaces s on s.oid = p.pronamespace
      union all
      select 'type ' || t.oid::regtype, t.typtype::text from pg_type t join spaces s on s.oid = t.typnamespace
      where t.typtype in ('e', 'd', 'c') and t.typrelid = 0
        or t.typrelid <> 0 and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')
      union all
      select 'bucket ' || id, concat_ws(' ', public::text, file_size_limit::text, allowed_mime_types::text) from storage.buckets
      union all
      select 'default privilege ' || oid, defaclacl::text from pg_default_acl`;
  });
  return new Map(rows.map(({ name, definition }) => [name, definition]));
}

/** What came, what went, and what is another than it was. */
export function difference(before: Map<string, string>, after: Map<string, string>) {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)).sort(),
    gone: [...before.keys()].filter((name) => !after.has(name)).sort(),
    changed: [...before].filter(([name, was]) => after.has(name) && after.get(name) !== was)
      .map(([name, was]) => `${name}: ${was} -> ${after.get(name)}`).sort(),
  };
}

/** A sum over their own columns, of the rows by which it was made and that `traffic` leaves alone. */
export async function checksum(sql: postgres.Sql, tickets: number): Promise<string> {
  const [row] = await sql`
    select count(*) || ' ' || sum(hashtextextended(
      concat_ws('|', id, council_id, reference, subject, status, severity, phone, resident, created_at, updated_at), 0
    )) as sum from public.tickets where reference between ${BUSY + 1} and ${tickets}`;
  return row!.sum;
}

/** So many of the tickets, the first, are those that people work on. */
const BUSY = 500;

/** Clients that write and read without a pause until told to stop; then the longest wait of each, in ms. */
export function traffic(sql: postgres.Sql): () => Promise<{ write: number; read: number; writes: number }> {
  let running = true;
  const longest = { write: 0, read: 0, writes: 0 };
  const timed = async (kind: "write" | "read", query: () => Promise<unknown>) => {
    const begun = performance.now();
    await query();
    longest[kind] = Math.max(longest[kind], performance.now() - begun);
    if (kind === "write") longest.writes++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const writer = async () => {
    while (running) {
      await timed(
        "write",
        () =>
          as(
            sql,
            "authenticated",
            AGENT,
            (tx) =>
              tx`insert into public.tickets (council_id, subject) values (${COUNCILS.msunduzi}, 'meanwhile')`,
          ),
      );
      await timed(
        "write",
        () =>
          sql`update public.tickets set status = 'assigned' where reference = ${1 + longest.writes % BUSY}`,
      );
    }
  };
  const reader = async () => {
    while (running) {
      await timed(
        "read",
        () =>
          as(
            sql,
            "anon",
            {},
            (tx) => tx`select id, subject from public.tickets where status = 'done' limit 10`,
          ),
      );
      await timed(
        "read",
        () =>
          as(
            sql,
            "anon",
            {},
            (tx) => tx`select name from storage.objects where bucket_id = 'desk-photos' limit 5`,
          ),
      );
    }
  };
  const clients = [writer(), writer(), reader()];
  return async () => {
    running = false;
    await Promise.all(clients);
    return longest;
  };
}

/** A user of their own system, by its own claim. */
export const AGENT = {
  sub: "a9e40000-0000-4000-8000-000000000001",
  app_metadata: { council: COUNCILS.msunduzi },
};

/** A user of the bundle. */
export function staff(role: string, council: keyof typeof COUNCILS = "msunduzi") {
  return {
    sub: "a9e40000-0000-4000-8000-000000000002",
    app_metadata: { tenant_id: COUNCILS[council], role },
  };
}

/** Runs as one of the API's roles, with claims. */
export async function as<T>(
  sql: postgres.Sql,
  role: "anon" | "authenticated" | "service_role",
  claims: Record<string, unknown>,
  query: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  return await sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify({ role, ...claims })}, true)`;
    await tx.unsafe(`set local role ${role}`);
    return await query(tx);
  }) as T;
}
