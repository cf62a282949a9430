// The custody log as RFC 9162 has it: every root and proof agrees with an implementation of the RFC that knows no SQL; each
// record is sealed once, whoever writes, seals or dies meanwhile.
import type postgres from "postgres";
import { assert, assertEquals } from "../support/assert.ts";
import { between, ownStack, pause } from "../support/own-stack.ts";
import { consistent, included, Merkle } from "../support/merkle.ts";

const own = await ownStack();
const { supabase, superuser: sql } = own;
const { MUNICIPALITIES, everybody, ok, person, service } = own.stack;

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

async function municipality(): Promise<string> {
  const id = crypto.randomUUID();
  await sql`insert into public.municipalities (id, slug, name) values (${id}, ${`m-${id}`}, 'A log of its own')`;
  return id;
}

async function record(tenant: string, count: number, file = crypto.randomUUID(), on: postgres.Sql = sql) {
  await on`select private.record_system_event(${tenant}, 'url_signed', jsonb_build_object('n', n), ${file})
    from generate_series(1, ${count}::int) n`;
  return file;
}

async function seal(tenant: string, batch = 5000): Promise<number> {
  const [row] = await sql`select private.seal_custody(${tenant}, null, ${batch}) as n`;
  return row!.n;
}

async function leaves(tenant: string): Promise<{ seq: number; leaf: string; hash: string }[]> {
  const rows = await sql`select seq, hash, private.custody_leaf(r) as leaf from public.custody_records r
    where tenant_id = ${tenant} order by seq`;
  return rows.map(({ seq, leaf, hash }) => ({ seq: Number(seq), leaf, hash }));
}

async function assertWhole(tenant: string, count: number): Promise<void> {
  const rows = await leaves(tenant);
  assertEquals(rows.map(({ seq }) => seq), Array.from({ length: count }, (_, index) => index + 1));
  const tree = Merkle.of(rows.map(({ leaf }) => leaf));
  assertEquals(rows.map(({ hash }) => hash), tree.leaves.map((leaf) => leaf.toHex()));
  const [log] =
    await sql`select size, encode(root, 'hex') as root from private.custody_logs where tenant_id = ${tenant}`;
  assertEquals([Number(log!.size), log!.root], [count, (tree.root(count)).toHex()]);
  assertEquals([...await sql`select * from private.first_tampered(${tenant})`], []);
}

