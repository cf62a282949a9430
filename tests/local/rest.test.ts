/** Black-box: the Data API as an unmodified supabase-js uses it. Needs a running stand-in's environment. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "../support/assert.ts";
import postgres from "postgres";

const url = Deno.env.get("SUPABASE_URL")!;
const publishable = Deno.env.get("SUPABASE_PUBLISHABLE_KEY")!;
const options = { auth: { autoRefreshToken: false, persistSession: false } };
const service = createClient(url, Deno.env.get("SUPABASE_SECRET_KEY")!, options);
const anon = createClient(url, publishable, options);

const scratch = `
  create table public.rest_shelf (id int primary key, name text not null unique, owner uuid default auth.uid());
  create table public.rest_book (
    id int generated always as identity primary key,
    shelf_id int references public.rest_shelf,
    title text not null check (title <> ''),
    pages int, tags text[], extra jsonb, price numeric(8, 2), added timestamptz default now()
  );
  create table public.rest_secret (id int primary key);
  create view public.rest_titles with (security_invoker) as select id, title from public.rest_book;
  alter table public.rest_shelf enable row level security;
  alter table public.rest_book enable row level security;
  alter table public.rest_secret enable row level security;
  grant all on public.rest_shelf, public.rest_book to authenticated, service_role;
  grant select on public.rest_book, public.rest_titles to anon, authenticated;
  create policy "own shelves" on public.rest_shelf to authenticated
    using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
  create policy "books are open" on public.rest_book to authenticated using (true) with check (pages is distinct from 666);
  create function public.rest_refuse() returns trigger language plpgsql as $$
    begin if new.title = 'forbidden' then raise exception 'not this title' using hint = 'another'; end if; return new; end $$;
  create trigger rest_refuse before insert on public.rest_book for each row execute function public.rest_refuse();

  create function public.rest_add(a int, b int default 10) returns int language sql as 'select a + b';
  create function public.rest_types(j jsonb, ids uuid[], at timestamptz, yes boolean, t text, n numeric default 1.5)
    returns jsonb language sql as $$
      select jsonb_build_object('kind', jsonb_typeof(j), 'j', j, 'ids', ids, 'at', at, 'yes', yes, 't', t, 'n', n) $$;
  create function public.rest_whoami() returns text language sql as
    $$ select current_user || ' ' || coalesce(auth.uid()::text, '-') || ' ' || coalesce(auth.jwt() ->> 'role', '-') $$;
  create function public.rest_nothing() returns void language sql as '';
  create function public.rest_null() returns text language sql as 'select null::text';
  create function public.rest_one_book(book int) returns public.rest_book language sql as
    'select * from public.rest_book where id = book';
  create function public.rest_books(minimum int default 0) returns setof public.rest_book language sql stable as
    'select * from public.rest_book where pages >= minimum order by id';
  create function public.rest_pairs() returns table (x int, y text) language sql as
    $$ values (1, 'a'), (2, 'b') $$;
  create function public.rest_numbers() returns setof int language sql as 'select generate_series(1, 3)';
  create function public.rest_out(out x int, out y text) language sql as $$ select 1, 'a' $$;
  create function public.rest_over(a int) returns text language sql as $$ select 'a' $$;
  create function public.rest_over(b text) returns text language sql as $$ select 'b' $$;
  create function public.rest_raise(state text) returns void language plpgsql as
    $$ begin raise exception 'raised' using errcode = state, detail = 'more', hint = 'try'; end $$;
  create function public.rest_put_shelf(id int) returns void language sql as
    $$ insert into public.rest_shelf (id, name) values (id, 'made by a function') $$;
  create function public.rest_closed() returns int language sql as 'select 1';
  revoke execute on function public.rest_closed from public;
  grant execute on function public.rest_closed to service_role;
`;
const cleanUp = `
  do $$ declare it text; begin
    for it in select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace
        and relname like 'rest\\_%' and relkind = 'r' loop
      execute format('drop table %s cascade', it);
    end loop;
    for it in select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace
        and proname like 'rest\\_%' loop
      execute format('drop function %s cascade', it);
    end loop;
  end $$`;

let sql: postgres.Sql;
let thandi: SupabaseClient;
let sipho: SupabaseClient;
const ids: string[] = [];

async function person(): Promise<SupabaseClient> {
  const email = `${crypto.randomUUID()}@rest.test`;
  const { data } = await service.auth.admin.createUser({ email, password: "secret123", email_confirm: true });
  ids.push(data.user!.id);
  const client = createClient(url, publishable, options);
  await client.auth.signInWithPassword({ email, password: "secret123" });
  return client;
}

Deno.test.beforeAll(async () => {
  sql = postgres(Deno.env.get("SUPABASE_DB_URL")!, { onnotice: () => {} });
  await sql.unsafe(cleanUp);
  await sql.unsafe(scratch);
  thandi = await person();
  sipho = await person();
});

Deno.test.afterAll(async () => {
  await sql.unsafe(cleanUp);
  await sql.end();
  for (const id of ids) await service.auth.admin.deleteUser(id);
});

/** What a refusal shows: HTTP status and code. */
function refusal({ status, error }: { status: number; error: { code: string } | null }): [number, string?] {
  return [status, error?.code];
}

