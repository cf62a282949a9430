// docs/adopt.md, "Uninstall": buckets and a table that stay for a while are for nobody, and go or come back in the end.
import { startSupabase, type Supabase } from "../../local/supabase.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { as, COUNCILS, difference, emptyProject, snapshot, staff, uninstall } from "./support.ts";
import { mustPush, mustUninstall, storage, storeFile } from "./uninstalling.ts";

const HIDING = "kept evidence: for nobody";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

/** A project of theirs where anybody reads any file, what it was before us, and a token for an upload of GBV evidence. */
async function withUploadToken(
  run: (own: Supabase, before: Map<string, string>, put: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const own = await emptyProject();
  try {
    const sql = own.connect("postgres");
    await sql`create policy "anybody reads" on storage.objects for select using (true)`;
    const before = await snapshot(sql);
    await mustPush(own.env.SUPABASE_DB_URL!);
    const tenant = COUNCILS.msunduzi;
    await sql`insert into public.municipalities (id, slug, name) values (${tenant}, 'msunduzi', 'Msunduzi')`;
    const path = `${tenant}/${crypto.randomUUID()}/photo.jpg`;
    const { status, text } = await storage(own.env, "POST", "upload/sign/gbv-evidence", path, "{}");
    assertEquals(status, 200, text);
    await run(own, before, async () => {
      const response = await fetch(`${own.env.SUPABASE_URL}/storage/v1${JSON.parse(text).url}`, {
        method: "PUT",
        headers: { "content-type": "image/jpeg" },
        body: new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1]),
      });
      await response.body?.cancel();
      return response.status;
    });
  } finally {
    await own.stop();
  }
}

const withUrl = (own: Supabase, SUPABASE_URL: string) => ({ env: { ...own.env, SUPABASE_URL } });

test("buckets that stay for want of a URL are hidden and locked; the next uninstall removes them and all that is left", () =>
  withUploadToken(async (own, before, put) => {
    const sql = own.connect("postgres");
    const installed = await snapshot(sql);
    const first = await uninstall(withUrl(own, ""), "--yes");
    assert(first.success, first.output);
    assertStringIncludes(
      first.output,
      "still there, hidden and locked: buckets documents, evidence, gbv-evidence",
    );
    assert(await put() >= 400, "a token from before stored GBV evidence that nothing of ours guards");
    assertEquals((await sql`select name from storage.objects`).length, 0);

    // and had one landed all the same, nobody would read it
    const admin = own.connect("supabase_admin");
    const landed = ["evidence", "documents", "gbv-evidence"];
    await admin.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      for (const bucket of landed) {
        await tx`insert into storage.objects (bucket_id, name) values (${bucket}, 'a.jpg')`;
      }
    });
    for (const [role, claims] of [["authenticated", staff("field_worker")], ["anon", {}]] as const) {
      assertEquals([...await as(sql, role, claims, (tx) => tx`select bucket_id from storage.objects`)], []);
    }
    await admin.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`delete from storage.objects where bucket_id in ${tx(landed)}`;
    });

    await mustPush(own.env.SUPABASE_DB_URL!);
    assertEquals(difference(installed, await snapshot(sql)), { added: [], gone: [], changed: [] });
    assert((await uninstall(withUrl(own, ""), "--yes")).success);
    const second = await mustUninstall(own);
    for (const line of ["removed bucket gbv-evidence", "remove schema private"]) {
      assertStringIncludes(second, line);
    }
    assert(!second.includes("row-level security of tickets"), "the table is gone");
    assertEquals(difference(before, await snapshot(sql)), { added: [], gone: [], changed: [] });
    assertStringIncludes(await mustUninstall(own), "nothing of the bundle is left to remove");
  }));

test("nothing lands while the buckets are removed; one that Storage does not remove stays hidden and locked", () =>
  withUploadToken(async (own, before, put) => {
    const sql = own.connect("postgres");
    const puts: number[] = [];
    // between the uninstall's transaction and each bucket's removal somebody uses the token
    const between = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      puts.push(await put());
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/documents")) return new Response(null, { status: 503 });
      return await fetch(own.env.SUPABASE_URL + pathname, {
        method: request.method,
        headers: request.headers,
      });
    });
    const { success, output } = await uninstall(
      withUrl(own, `http://127.0.0.1:${between.addr.port}`),
      "--yes",
    );
    await between.shutdown();
    assert(success, output);
    puts.push(await put());
    assert(puts.length === 4 && puts.every((status) => status >= 400), `a file landed: ${puts}`);
    assertStringIncludes(output, "bucket documents stays, hidden and locked: Storage answered 503");
    assertEquals((await sql`select id from storage.buckets`).map(({ id }) => id), ["documents"]);
    const [policy] = await sql`select qual from pg_policies where policyname = ${HIDING}`;
    assertStringIncludes(policy!.qual, "documents");

    // in the meantime the names that are free again are theirs
    await sql`create table public.tickets (id int)`;
    await sql`create table public.municipalities as select 'theirs' as name`;
    await mustUninstall(own);
    assertEquals(difference(before, await snapshot(sql)).gone, []);
    for (const table of ["tickets", "municipalities"]) {
      assert((await sql`select to_regclass(${`public.${table}`}) as it`)[0]!.it, `their ${table} are gone`);
      await sql`drop table public.${sql(table)}`;
    }
    assertEquals(difference(before, await snapshot(sql)), { added: [], gone: [], changed: [] });
  }));

test("a tickets table of the migrations' own stays while it has rows, for nobody, and comes back", async () => {
  const own = await startSupabase({ functions: false });
  try {
    const sql = own.connect("postgres");
    const [{ id }] = await sql`select id from public.municipalities limit 1` as unknown as [{ id: string }];
    await storeFile(own, "gbv-evidence", id);
    const installed = await snapshot(sql);
    const seen = () =>
      as(
        sql,
        "authenticated",
        { sub: crypto.randomUUID(), app_metadata: { tenant_id: id, role: "admin" } },
        async (tx) => (await tx`select count(*)::int as n from public.tickets`)[0]!.n,
      ).catch((error) => error.code);
    assertEquals(await seen(), 4);
    await mustUninstall(own);
    assertEquals(await seen(), "42501");
    assertEquals((await sql`select count(*)::int as n from public.tickets`)[0]!.n, 8);
    await mustPush(own.env.SUPABASE_DB_URL!);
    assertEquals(difference(installed, await snapshot(sql)), { added: [], gone: [], changed: [] });
    assertEquals(await seen(), 4);
  } finally {
    await own.stop();
  }
});