test("RFC 6962's published tree, whose hashing RFC 9162 keeps, comes out of the SQL", async () => {
  const inputs = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
  ];
  const roots = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  const tenant = await municipality();
  await record(tenant, inputs.length);
  const empty = await sql`select private.custody_root(${tenant}, 0) as root`;
  assertEquals(empty[0]!.root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // the published leaves in place of ours, before they are sealed
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    for (const [index, hex] of inputs.entries()) {
      await tx`update public.custody_records set hash = encode(sha256('\\x00'::bytea || decode(${hex}, 'hex')), 'hex')
        where id = (select id from public.custody_records where tenant_id = ${tenant} order by recorded_at, id offset ${index} limit 1)`;
    }
  });
  assertEquals(await seal(tenant), inputs.length);
  for (const [index, root] of roots.entries()) {
    const [row] = await sql`select private.custody_root(${tenant}, ${index + 1}) as root`;
    assertEquals(row!.root, root, `size ${index + 1}`);
  }
  const path =
    await sql`select private.inclusion_path(${tenant}, 1, 8) as path, private.inclusion_path(${tenant}, 6, 8) as sixth,
    private.consistency_path(${tenant}, 6, 8) as consistency`;
  assertEquals(path[0]!.path, [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
  ]);
  assertEquals(path[0]!.sixth, [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
  assertEquals(path[0]!.consistency, [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
});

test("roots, inclusion and consistency agree with the RFC's definition at every size from 0 to 300, however it was sealed", async () => {
  const tenant = await municipality();
  await record(tenant, 300);
  for (let sealed = 0; sealed < 300;) sealed += await seal(tenant, between(1, 40));
  await assertWhole(tenant, 300);
  const tree = Merkle.of((await leaves(tenant)).map(({ leaf }) => leaf));
  const rows = await sql`select n::int as size, private.custody_root(${tenant}, n) as root,
      (select jsonb_object_agg(s, private.inclusion_path(${tenant}, s, n)) from generate_series(1, n) s
        where s in (1, n) or s % 8 = n % 8) as inclusion,
      (select jsonb_object_agg(s, private.consistency_path(${tenant}, s, n)) from generate_series(1, n) s
        where s in (1, n) or s % 8 = n % 8) as consistency
    from generate_series(0, 300) n order by n`;
  assertEquals(rows.length, 301);
  const roots = rows.map(({ root }) => root as string);
  for (const { size, root, inclusion, consistency } of rows) {
    assertEquals(root, (tree.root(size)).toHex(), `root at ${size}`);
    for (const at of Object.keys(inclusion ?? {}).map(Number)) {
      const what = `${at} of ${size}`;
      // proved by the verifier's algorithm, which knows no tree
      const leaf = tree.leaves[at - 1]!;
      assert(included(leaf, at - 1, size, inclusion[at], root), what);
      assert(consistent(at, roots[at]!, size, root, consistency[at]), what);
      if (at % 5 === 1) {
        const path = (tree.inclusion(at - 1, size)).map((hash) => hash.toHex());
        assertEquals(inclusion[at], path, what);
        assertEquals(
          consistency[at],
          (tree.consistency(at, size)).map((hash) => hash.toHex()),
          what,
        );
        if (path.length) {
          assert(
            !included(leaf, at - 1, size, [
              ...path.slice(1),
              path[0]!.replace(/./, (c) => c === "0" ? "1" : "0"),
            ], root),
          );
          assert(!included(tree.leaves[at % size]!, at - 1, size, path, root));
        }
      }
    }
  }
});

test("16 writers and two sealers: 10,000 records, each sealed once; no writer waits for another's transaction", async () => {
  const tenant = await municipality();
  const { default: postgres } = await import("postgres");
  const connect = () => postgres(supabase.env.SUPABASE_DB_URL!, { max: 1, onnotice: () => {} });
  // one that has recorded and not committed holds nobody up
  const slow = connect();
  let finish = () => {};
  const waiting = new Promise<void>((resolve) => finish = resolve);
  const held = slow.begin(async (tx) => {
    await tx`select private.record_system_event(${tenant}, 'url_signed', '{}', gen_random_uuid())`;
    await waiting;
  });
  let writing = true;
  let twice = 0;
  const sealers = [0, 1].map(async () => {
    const on = connect();
    while (writing) {
      const [row] = await on`select private.seal_custody(${tenant}, null, 700) as n`;
      if (row!.n > 0) twice++;
      else await pause(5);
    }
    await on.end();
  });
  await Promise.all(Array.from({ length: 16 }, async () => {
    const on = connect();
    for (let n = 0; n < 625; n += 5) await record(tenant, 5, undefined, on);
    await on.end();
  }));
  finish();
  await held;
  await slow.end();
  writing = false;
  await Promise.all(sealers);
  while (await seal(tenant));
  assert(twice > 1, "nothing was sealed meanwhile");
  await assertWhole(tenant, 10_001);
});

test("a sealer killed at any point leaves a log that verifies and goes on", async () => {
  const tenant = await municipality();
  const { default: postgres } = await import("postgres");
  let count = 0;
  let killed = 0;
  for (let round = 0; round < 20; round++) {
    await record(tenant, 400);
    count += 400;
    const on = postgres(supabase.env.SUPABASE_DB_URL!, { max: 1, onnotice: () => {} });
    const [{ pid }] = await on`select pg_backend_pid() as pid` as unknown as [{ pid: number }];
    const sealing = on`select private.seal_custody(${tenant}, null, 1000)`.then(() => {}, () => killed++);
    await pause(between(0, 250));
    await sql`select pg_terminate_backend(${pid})`;
    await sealing;
    await on.end({ timeout: 0 }).catch(() => {});
    assertEquals([...await sql`select * from private.first_tampered(${tenant})`], [], `round ${round}`);
  }
  while (await seal(tenant));
  await assertWhole(tenant, count);
  console.log(`note: ${killed} of 20 sealers died at work`);
});

test("a record is seen by admins and police liaison from its commit, sealed or not, and by nobody else", async () => {
  const tenant = MUNICIPALITIES.mbombela.id;
  const file = await record(tenant, 1);
  for (const sealed of [false, true]) {
    if (sealed) { while (await seal(tenant)); }
    for (const { role, slug, supabase: client } of await everybody()) {
      const sees = slug === "mbombela" && (role === "admin" || role === "saps_liaison");
      const { data } = await client.from("custody_records").select("seq").eq("file_id", file);
      assertEquals(data!.length, sees ? 1 : 0, `${role} of ${slug}`);
      if (sees) assertEquals(data![0]!.seq !== null, sealed);
      const proof = await client.rpc("custody_proof", { file_id: file });
      assertEquals(proof.error === null, sees, `proof, ${role} of ${slug}`);
      if (sees) assertEquals(proof.data.records[0].proof !== null, sealed);
      const consistency = await client.rpc("custody_consistency", { old_size: 0, municipality_id: tenant });
      const certifies = role === "admin" || role === "saps_liaison";
      assertEquals(consistency.error === null, certifies, `consistency, ${role} of ${slug}`);
      if (certifies) assertEquals(consistency.data.municipality_id, MUNICIPALITIES[slug].id);
    }
  }
  assert((await own.stack.anonymous.rpc("custody_proof", { file_id: file })).error);
  assertEquals((await ok(service.rpc("custody_proof", { file_id: file }))).records.length, 1);
});

test("the proof that dashboards ask for verifies, at the present size and at an earlier one", async () => {
  const tenant = MUNICIPALITIES.mbombela.id;
  const file = await record(tenant, 3);
  while (await seal(tenant));
  const { supabase: client } = await person("saps_liaison");
  const proof = await ok(client.rpc("custody_proof", { file_id: file }));
  await record(tenant, 50);
  while (await seal(tenant));
  for (const asked of [await ok(client.rpc("custody_proof", { file_id: file })), proof]) {
    const again = await ok(client.rpc("custody_proof", { file_id: file, size: asked.size }));
    assertEquals(again, asked);
    for (const { seq, leaf, hash, proof } of asked.records) {
      const [expected] = (Merkle.of([leaf])).leaves;
      assertEquals(expected!.toHex(), hash);
      assertEquals(JSON.parse(leaf)[3], file);
      assert(included(expected!, seq - 1, asked.size, proof, asked.root));
    }
    const grown = await ok(client.rpc("custody_consistency", { old_size: proof.size, size: asked.size }));
    assert(consistent(proof.size, proof.root, asked.size, asked.root, grown.proof));
  }
  for (const size of [-1, 10 ** 9]) {
    assertEquals(
      (await client.rpc("custody_proof", { file_id: file, size })).error?.message,
      "invalid_request",
    );
    assertEquals(
      (await client.rpc("custody_consistency", { old_size: size })).error?.message,
      "invalid_request",
    );
  }
});

test("sealing and proving read by index in tables without statistics", async () => {
  const tenant = await municipality();
  const file = await record(tenant, 1);
  await record(tenant, 20_000);
  const began =
    await sql`select seq_tup_read::int as n from pg_stat_user_tables where relname = 'custody_records'`;
  const { default: postgres } = await import("postgres");
  const on = postgres(supabase.env.SUPABASE_DB_URL!, { max: 1, onnotice: () => {} });
  const [{ n: sealed }] = await on`select private.seal_custody(${tenant}, null, 2000) as n` as unknown as [
    { n: number },
  ];
  await on`select public.custody_proof(${file})`;
  await on`select pg_stat_force_next_flush()`;
  await on`select 1`;
  await on.end();
  assertEquals(sealed, 2000);
  await pause(300);
  const ended =
    await sql`select seq_tup_read::int as n from pg_stat_user_tables where relname = 'custody_records'`;
  assertEquals(ended[0]!.n - began[0]!.n, 0, "rows read by sequential scans");
});