Deno.test("rows are written and come back, whole or minimal", async () => {
  const made = await thandi.from("rest_shelf").insert([{ id: 1, name: "one" }, { id: 2, name: "two" }])
    .select();
  assertEquals([made.status, made.error], [201, null]);
  assertEquals(made.data, [{ id: 1, name: "one", owner: ids[0] }, { id: 2, name: "two", owner: ids[0] }]);
  const minimal = await sipho.from("rest_shelf").insert({ id: 3, name: "three" });
  assertEquals([minimal.status, minimal.data, minimal.error], [201, null, null]);

  const extra = { a: [1, { b: "ünï" }] };
  const books = await thandi.from("rest_book").insert([
    { shelf_id: 1, title: "A, quoted (title)", pages: 10, tags: ["x", "y z"], extra, price: 1.5 },
    { shelf_id: 1, title: "B", pages: 20, extra: ["list"], added: "2026-01-02T03:04:05Z" },
    { shelf_id: 2, title: "C", pages: 30, extra: "text", tags: [] },
    { shelf_id: null, title: "D", pages: 40, extra: null },
  ]).select("id, title, tags, extra, price, pages, added").order("id");
  assertEquals(books.error, null);
  assertEquals(books.data!.map(({ id, tags, extra }) => ({ id, tags, extra })), [
    { id: 1, tags: ["x", "y z"], extra },
    { id: 2, tags: null, extra: ["list"] },
    { id: 3, tags: [], extra: "text" },
    { id: 4, tags: null, extra: null },
  ]);
  assertEquals([books.data![0]!.price, books.data![1]!.added], [1.5, "2026-01-02T03:04:05+00:00"]);

  const changed = await thandi.from("rest_book").update({ pages: 11 }).eq("id", 1).select("pages").single();
  assertEquals([changed.status, changed.data], [200, { pages: 11 }]);
  const silent = await thandi.from("rest_book").update({ pages: 10 }).eq("id", 1);
  assertEquals([silent.status, silent.data], [204, null]);

  const upsert = await thandi.from("rest_shelf").upsert({ id: 2, name: "second" }).select().single();
  assertEquals([upsert.error, upsert.data?.name], [null, "second"]);
  const ignored = await thandi.from("rest_shelf")
    .upsert({ id: 2, name: "other" }, { onConflict: "id", ignoreDuplicates: true }).select();
  assertEquals(ignored.data, []);

  const gone = await thandi.from("rest_book").delete().eq("title", "D").select("title");
  assertEquals([gone.status, gone.data], [200, [{ title: "D" }]]);
  assertEquals((await thandi.from("rest_book").delete().eq("id", 99)).status, 204);
});

