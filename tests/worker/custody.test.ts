// Custody: evidence is handed out while the log is sealed, and tampering by a superuser is detected.
import type postgres from "postgres";
import { assert, assertEquals } from "../support/assert.ts";
import { between, ownStack } from "../support/own-stack.ts";
import { workToTheEnd } from "../support/flood.ts";
import { custodyTools } from "../support/custody.ts";

const own = await ownStack({ workerSeconds: 0.2 });
const { supabase, superuser, files, functions } = own;
const { MUNICIPALITIES, ok, person, sha256 } = own.stack;
const MBOMBELA = MUNICIPALITIES.mbombela.id;

Deno.test.afterAll(() => supabase.stop());

const loose = { sanitizeOps: false, sanitizeResources: false };
function test(name: string, fn: (test: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ...loose });
}
const { certificate, findings, tampered, lastSeq, chain, someFile } = custodyTools(own);

// Writing it ----------------------------------------------------------------------------------------------------------

test("evidence is handed out while the log is being sealed, ordinary evidence without a record", async () => {
  const ordinary = await files.serviceFile("evidence", "mbombela");
  const gbv = await files.serviceFile("gbv-evidence", "mbombela");
  await workToTheEnd(own);
  const before = await lastSeq(MBOMBELA);
  await superuser.begin(async (tx) => {
    await tx`select from private.custody_logs where tenant_id = ${MBOMBELA} for update`;
    const { token } = await person("admin");
    for (const { fileId } of [ordinary, gbv]) {
      const { status } = await functions.call("signed-url", { token, body: { file_id: fileId } });
      assertEquals(status, 200);
    }
  });
  assertEquals(await lastSeq(MBOMBELA), before + 1);
});

// Tampering -----------------------------------------------------------------------------------------------------------

/** Another value for each column, such as a forger would write. */
const FORGERIES: Record<string, string> = {
  id: "gen_random_uuid()",
  tenant_id: "gen_random_uuid()",
  seq: "seq + 1000000",
  file_id: "gen_random_uuid()",
  ticket_id: "case when ticket_id is null then gen_random_uuid() end",
  event: "case event when 'hashed' then 'stored' else 'hashed' end",
  recorded_at: "recorded_at + interval '1 microsecond'",
  user_id: "case when user_id is null then gen_random_uuid() end",
  user_role: "case when user_role is null then 'admin' end",
  details: `jsonb_set(details, '{request_id}', '"forged"') || '{"forged": null}'`,
  hash: "translate(hash, '0123456789abcdef', '123456789abcdef0')",
};

test("every column is in the hash", async () => {
  const columns = await superuser`
    select column_name from information_schema.columns
    where table_schema = 'public' and table_name = 'custody_records'`;
  assertEquals(columns.map(({ column_name }) => column_name).toSorted(), Object.keys(FORGERIES).toSorted());
});

test("any column of any record changed by a superuser is found, at its place", async () => {
  const last = await chain();
  const columns = Object.keys(FORGERIES);
  for (let n = 0; n < 60; n++) {
    const column = columns[n % columns.length]!;
    const seq = n < columns.length ? [1, last][n % 2]! : between(1, last);
    const [first, ...more] = (await tampered((tx) =>
      tx.unsafe(
        `update public.custody_records set ${column} = ${
          FORGERIES[column]
        } where tenant_id = $1 and seq = $2`,
        [MBOMBELA, seq],
      )
    )).filter(({ tenant }) => tenant === MBOMBELA);
    const moved = column === "seq" || column === "tenant_id";
    // a record taken from its place is missed at the next one, or at the end of the log
    const place = moved ? Math.min(seq + 1, last) : column === "hash" ? pairOf(seq, last) : seq;
    assertEquals([first?.seq, more], [place, []], `${column} of ${seq}: ${first?.problem}`);
  }
});

test("one sign of one word changed is found", async () => {
  await chain();
  for (const path of ["expires_in", "request_id"]) {
    const [row] = await superuser`select seq::integer from public.custody_records
      where tenant_id = ${MBOMBELA} and details ? ${path} order by random() limit 1`;
    const found = await tampered((tx) =>
      tx`update public.custody_records set details = jsonb_set(details, ${[path]}, '301'::jsonb)
        where tenant_id = ${MBOMBELA} and seq = ${row!.seq}`
    );
    assertEquals(found.map(({ seq }) => seq), [row!.seq], `${path} of ${row!.seq}`);
  }
});

test("a record changed and given its right hash is found by the node above it, the last one by the root", async () => {
  const last = await chain();
  for (const seq of [1, between(2, last - 1), last]) {
    const found = await tampered(async (tx) => {
      await tx`update public.custody_records set recorded_at = recorded_at - interval '1 day'
        where tenant_id = ${MBOMBELA} and seq = ${seq}`;
      await tx`update public.custody_records r set hash = private.custody_hash(r)
        where tenant_id = ${MBOMBELA} and seq = ${seq}`;
    });
    assertEquals(found.map(({ seq }) => seq), [pairOf(seq, last)], found[0]?.problem);
  }
});

/** Where a fault of the lowest node above a record is reported. */
const pairOf = (seq: number, last: number) => seq === last && last % 2 === 1 ? last : seq - (seq + 1) % 2;

