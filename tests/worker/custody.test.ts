// Custody: no API role reaches the log, tampering by a superuser is detected, and the certificate says all that an officer
// certifies, to those alone who may read the file.
import type { SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { createClient } from "@supabase/supabase-js";
import {
  assert,
  assertArrayIncludes,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "../support/assert.ts";
import { between, ownStack } from "../support/own-stack.ts";
import { included, leafHash } from "../support/merkle.ts";
import { workToTheEnd } from "../support/flood.ts";

const own = await ownStack({ workerSeconds: 0.2 });
const { supabase, superuser, files, functions, whatsapp } = own;
const { MUNICIPALITIES, everybody, makeTicket, ok, person, sample, service, sha256 } = own.stack;
const [MBOMBELA, POLOKWANE] = [MUNICIPALITIES.mbombela.id, MUNICIPALITIES.polokwane.id];

Deno.test.afterAll(() => supabase.stop());

const loose = { sanitizeOps: false, sanitizeResources: false };
function test(name: string, fn: (test: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ...loose });
}

interface Finding {
  tenant: string;
  seq: number;
  problem: string;
}

async function findings(sql: postgres.Sql | postgres.TransactionSql = superuser): Promise<Finding[]> {
  const rows = await sql`select * from private.first_tampered(null) order by seq`;
  return rows.map((row) => ({ tenant: row.municipality_id, seq: Number(row.seq), problem: row.problem }));
}

/** Does it as a superuser whom no trigger and no foreign key stops, asks what is found, undoes it. */
async function tampered(how: (tx: postgres.TransactionSql) => Promise<unknown>): Promise<Finding[]> {
  let found: Finding[] = [];
  const undo = new Error("undo");
  await superuser.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await how(tx);
    found = await findings(tx);
    throw undo;
  }).catch((error) => {
    if (error !== undo) throw error;
  });
  return found;
}

/** Seals what is not, and counts. */
async function lastSeq(tenant: string): Promise<number> {
  while ((await superuser`select private.seal_custody(${tenant}) as n`)[0]!.n);
  const [row] = await superuser`select coalesce(max(seq), 0)::integer as n from public.custody_records
    where tenant_id = ${tenant}`;
  return row!.n;
}

/** The last record's number of a log that is long enough to be tampered with, whichever tests ran before. */
async function chain(): Promise<number> {
  await someFile(MBOMBELA);
  await workToTheEnd(own);
  if (await lastSeq(MBOMBELA) < 300) {
    await superuser`select private.record_system_event(${MBOMBELA}, 'url_signed',
      jsonb_build_object('expires_in', n, 'request_id', 'r' || n), ${await someFile(
      MBOMBELA,
    )}) from generate_series(1, 300) n`;
    await workToTheEnd(own);
  }
  return await lastSeq(MBOMBELA);
}

/** A file of the tenant to write records about. */
async function someFile(tenant: string): Promise<string> {
  const slug = tenant === MBOMBELA ? "mbombela" : "polokwane";
  return (await files.serviceFile("evidence", slug)).fileId;
}

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

// The certificate -----------------------------------------------------------------------------------------------------

interface Certificate {
  file: Record<string, unknown>;
  municipality: { id: string };
  tracking_number: string;
  // deno-lint-ignore no-explicit-any
  records: any[];
  log: { size: number; root: string; intact: boolean };
  issued_at: string;
  issued_by: { user_id: string; role: string };
}

const certificate = (supabase: SupabaseClient, fileId: string): Promise<Certificate> =>
  ok(supabase.rpc("custody_certificate", { file_id: fileId }));

test("the certificate of a WhatsApp medium tells what came, from which message, when, with proofs that verify", async () => {
  const file = await whatsapp.sampleFile("burst-pipe.jpg");
  const sent = await whatsapp.accepted(whatsapp.newSender(), MUNICIPALITIES.mbombela.number, {
    files: [file],
  });
  const [record] = await whatsapp.settled(sent.message_sid, 1);
  const { supabase, userId } = await person("saps_liaison");
  const paper = await certificate(supabase, record!.file_id);
  const { received_at, stored_at, ...facts } = paper.file;
  assertEquals(facts, {
    file_id: record!.file_id,
    filename: record!.filename,
    salt: paper.file.salt,
    sha256: await sha256(file.bytes),
    declared_sha256: null,
    file_size: file.bytes.length,
    content_type: "image/jpeg",
    source: "whatsapp",
    status: "stored",
    message_sid: sent.message_sid,
    media_index: 0,
    bucket: "evidence",
    path: record!.path,
  });
  assert(Date.parse(String(received_at)) <= Date.parse(String(stored_at)));
  assertEquals(paper.municipality.id, MBOMBELA);
  assertMatch(paper.tracking_number, /^TKT-/);
  assertEquals(paper.issued_by as unknown, {
    user_id: userId,
    role: "saps_liaison",
    name: null,
    office: null,
  });
  assertEquals(paper.records.map(({ event }) => event), ["received", "stored", "certified"]);
  assertEquals([paper.records[2].user_id, paper.records[2].user_role], [userId, "saps_liaison"]);
  assertEquals(paper.log.intact, true);
  for (const { seq, hash, leaf, proof, event } of paper.records) {
    assertEquals([leafHash(leaf).toHex(), JSON.parse(leaf)[5]], [hash, event]);
    assert(included(leafHash(leaf), seq - 1, paper.log.size, proof, paper.log.root), event);
  }
  assertEquals(
    (await certificate(supabase, record!.file_id)).records.length,
    4,
    "issuing is recorded each time",
  );
});