Deno.test("filters, order, ranges and counts", async () => {
  const titles = async (query: PromiseLike<{ data: { id: number }[] | null; error: unknown }>) => {
    const { data, error } = await query;
    assertEquals(error, null);
    return data!.map(({ id }) => id);
  };
  const books = () => thandi.from("rest_book").select("id");
  assertEquals(await titles(books().gt("pages", 10).lte("pages", 30).order("pages", { ascending: false })), [
    3,
    2,
  ]);
  assertEquals(await titles(books().in("title", ["A, quoted (title)", "C"]).order("id")), [1, 3]);
  assertEquals(await titles(books().or("pages.eq.10,and(pages.gt.20,title.eq.C)").order("id")), [1, 3]);
  assertEquals(await titles(books().ilike("title", "%QUOTED%")), [1]);
  assertEquals(await titles(books().is("tags", null)), [2]);
  assertEquals(await titles(books().not("tags", "is", null).order("id")), [1, 3]);
  assertEquals(await titles(books().contains("tags", ["x"])), [1]);
  assertEquals(await titles(books().contains("extra", { a: [1] })), [1]);
  assertEquals(await titles(books().eq("extra->a->>0", "1")), [1]);
  assertEquals(await titles(books().match({ shelf_id: 1, pages: 20 })), [2]);
  assertEquals(
    await titles(books().gte("added", "2026-01-01T00:00:00Z").lt("added", "2026-02-01T00:00:00+02:00")),
    [2],
  );
  assertEquals(await titles(books().order("tags", { nullsFirst: true }).order("id").limit(1)), [2]);

  const page = await thandi.from("rest_book").select("id", { count: "exact" }).order("id").range(1, 1);
  assertEquals([page.status, page.count, page.data], [206, 3, [{ id: 2 }]]);
  const head = await thandi.from("rest_book").select("*", { count: "exact", head: true }).eq("shelf_id", 1);
  assertEquals([head.count, head.data, head.error], [2, null, null]);
  assertEquals((await thandi.from("rest_titles").select("title").eq("id", 3)).data, [{ title: "C" }]);
});

Deno.test("embedded resources, both ways, inner and filtered", async () => {
  const up = await thandi.from("rest_book").select("title, shelf:rest_shelf(name)").eq("id", 2).single();
  assertEquals(up.data as unknown, { title: "B", shelf: { name: "one" } });
  const down = await thandi.from("rest_shelf").select("id, rest_book(id)").order("id")
    .order("id", { referencedTable: "rest_book", ascending: false });
  assertEquals(down.data, [{ id: 1, rest_book: [{ id: 2 }, { id: 1 }] }, { id: 2, rest_book: [{ id: 3 }] }]);
  const inner = await thandi.from("rest_book").select("id, rest_shelf!inner(name)").eq(
    "rest_shelf.name",
    "second",
  );
  assertEquals(inner.data as unknown, [{ id: 3, rest_shelf: { name: "second" } }]);
  const counted = await thandi.from("rest_shelf").select("id, rest_book(count)").eq("id", 1).single();
  assertEquals(counted.data, { id: 1, rest_book: [{ count: 2 }] });
  // Another's shelf is hidden from the embedding too.
  const hidden = await sipho.from("rest_book").select("rest_shelf(name)").eq("id", 2).single();
  assertEquals(hidden.data as unknown, { rest_shelf: null });
});

Deno.test("single and maybeSingle", async () => {
  const book = (id: number) => thandi.from("rest_book").select("id").eq("id", id);
  assertEquals((await book(1).single()).data, { id: 1 });
  assertEquals(refusal(await book(99).single()), [406, "PGRST116"]);
  const none = await book(99).maybeSingle();
  assertEquals([none.data, none.error], [null, null]);
  const many = await thandi.from("rest_book").select("id").single();
  assertEquals([many.error?.code, many.error?.details], ["PGRST116", "The result contains 3 rows"]);
  // A write that cannot be answered as one row does not happen.
  const write = await thandi.from("rest_book").update({ pages: 0 }).lt("id", 3).select().single();
  assertEquals(refusal(write), [406, "PGRST116"]);
  assertEquals((await thandi.from("rest_book").select("id").eq("pages", 0)).data, []);
});

