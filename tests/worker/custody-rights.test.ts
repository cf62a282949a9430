// Custody: no API role reaches the log, and its verdict is for those alone who may read it.
import type { SupabaseClient } from "@supabase/supabase-js";
import { assert, assertArrayIncludes, assertEquals } from "../support/assert.ts";
import { ownStack } from "../support/own-stack.ts";
import { custodyTools } from "../support/custody.ts";

const own = await ownStack({ workerSeconds: 0.2 });
const { supabase, superuser } = own;
const { MUNICIPALITIES, everybody, ok, person, service } = own.stack;
const [MBOMBELA, POLOKWANE] = [MUNICIPALITIES.mbombela.id, MUNICIPALITIES.polokwane.id];

Deno.test.afterAll(() => supabase.stop());

const loose = { sanitizeOps: false, sanitizeResources: false };
function test(name: string, fn: (test: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ...loose });
}
const { findings, lastSeq, chain } = custodyTools(own);

test("no API role, the service included, adds, changes, deletes or truncates a record or a head", async () => {
  const clients: [string, SupabaseClient][] = [
    ["service", service],
    ["nobody", own.stack.anonymous],
    ...(await everybody()).map((
      { role, slug, supabase },
    ): [string, SupabaseClient] => [`${role} of ${slug}`, supabase]),
  ];
  const count = () =>
    superuser`select (select count(*) from public.custody_records)::integer as n,
    (select jsonb_agg(h order by h.tenant_id) from private.custody_logs h) as heads, (select count(*) from private.custody_nodes)::integer as nodes`
      .then(([row]) => row);
  await chain();
  const before = await count();
  const [record] =
    await superuser`select * from public.custody_records where tenant_id = ${MBOMBELA} and seq = 1`;
  const forged = { ...record, id: crypto.randomUUID(), seq: 1 + await lastSeq(MBOMBELA) };
  for (const [who, client] of clients) {
    const table = client.from("custody_records");
    const attempts = {
      insert: await table.insert(forged),
      upsert: await table.upsert({ ...record, event: "certified" }),
      update: await table.update({ event: "certified" }).eq("seq", 1).select(),
      delete: await table.delete().eq("seq", 1).select(),
      view: await client.from("evidence_access_log").delete().eq("seq", 1).select(),
    };
    for (const [what, { error }] of Object.entries(attempts)) {
      assertArrayIncludes(["42501", "55000"], [error?.code], `${what} by ${who}: ${JSON.stringify(error)}`);
    }
    for (const schema of ["private", "public"]) {
      for (
        const [name, args] of [
          ["record_system_event", { tenant_id: MBOMBELA, event: "received", file_id: record!.file_id }],
          ["record_user_event", { tenant_id: MBOMBELA, event: "certified", file_id: record!.file_id }],
          ["first_tampered", { tenant_id: null }],
          ["seal_custody", {}],
          ["append_custody_record", { tenant_id: MBOMBELA, event: "received", file_id: record!.file_id }],
          ["retry_media", { file_id: record!.file_id }],
          ["refuse_change", {}],
        ] as const
      ) {
        if (schema === "public" && name === "retry_media") continue; // that one asks who calls
        if (who === "service" && name === "seal_custody") continue;
        const { error } = await client.schema(schema).rpc(name, args);
        assert(error, `${schema}.${name} by ${who}`);
      }
    }
  }
  assertEquals(await count(), before);
  for (const [who, client] of clients) {
    assert((await client.schema("private").from("custody_logs").select("*")).error, `heads, ${who}`);
  }

  for (const role of ["anon", "authenticated", "service_role"]) {
    for (
      const table of [
        "public.custody_records",
        "private.custody_logs",
        "private.custody_nodes",
        "public.custody_audits",
      ]
    ) {
      const [rights] = await superuser`select array_agg(p) as given from unnest(array[
        'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
        where has_table_privilege(${role}, ${table}, p)`;
      assertEquals(rights!.given, null, `${role} on ${table}`);
    }
    for (const statement of ["truncate public.custody_records", "delete from private.custody_logs"]) {
      await superuser.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        await tx.unsafe(statement);
      }).then(() => assert(false, `${role}: ${statement}`), (error) => assertEquals(error.code, "42501"));
    }
  }
});

test("the tables' owner is stopped by the trigger", async () => {
  await chain();
  const sql = supabase.connect("postgres");
  for (
    const statement of [
      "update public.custody_records set event = 'failed' where seq = 1",
      "update public.custody_records set seq = null where seq = 1",
      "update public.custody_records set seq = 1000000 where seq = 1",
      "update private.custody_nodes set hash = sha256('x')",
      "delete from private.custody_nodes",
      "truncate private.custody_nodes",
      "delete from public.custody_records where seq = 1",
      "truncate public.custody_records",
      "truncate public.media_attachments cascade",
      "truncate public.municipalities cascade",
    ]
  ) {
    await sql.unsafe(statement).then(
      () => assert(false, statement),
      (error) => assertEquals(error.code, "42501"),
    );
  }
});

test("verify_custody shows police liaison and admins their own municipality's log, and nobody else any", async () => {
  await chain();
  const { file_id } = (await superuser`select file_id from public.custody_records
    where tenant_id = ${MBOMBELA} and seq = 2`)[0]!;
  for (const { role, slug, supabase } of await everybody()) {
    for (const municipality_id of [undefined, MBOMBELA, POLOKWANE]) {
      const { data, error } = await supabase.rpc("verify_custody", { municipality_id });
      if (role === "admin" || role === "saps_liaison") assertEquals(data, [], `${role} of ${slug}`);
      else assertEquals(error?.message, "forbidden", `${role} of ${slug}`);
    }
  }
  assert((await own.stack.anonymous.rpc("verify_custody", {})).error);
  assertEquals(await ok(service.rpc("verify_custody", {})), []);

  // committed this time, and put back
  const change = (event: string) =>
    superuser.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      const [was] =
        await tx`select event from public.custody_records where tenant_id = ${MBOMBELA} and seq = 2`;
      await tx`update public.custody_records set event = ${event} where tenant_id = ${MBOMBELA} and seq = 2`;
      return was!.event as string;
    });
  const was = await change("failed");
  try {
    const problem = "this record was changed";
    for (const role of ["admin", "saps_liaison"] as const) {
      const { supabase: here } = await person(role);
      const { supabase: elsewhere } = await person(role, "polokwane");
      assertEquals(await ok(here.rpc("verify_custody", {})), [{ tenant_id: MBOMBELA, seq: 2, problem }]);
      assertEquals(await ok(elsewhere.rpc("verify_custody", {})), []);
      assertEquals(await ok(elsewhere.rpc("verify_custody", { municipality_id: MBOMBELA })), []);
      const { log } = await ok(here.rpc("custody_certificate", { file_id }));
      assertEquals([log.intact, log.first_fault.seq], [false, 2]);
    }
    assertEquals(await ok(service.rpc("verify_custody", { municipality_id: POLOKWANE })), []);
    assertEquals((await ok(service.rpc("verify_custody", {}))).length, 1);
  } finally {
    await change(was);
  }
  assertEquals(await findings(), []);
});