test("records deleted, added or swapped, nodes and heads changed are found", async () => {
  const last = await chain();
  const middle = between(3, last - 3);
  const remove = (from: number, to = from) => (tx: postgres.TransactionSql) =>
    tx`delete from public.custody_records where tenant_id = ${MBOMBELA} and seq between ${from} and ${to}`;
  const add = (tx: postgres.TransactionSql) =>
    tx.unsafe(
      `insert into public.custody_records
       select (private_record.r).* from (
         select row(gen_random_uuid(), tenant_id, seq + 1, file_id, ticket_id, event, clock_timestamp(), user_id, user_role,
           details, repeat('0', 64))::public.custody_records as r
         from public.custody_records where tenant_id = $1 and seq = $2
       ) private_record`,
      [MBOMBELA, last],
    );
  const rehash = (tx: postgres.TransactionSql) =>
    tx`update public.custody_records r set hash = private.custody_hash(r) where tenant_id = ${MBOMBELA} and seq > ${last}`;
  const cases: [string, (tx: postgres.TransactionSql) => Promise<unknown>, number][] = [
    ["the first deleted", remove(1), 2],
    ["one in the middle deleted", remove(middle), middle + 1],
    ["several deleted", remove(middle, middle + 2), middle + 3],
    ["the last deleted", remove(last), last],
    ["all deleted", remove(1, last), last],
    ["one added at the end", add, last + 1],
    ["one added at the end with its right hash", async (tx) => {
      await add(tx);
      await rehash(tx);
    }, last + 1],
    ["the head gone", (tx) => tx`delete from private.custody_logs where tenant_id = ${MBOMBELA}`, 0],
    [
      "a node changed",
      (tx) =>
        tx`update private.custody_nodes set hash = sha256('x') where tenant_id = ${MBOMBELA} and level = 3 and place = 2`,
      17,
    ],
    [
      "a node deleted",
      (tx) => tx`delete from private.custody_nodes where tenant_id = ${MBOMBELA} and level = 1 and place = 4`,
      9,
    ],
    [
      "two nodes swapped",
      (tx) =>
        tx`update private.custody_nodes n set hash = o.hash from private.custody_nodes o
      where n.tenant_id = ${MBOMBELA} and o.tenant_id = n.tenant_id and n.level = 2 and o.level = 2 and n.place + o.place = 11
        and n.place in (5, 6)`,
      17,
    ],
    [
      "a node added",
      (tx) => tx`insert into private.custody_nodes values (${MBOMBELA}, 20, 0, sha256('x'))`,
      last,
    ],
    [
      "the head set back",
      (tx) =>
        tx`update private.custody_logs set size = size - 1, root = private.custody_range(tenant_id, 0, size - 1)
          where tenant_id = ${MBOMBELA}`,
      last,
    ],
    [
      "the root changed",
      (tx) => tx`update private.custody_logs set root = sha256('x') where tenant_id = ${MBOMBELA}`,
      last,
    ],
    [
      "two swapped",
      (tx) =>
        tx`update public.custody_records set seq = case seq when ${middle} then -1 else 1 end * 1000000
          where tenant_id = ${MBOMBELA} and seq = any (${[middle, middle + 1]})`.then(() =>
          tx`update public.custody_records set seq = case when seq < 0 then ${
            middle + 1
          } else ${middle} end::bigint
            where tenant_id = ${MBOMBELA} and abs(seq) >= 1000000`
        ),
      pairOf(middle, last),
    ],
  ];
  for (const [what, how, place] of cases) {
    const found = await tampered(async (tx) => {
      // a superuser may drop what stands in his way
      await tx`alter table public.custody_records drop constraint custody_records_seq_check`;
      await how(tx);
    });
    assertEquals(
      found.map(({ tenant, seq }) => [tenant, seq]),
      [[MBOMBELA, place]],
      `${what}: ${found[0]?.problem}`,
    );
  }
  assertEquals(await findings(), []);
});

test("a file's own row changed by a superuser is found, and the certificate still says what was recorded", async () => {
  await chain();
  const file = await files.serviceFile("evidence", "mbombela");
  await workToTheEnd(own);
  const forgeries = {
    sha256: "repeat('a', 64)",
    file_size: "file_size + 1",
    filename: "'another.jpg'",
    bucket: "'documents'",
  };
  const keep = await superuser`select * from public.media_attachments where file_id = ${file.fileId}`;
  for (const [column, forged] of Object.entries(forgeries)) {
    const found = await tampered(async (tx) => {
      await tx`alter table public.media_attachments drop constraint media_attachments_bucket_of_purpose_check`;
      await tx.unsafe(`update public.media_attachments set ${column} = ${forged} where file_id = $1`, [
        file.fileId,
      ]);
    });
    assertEquals(found.map(({ problem }) => problem), [`the file ${file.fileId} is not as recorded`], column);
  }
  const { supabase } = await person("admin");
  await superuser`update public.media_attachments set sha256 = repeat('a', 64) where file_id = ${file.fileId}`;
  try {
    const paper = await certificate(supabase, file.fileId);
    assertEquals([paper.file.sha256, paper.log.intact], [await sha256(file.blob), false]);
  } finally {
    await superuser`update public.media_attachments set sha256 = ${
      keep[0]!.sha256
    } where file_id = ${file.fileId}`;
  }
  const all = await tampered(async (tx) => {
    await tx`delete from public.custody_records`;
    await tx`delete from private.custody_logs`;
  });
  assert(all.length > 0, "everything gone is not found");
});

test("a log written anew is found by a certificate printed before", async () => {
  await chain();
  const { supabase } = await person("saps_liaison");
  const { log: { size, root } } = await certificate(supabase, await someFile(MBOMBELA));
  await workToTheEnd(own);
  assertEquals(await ok(supabase.rpc("verify_custody", { known_size: size, known_root: root })), []);
  const anew = await ok(supabase.rpc("verify_custody", { known_size: size, known_root: "0".repeat(64) }));
  assertEquals(anew.map(({ seq }: { seq: number }) => seq), [size]);
});

// Who reaches it ------------------------------------------------------------------------------------------------------