Deno.test("Postgres decides by row-level security and grants", async () => {
  assertEquals((await sipho.from("rest_shelf").select("id")).data, [{ id: 3 }]);
  assertEquals((await service.from("rest_shelf").select("id").order("id")).data, [{ id: 1 }, { id: 2 }, {
    id: 3,
  }]);
  assertEquals((await anon.from("rest_book").select("id")).data, []);
  assertEquals(refusal(await anon.from("rest_shelf").select()), [401, "42501"]);
  assertEquals(refusal(await thandi.from("rest_secret").select()), [403, "42501"]);
  assertEquals(refusal(await service.from("rest_secret").select()), [403, "42501"]);
  const stolen = await thandi.from("rest_shelf").insert({ id: 4, name: "four", owner: ids[1] });
  assertEquals(refusal(stolen), [403, "42501"]);
  assertEquals(stolen.error?.message, 'new row violates row-level security policy for table "rest_shelf"');
  assertEquals((await sipho.from("rest_shelf").update({ name: "mine" }).eq("id", 1).select()).data, []);
});

Deno.test("errors carry Postgres' codes and PostgREST's statuses", async () => {
  const books = thandi.from("rest_book");
  assertEquals(refusal(await thandi.from("rest_shelf").insert({ id: 1, name: "again" })), [409, "23505"]);
  assertEquals(refusal(await books.insert({ title: "E", shelf_id: 77 })), [409, "23503"]);
  assertEquals(refusal(await books.insert({ title: null })), [400, "23502"]);
  assertEquals(refusal(await books.insert({ title: "" })), [400, "23514"]);
  assertEquals(refusal(await books.insert({ title: "E", pages: "many" })), [400, "22P02"]);
  const raised = await books.insert({ title: "forbidden" });
  assertEquals(refusal(raised), [400, "P0001"]);
  assertEquals([raised.error?.message, raised.error?.hint], ["not this title", "another"]);
  assertEquals(refusal(await books.select("nonsense")), [400, "42703"]);
  assertEquals(refusal(await books.insert({ nonsense: 1 })), [400, "PGRST204"]);
  assertEquals(refusal(await books.select("id, rest_secret(id)")), [400, "PGRST200"]);
  assertEquals(refusal(await thandi.from("rest_missing").select()), [404, "PGRST205"]);
  assertEquals(refusal(await thandi.schema("auth").from("users").select()), [406, "PGRST106"]);
});

Deno.test("a table made later is found", async () => {
  assertEquals((await service.from("rest_late").select()).error?.code, "PGRST205");
  await sql.unsafe("create table public.rest_late (id int); grant all on public.rest_late to service_role");
  assertEquals((await service.from("rest_late").insert({ id: 1 })).error, null);
  await sql.unsafe("alter table public.rest_late add column note text");
  assertEquals((await service.from("rest_late").update({ note: "new" }).eq("id", 1).select()).data, [
    { id: 1, note: "new" },
  ]);
});

Deno.test("tokens are verified, and a bad one is never taken for anon", async () => {
  const ask = async (token: string) => {
    const response = await fetch(`${url}/rest/v1/rest_book?select=id`, {
      headers: { apikey: publishable, authorization: `Bearer ${token}` },
    });
    return [response.status, (await response.json()).code];
  };
  const { data } = await thandi.auth.getSession();
  const [header, claims, signature] = data.session!.access_token.split(".");
  const forged = btoa(JSON.stringify({ role: "service_role", exp: 9999999999 })).replace(/=+$/, "");
  assertEquals(await ask(`${header}.${claims}.${signature}`), [200, undefined]);
  assertEquals(await ask(`${header}.${forged}.${signature}`), [401, "PGRST301"]);
  assertEquals(await ask(`${btoa('{"alg":"none"}')}.${forged}.`), [401, "PGRST301"]);
  assertEquals(await ask("nonsense"), [401, "PGRST301"]);
});