test("the certificate of a web upload says which hash its browser declared, and whether it was that", async () => {
  const admin = await person("admin");
  for (const honest of [true, false]) {
    const blob = sample();
    const hash = await sha256(blob);
    const declared = honest ? hash : await sha256(sample());
    const slot = await files.announce(admin, { sha256: declared, filename: "Foto – nº 1.jpg" });
    await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    await workToTheEnd(own);
    const { data } = await service.from("media_attachments").select("last_error, sha256").eq(
      "file_id",
      slot.file_id,
    )
      .single();
    assertEquals(data, { last_error: honest ? null : "declared_hash_differs", sha256: hash });
    const paper = await certificate(admin.supabase, slot.file_id);
    const { filename, sha256: own_, declared_sha256, source } = paper.file;
    assertEquals([filename, own_, declared_sha256, source], ["Foto – nº 1.jpg", hash, declared, "web"]);
    const [received, hashed] = paper.records;
    assertEquals([received.event, received.details.uploaded_by], ["received", admin.userId]);
    assertEquals([hashed.event, hashed.details.sha256, hashed.details.as_declared], ["hashed", hash, honest]);
  }
});

test("the certificate of a moved file names the move and each reading: who, in what role, when, for how long, by which request", async () => {
  const uploader = await person("field_worker");
  const ticket = await makeTicket("mbombela");
  const file = await files.ticketFile(uploader, ticket.id);
  await workToTheEnd(own);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  await workToTheEnd(own);
  const readings: unknown[] = [];
  for (const [role, expires_in] of [["admin", 60], ["saps_liaison", undefined], ["admin", 900]] as const) {
    const { token, userId } = await person(role);
    const answer = await functions.call("signed-url", { token, body: { file_id: file.fileId, expires_in } });
    assertEquals(answer.status, 200, answer.text);
    readings.push({
      user_id: userId,
      user_role: role,
      expires_in: expires_in ?? 300,
      request_id: answer.headers.get("x-request-id"),
    });
  }
  const before = Date.now();
  const { supabase } = await person("saps_liaison");
  const paper = await certificate(supabase, file.fileId);
  assertEquals([paper.file.bucket, paper.file.sha256], ["gbv-evidence", await sha256(file.blob)]);
  assertEquals(paper.records.map(({ event }) => event), [
    ...["received", "hashed", "moved", "url_signed", "url_signed", "url_signed", "certified"],
  ]);
  const { from, bucket, sha256: hash } = paper.records[2].details;
  assertEquals([from, bucket, hash], ["evidence", "gbv-evidence", await sha256(file.blob)]);
  const seen = paper.records.filter(({ event }) => event === "url_signed");
  assertEquals(
    seen.map(({ user_id, user_role, details: { expires_in, request_id } }) => (
      { user_id, user_role, expires_in, request_id }
    )),
    readings as typeof seen,
  );
  for (const { recorded_at } of seen) assert(Math.abs(Date.parse(recorded_at) - before) < 20_000);
});

