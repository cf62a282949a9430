// A municipality that has its own `tickets` table adopts the bundle without losing it.
import { startSupabase } from "../../local/supabase.ts";
import { assert, assertEquals } from "../support/assert.ts";

const root = new URL("../..", import.meta.url).pathname;

async function push(databaseUrl: string): Promise<{ success: boolean; output: string }> {
  const { success, stdout, stderr } = await new Deno.Command(`${root}/node_modules/.bin/supabase`, {
    args: ["db", "push", `--remote=${databaseUrl}`, "--yes"],
    cwd: root,
    env: { SUPABASE_TELEMETRY_DISABLED: "1" },
  }).output();
  return { success, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

async function withEmptyProject(
  run: (sql: ReturnType<Awaited<ReturnType<typeof startSupabase>>["connect"]>, url: string) => Promise<void>,
) {
  const stack = await startSupabase({ functions: false, migrations: false, seed: false });
  try {
    await run(stack.connect("postgres"), stack.env.SUPABASE_DB_URL!);
  } finally {
    await stack.stop();
  }
}

const quiet = { sanitizeResources: false, sanitizeOps: false };

Deno.test({
  name: "an existing tickets table keeps its rows, columns, defaults, triggers and policies",
  ...quiet,
}, async () => {
  await withEmptyProject(async (sql, url) => {
    await sql.unsafe(`
      create table public.tickets (
        id uuid primary key default gen_random_uuid(),
        title text not null default 'untitled',
        status text not null default 'new' check (status in ('new', 'done')),
        created_at timestamptz not null default now()
      );
      alter table public.tickets enable row level security;
      create policy "everybody reads everything" on public.tickets for select to anon, authenticated using (true);
      grant select on public.tickets to anon, authenticated;
      create function public.shout() returns trigger language plpgsql as 'begin new.title := upper(new.title); return new; end';
      create trigger shout before insert on public.tickets for each row execute function public.shout();
      insert into public.tickets (title) select 'ticket ' || n from generate_series(1, 1000) n;
    `);
    const pushed = await push(url);
    assert(pushed.success, pushed.output);

    const [before] =
      await sql`select count(*)::int, count(*) filter (where title like 'TICKET %')::int as shouted,
      count(*) filter (where status = 'new')::int as new, count(*) filter (where is_sensitive)::int as hidden from public.tickets`;
    assertEquals({ ...before }, { count: 1000, shouted: 1000, new: 1000, hidden: 0 });
    const [added] =
      await sql`insert into public.tickets (title) values ('later') returning title, status, tracking_number, is_sensitive`;
    assertEquals([added!.title, added!.status, added!.is_sensitive], ["LATER", "new", false]);
    assert(/^TKT-/.test(added!.tracking_number));

    // the municipality's own wide policy cannot show a sensitive ticket
    await sql`update public.tickets set is_sensitive = true where id = (select id from public.tickets limit 1)`;
    await sql.begin(async (tx) => {
      await tx`set local role anon`;
      const [seen] = await tx`select count(*)::int from public.tickets`;
      assertEquals(seen!.count, 1000);
    });
  });
});

Deno.test({
  name: "a tickets table that cannot be adopted is refused with the reason, and nothing is changed",
  ...quiet,
}, async () => {
  await withEmptyProject(async (sql, url) => {
    await sql.unsafe(`create table public.tickets (id bigint primary key, created_at text)`);
    const pushed = await push(url);
    assert(!pushed.success);
    assert(pushed.output.includes("id is bigint, needs uuid"), pushed.output);
    const columns =
      await sql`select column_name from information_schema.columns where table_name = 'tickets' order by 1`;
    assertEquals(columns.map((row) => row.column_name), ["created_at", "id"]);
  });
});

Deno.test(
  { name: "a tickets table in which no report could be opened is refused with the reason", ...quiet },
  async () => {
    await withEmptyProject(async (sql, url) => {
      await sql.unsafe(
        `create table public.tickets (id uuid primary key default gen_random_uuid(), title text not null)`,
      );
      const pushed = await push(url);
      assert(!pushed.success);
      assert(pushed.output.includes("opening a ticket failed"), pushed.output);
      await sql.unsafe(`alter table public.tickets alter column title set default ''`);
      const again = await push(url);
      assert(again.success, again.output);
    });
  },
);

Deno.test({
  name:
    "a project that grants functions and tables of public to its API's roles by default grants none of ours",
  ...quiet,
}, async () => {
  await withEmptyProject(async (sql, url) => {
    await sql.unsafe(`
      alter default privileges in schema public grant execute on functions to anon, authenticated, service_role;
      alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
    `);
    assert((await push(url)).success);
    const functions = await sql`
      select p.proname from pg_proc p
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and has_function_privilege('anon', p.oid, 'execute') and p.proname not like 'caller_%' and p.proname <> 'safe_uuid'
        and p.proname not in ('municipality_topic', 'new_tracking_number')`;
    assertEquals(functions.map((row) => row.proname), []);
    const claim =
      await sql`select has_function_privilege('authenticated', 'public.claim_media_work(integer)', 'execute') as open`;
    assertEquals(claim[0]!.open, false);
    const tables = await sql`
      select table_name from information_schema.table_privileges
      where table_schema = 'public' and grantee = 'anon'`;
    assertEquals(tables.map((row) => row.table_name), []);
  });
});

Deno.test({ name: "on an empty project a ticket needs its municipality", ...quiet }, async () => {
  await withEmptyProject(async (sql, url) => {
    assert((await push(url)).success);
    let code = "";
    await sql`insert into public.tickets (category) values ('water')`.catch((error) => code = error.code);
    assertEquals(code, "23502");
    assert((await push(url)).output.includes("up to date"), "a second push has nothing to do");
  });
});

Deno.test({
  name: "adopted: a report known to be GBV is hidden, from before, and whatever a trigger of theirs does",
  ...quiet,
}, async () => {
  await withEmptyProject(async (sql, url) => {
    await sql.unsafe(`
      create table public.tickets (id uuid primary key default gen_random_uuid(), category text, subject text);
      alter table public.tickets enable row level security;
      insert into public.tickets (category) values ('gbv'), ('water');
      create function public.triage() returns trigger language plpgsql set search_path = '' as $$
      begin
        if new.subject = 'she is beaten' then new.category := 'gbv'; end if;
        return new;
      end $$;
      create trigger triage before insert or update on public.tickets for each row execute function public.triage();
      create trigger zz_triage before insert or update on public.tickets for each row execute function public.triage();`);
    const pushed = await push(url);
    assert(pushed.success, pushed.output);
    const sensitive = () => sql`select category, is_sensitive from public.tickets order by category`;
    assertEquals([...await sensitive()], [
      { category: "gbv", is_sensitive: true },
      { category: "water", is_sensitive: false },
    ]);
    await sql`insert into public.tickets (subject) values ('she is beaten')`;
    assertEquals((await sensitive()).filter((row) => row.category === "gbv" && !row.is_sensitive), []);
    // one that comes even after ours cannot leave it open
    await sql`create trigger zzzz_triage before insert on public.tickets for each row execute function public.triage()`;
    await sql`drop trigger triage on public.tickets`;
    await sql`drop trigger zz_triage on public.tickets`;
    let code = "";
    await sql`insert into public.tickets (subject) values ('she is beaten')`.catch((error) =>
      code = error.code
    );
    assertEquals(code, "23514");
  });
});

Deno.test({
  name:
    "adopted: a public form still writes tickets, and a role of the project's own still reads what is not sensitive",
  ...quiet,
}, async () => {
  await withEmptyProject(async (sql, url) => {
    await sql.unsafe(`
      create table public.tickets (id uuid primary key default gen_random_uuid(), subject text);
      alter table public.tickets enable row level security;
      create policy "anybody reports" on public.tickets for insert to anon with check (true);
      grant insert (subject) on public.tickets to anon;
      create role analyst nologin;
      create policy "analysts read" on public.tickets for select to analyst using (true);
      grant select on public.tickets to analyst;
      create policy "analysts receive" on realtime.messages for select to analyst using (true);
      grant usage on schema realtime to analyst;
      grant select on realtime.messages to analyst;`);
    const pushed = await push(url);
    assert(pushed.success, pushed.output);
    await sql.begin(async (tx) => {
      await tx`set local role anon`;
      await tx`insert into public.tickets (subject) values ('from the form')`;
    });
    await sql`insert into public.tickets (subject, is_sensitive) values ('hidden', true)`;
    await sql`grant analyst to current_user`;
    await sql.begin(async (tx) => {
      await tx`set local role analyst`;
      assertEquals((await tx`select subject from public.tickets`).map((row) => row.subject), [
        "from the form",
      ]);
      await tx`select count(*) from realtime.messages`;
    });
  });
});

Deno.test({
  name: "adopted: rights by column, or of another role, count where row-level security is off",
  ...quiet,
}, async () => {
  for (
    const grant of [
      "grant select (subject) on public.tickets to anon",
      "create role clerk nologin; grant select on public.tickets to clerk",
    ]
  ) {
    await withEmptyProject(async (sql, url) => {
      await sql.unsafe(`
        create table public.tickets (id uuid primary key default gen_random_uuid(), subject text);
        revoke all on public.tickets from anon, authenticated;
        ${grant};`);
      const { success, output } = await push(url);
      assert(!success && output.includes("row-level security is off"), output);
    });
  }
});