Deno.test("rpc: arguments by name and type, answers by the function's type", async () => {
  assertEquals((await anon.rpc("rest_add", { a: 1 })).data, 11);
  assertEquals((await anon.rpc("rest_add", { b: 2, a: 1 })).data, 3);
  const j = { deep: ["ü", null, 1.25] };
  const given = { ids: ids.slice(0, 2), at: "2026-01-02T03:04:05+02:00", yes: true, t: 'a "b" {c}' };
  assertEquals((await thandi.rpc("rest_types", { j, ...given })).data, {
    kind: "object",
    j,
    ...given,
    at: "2026-01-02T01:04:05+00:00",
    n: 1.5,
  });
  assertEquals((await thandi.rpc("rest_types", { j: "text", ...given, ids: null })).data.kind, "string");
  assertEquals(
    (await thandi.rpc("rest_types", { j, ...given }).select()).data as unknown,
    {
      kind: "object",
      j,
      ...given,
      at: "2026-01-02T01:04:05+00:00",
      n: 1.5,
    },
  );
  assertEquals((await anon.rpc("rest_whoami")).data, "anon - anon");
  assertEquals((await thandi.rpc("rest_whoami")).data, `authenticated ${ids[0]} authenticated`);
  assertEquals((await service.rpc("rest_whoami")).data, "service_role - service_role");

  const nothing = await anon.rpc("rest_nothing");
  assertEquals([nothing.status, nothing.data, nothing.error], [204, null, null]);
  assertEquals((await anon.rpc("rest_null")).data, null);
  assertEquals((await thandi.rpc("rest_one_book", { book: 2 })).data.title, "B");
  assertEquals((await thandi.rpc("rest_pairs")).data, [{ x: 1, y: "a" }, { x: 2, y: "b" }]);
  assertEquals((await thandi.rpc("rest_numbers")).data, [1, 2, 3]);
  assertEquals((await thandi.rpc("rest_out")).data, { x: 1, y: "a" });
  assertEquals((await thandi.rpc("rest_over", { b: "1" })).data, "b");

  assertEquals((await thandi.rpc("rest_books")).data.length, 3);
  const single = await thandi.rpc("rest_books", { minimum: 30 }).single<{ title: string }>();
  assertEquals(single.data?.title, "C");
  assertEquals((await thandi.rpc("rest_books", { minimum: 99 }).maybeSingle()).data, null);
  assertEquals(refusal(await thandi.rpc("rest_books", { minimum: 99 }).single()), [406, "PGRST116"]);
  const chosen = await thandi.rpc("rest_books", { minimum: 20 }).select("id").order("id", {
    ascending: false,
  }).limit(1);
  assertEquals([chosen.error, chosen.data as unknown], [null, [{ id: 3 }]]);
  assertEquals((await thandi.rpc("rest_books", { minimum: 30 }, { get: true })).data.length, 1);
});

Deno.test("rpc: refusals", async () => {
  const missing = await thandi.rpc("rest_unknown", { a: 1 });
  assertEquals(refusal(missing), [404, "PGRST202"]);
  assert(missing.error!.message.includes("public.rest_unknown(a)"));
  assertEquals(refusal(await thandi.rpc("rest_add", { a: 1, c: 1 })), [404, "PGRST202"]);
  assertEquals(refusal(await thandi.rpc("rest_add", { b: 1 })), [404, "PGRST202"]);
  assertEquals(refusal(await thandi.rpc("rest_add", { a: "x" })), [400, "22P02"]);
  assertEquals(refusal(await thandi.rpc("rest_closed")), [403, "42501"]);
  assertEquals(refusal(await anon.rpc("rest_closed")), [401, "42501"]);
  assertEquals((await service.rpc("rest_closed")).data, 1);
  // One call is one transaction as the caller.
  assertEquals((await thandi.rpc("rest_put_shelf", { id: 20 })).status, 204);
  assertEquals(refusal(await anon.rpc("rest_put_shelf", { id: 21 })), [401, "42501"]);

  for (
    const [state, status] of [["P0001", 400], ["PT418", 418], ["42501", 403], ["23505", 409], ["22023", 400]]
  ) {
    const raised = await thandi.rpc("rest_raise", { state });
    assertEquals([raised.status, raised.error as unknown], [status, {
      code: state,
      message: "raised",
      details: "more",
      hint: "try",
    }]);
  }
});