test("no certificate and no records for anybody but admins and police liaison of the municipality", async () => {
  const citizen = await person("citizen");
  const openTicket = await makeTicket("mbombela", { reporter_id: citizen.userId });
  const gbvTicket = await makeTicket("mbombela", { is_sensitive: true });
  const plain = await files.ticketFile(citizen, openTicket.id);
  const gbv = await files.ticketFile(await person("admin"), gbvTicket.id, { purpose: "gbv-evidence" });
  const byManager = await files.serviceFile("gbv-evidence", "mbombela");
  await workToTheEnd(own);
  const before = await lastSeq(MBOMBELA);
  let issued = 0;
  for (const { role, slug, supabase } of await everybody()) {
    for (const file of [plain, gbv, byManager]) {
      const certifies = role === "admin" || role === "saps_liaison";
      const may = slug === "mbombela" && certifies;
      const { data, error } = await supabase.rpc("custody_certificate", { file_id: file.fileId });
      const what = `${role} of ${slug}, ${file.bucket}`;
      if (may) issued++;
      if (may) assertEquals(data?.file.file_id, file.fileId, what);
      else assertEquals(error?.message, certifies ? "not_found" : "forbidden", what);
      // nor the records themselves
      const { data: rows } = await supabase.from("custody_records").select("seq").eq("file_id", file.fileId);
      assertEquals(rows!.length > 0, may, `records, ${what}`);
    }
    const { error } = await supabase.rpc("custody_certificate", { file_id: crypto.randomUUID() });
    assertEquals(error?.message, role === "admin" || role === "saps_liaison" ? "not_found" : "forbidden");
  }
  for (const client of [own.stack.anonymous, service]) {
    const { error } = await client.rpc("custody_certificate", { file_id: plain.fileId });
    assertNotEquals(error, null);
  }
  assertEquals(await lastSeq(MBOMBELA), before + issued, "a refusal left a record, or an issue none");
});

test("the names of files are not in the log; a certificate opens the commitment; without its salt the name is gone and the log whole", async () => {
  const admin = await person("admin");
  const slot = await files.announce(admin, { filename: "thandi-zulu-bruises.jpg" });
  await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, sample()));
  await workToTheEnd(own);
  const { file, records } = await certificate(admin.supabase, slot.file_id);
  const [leaf] = records.map(({ leaf }) => leaf as string);
  assert(!leaf!.includes("thandi"), leaf);
  const salt = Uint8Array.fromHex(String(file.salt));
  assert(salt.length >= 16);
  for (const [name, value] of [["filename", file.filename], ["path", file.path]] as const) {
    const committed = await sha256(new Blob([salt, String(value)]));
    assertEquals(JSON.parse(leaf!)[9][`${name}_commitment`], committed, name);
  }
  const twin = await files.announce(admin, { filename: "thandi-zulu-bruises.jpg" });
  await ok(admin.supabase.storage.from(twin.bucket).uploadToSignedUrl(twin.path, twin.token, sample()));
  await workToTheEnd(own);
  const other = await certificate(admin.supabase, twin.file_id);
  assertNotEquals(
    other.records[0].details.filename_commitment,
    records[0].details.filename_commitment,
    "the same name is known again by its commitment",
  );
  await superuser`update public.media_attachments set custody_salt = null, filename = 'destroyed'
    where file_id = ${slot.file_id}`;
  assertEquals(await findings(), []);
});

test("who is to sign is on the certificate, and in the log by commitment alone; its wording follows the office", async () => {
  const file = await files.serviceFile("evidence", "mbombela");
  await workToTheEnd(own);
  for (const [role, act] of [["admin", "15(4)"], ["saps_liaison", "15(3)"]] as const) {
    const { supabase } = await person(role);
    const signer = { signer_name: "T. Zulu", signer_office: "Records officer" };
    const paper = await ok(supabase.rpc("custody_certificate", { file_id: file.fileId, ...signer }));
    assertEquals([paper.issued_by.name, paper.issued_by.office], ["T. Zulu", "Records officer"]);
    assert(paper.wording.purpose.includes(act), paper.wording.purpose);
    const last = paper.records.at(-1);
    assert(!last.leaf.includes("Zulu") && !last.leaf.includes("officer"), last.leaf);
    assertMatch(last.details.signer_commitment, /^[0-9a-f]{64}$/);
    const { error } = await supabase.rpc("custody_certificate", { file_id: file.fileId, wording: "army" });
    assertEquals(error?.message, "invalid_request");
  }
});

test("one person's token writes no record in another's name", async () => {
  const file = await files.serviceFile("gbv-evidence", "mbombela");
  const { token, userId } = await person("admin");
  const client = createClient(supabase.url, supabase.keys.publishable, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { headers: { authorization: `Bearer ${token}`, "x-user-id": crypto.randomUUID() } },
  });
  await ok(client.rpc("open_evidence", {
    files: [{ file_id: file.fileId, user_id: crypto.randomUUID() }],
    request_id: "x",
    expires_in: 60,
  }));
  const [row] = await superuser`select user_id, user_role from public.custody_records
    where file_id = ${file.fileId} and event = 'url_signed'`;
  assertEquals([row!.user_id, row!.user_role], [userId, "admin"]);
});
