// Checkpoints of custody logs and their time stamps: made by the worker, verified by OpenSSL and Web Crypto; what a superuser
// with the signing key rewrites shows against what was kept outside.
import type postgres from "postgres";
import { CheckpointSigner, keyIdOf, newSigningKey, SIGNER } from "../../shared/evidence/checkpoint.ts";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { startAuthority } from "../support/authority.ts";
import { consistent, included, leafHash } from "../support/merkle.ts";
import { ownStack } from "../support/own-stack.ts";

const authority = await startAuthority();
const seeds = [newSigningKey(), newSigningKey()];
const own = await ownStack({
  functionEnv: { CUSTODY_SIGNING_KEY: seeds[0], TIMESTAMP_URLS: authority.url },
});
const { supabase, superuser: sql, files } = own;
const { MUNICIPALITIES, everybody, ok, person, service } = own.stack;
const TENANT = MUNICIPALITIES.mbombela.id;

Deno.test.afterAll(async () => {
  await supabase.stop();
  await authority.stop();
});

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** One round of the worker. */
async function work(): Promise<void> {
  const response = await fetch(`${supabase.url}/functions/v1/media-worker`, {
    method: "POST",
    headers: { apikey: supabase.keys.secret, prefer: "wait=120" },
  });
  assert(response.ok, await response.text());
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/** As an hour later. */
const later = () =>
  sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`update public.custody_checkpoints set created_at = created_at - interval '61 minutes'`;
    await tx`update public.custody_timestamps set next_attempt_at = now() where next_attempt_at is not null`;
  });

const record = (count: number, file = crypto.randomUUID()) =>
  sql`select private.record_system_event(${TENANT}, 'url_signed', '{}', ${file}) from generate_series(1, ${count}::int)`;

interface Checkpoint {
  size: number;
  root: string;
  note: string;
  key_id: string;
}

async function checkpoints(): Promise<Checkpoint[]> {
  return await ok(
    service.from("custody_checkpoints").select("size, root, note, key_id").eq("tenant_id", TENANT).order(
      "size",
    ),
  );
}

/** Reads a note as C2SP says, with the key from the table; throws unless its signature is good. */
async function opened(note: string): Promise<{ size: number; root: string }> {
  const [text, signatures] = note.split("\n\n") as [string, string];
  const [, name, line] = /^— (\S+) (\S+)\n$/.exec(signatures)!;
  const bytes = Uint8Array.fromBase64(line!);
  const { public_key } = await ok(
    service.from("custody_keys").select("public_key").eq("key_id", bytes.slice(0, 4).toHex()).single(),
  );
  const raw = Uint8Array.fromBase64(public_key);
  assertEquals([name, await keyIdOf(raw)], [SIGNER, bytes.slice(0, 4).toHex()]);
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  const signed = new TextEncoder().encode(`${text}\n`);
  assert(await crypto.subtle.verify("Ed25519", key, bytes.slice(4), signed), "the signature is not good");
  const [origin, size, root, ...rest] = text.split("\n");
  assertEquals([origin, rest], [`${SIGNER}/${TENANT}`, []]);
  return { size: Number(size), root: Uint8Array.fromBase64(root!).toHex() };
}

test("a checkpoint is made hourly when there is something new, signed, and stamped by an outside authority", async () => {
  await record(7);
  await work();
  const [first, ...more] = await checkpoints();
  assertEquals([first!.size, more.length], [7, 0]);
  assertEquals(await opened(first!.note), { size: 7, root: first!.root });
  const { token, stamped_at } = await ok(
    service.from("custody_timestamps").select("token, stamped_at").eq("size", 7).single(),
  );
  assert(await authority.verify(token, first!.note));
  assert(!await authority.verify(token, first!.note.replace("7", "8")));
  assert(Math.abs(Date.parse(stamped_at) - Date.now()) < 60_000);
  await record(5);
  await work();
  assertEquals((await checkpoints()).length, 1, "within the hour");
  await later();
  await work();
  assertEquals((await checkpoints()).map(({ size }) => size), [7, 12]);
  await later();
  await work();
  assertEquals((await checkpoints()).length, 2, "nothing is new");
});

test("an authority that fails in any way holds nothing up, and is asked again", async () => {
  for (const mood of ["refuses", "500", "nonsense", "of another request", "hangs"] as const) {
    authority.mood = mood;
    await record(3);
    await later();
    await work();
    const { note, size } = (await checkpoints()).at(-1)!;
    const row = () =>
      ok(service.from("custody_timestamps").select("token, last_error, attempts").eq("size", size).single());
    assertEquals(await row(), {
      token: null,
      attempts: 1,
      last_error: {
        "refuses": "refused",
        "500": "status_500",
        "nonsense": "not_a_stamp",
        "of another request": "of_something_else",
        "hangs": "unreachable",
      }[mood],
    }, mood);
    authority.mood = "well";
    await later();
    await work();
    const { token, last_error } = await row();
    assert(await authority.verify(token, note), mood);
    assertEquals(last_error, null);
  }
});

test("a certificate is followed by a checkpoint that covers it, and the next one proves all of it", async () => {
  const file = await files.serviceFile("evidence", "mbombela");
  const { supabase: liaison } = await person("saps_liaison");
  const before = await ok(liaison.rpc("custody_certificate", { file_id: file.fileId }));
  await work();
  const { log, checkpoint, records } = await ok(liaison.rpc("custody_certificate", { file_id: file.fileId }));
  assert(checkpoint.size >= before.log.size, "no checkpoint since");
  assertEquals(await opened(checkpoint.note), { size: checkpoint.size, root: checkpoint.root });
  assert(await consistent(checkpoint.size, checkpoint.root, log.size, log.root, checkpoint.consistency));
  assert(await authority.verify(checkpoint.timestamps[0].token, checkpoint.note));
  for (const { leaf, seq, proof } of records) {
    assert(included(leafHash(leaf), seq - 1, log.size, proof, log.root));
  }
  assertEquals(checkpoint.key.valid_until, null);
});

test("a new key signs from now on; the one before is valid until then, and its checkpoints stay good", async () => {
  const before = await checkpoints();
  await supabase.functions!.restart("media-worker", { CUSTODY_SIGNING_KEY: seeds[1] });
  await record(1);
  await later();
  await work();
  const all = await checkpoints();
  assertNotEquals(all.at(-1)!.key_id, before.at(-1)!.key_id);
  for (const { note, size, root } of all) assertEquals(await opened(note), { size, root });
  const keys = await ok(service.from("custody_keys").select("key_id, valid_until").order("valid_from"));
  assertEquals(keys.map(({ valid_until }) => valid_until === null), [false, true]);
});

test("the database refuses a checkpoint of another root or size, and no API role writes any", async () => {
  const signer = await CheckpointSigner.of(seeds[1]!);
  const { size, root } = (await checkpoints()).at(-1)!;
  for (
    const head of [{ size, root: "0".repeat(64) }, { size: size - 1, root }, { size: size + 1000, root }]
  ) {
    const { error } = await service.rpc("add_custody_checkpoint", {
      municipality_id: TENANT,
      ...head,
      note: "forged",
      key_id: signer.keyId,
      key_name: SIGNER,
      public_key: signer.publicKey,
    });
    assertEquals(error?.code, "PT409");
  }
  const clients = [service, own.stack.anonymous, ...(await everybody()).map(({ supabase }) => supabase)];
  for (const client of clients) {
    for (
      const [table, column, value] of [
        ["custody_checkpoints", "size", 1],
        ["custody_keys", "key_id", "00000000"],
        ["custody_timestamps", "size", 1],
        ["custody_audits", "size", 1],
      ] as const
    ) {
      assertEquals((await client.from(table).insert({ [column]: value } as never)).error?.code, "42501");
      assertEquals(
        (await client.from(table).update({ [column]: value } as never).not(column, "is", null)).error?.code,
        "42501",
      );
      assertEquals((await client.from(table).delete().not(column, "is", null)).error?.code, "42501");
    }
  }
  for (const { role, slug, supabase } of await everybody()) {
    const { data } = await supabase.from("custody_checkpoints").select("size").eq("tenant_id", TENANT);
    assertEquals(
      data!.length > 0,
      slug === "mbombela" && ["admin", "saps_liaison"].includes(role),
      `${role} ${slug}`,
    );
  }
});

/** Rewrites hashes, nodes and the root to fit whatever the records now say. */
async function rewrite(tx: postgres.TransactionSql): Promise<void> {
  await tx`update public.custody_records r set hash = private.custody_hash(r) where tenant_id = ${TENANT}`;
  await tx`delete from private.custody_nodes where tenant_id = ${TENANT}`;
  await tx`update public.custody_records r set seq = n.seq from (
      select id, row_number() over (order by seq) + 3000000 as seq from public.custody_records where tenant_id = ${TENANT}
    ) n where n.id = r.id`;
  await tx`update public.custody_records set seq = seq - 3000000 where tenant_id = ${TENANT}`;
  for (let level = 1; level < 20; level++) {
    await tx`insert into private.custody_nodes
      select ${TENANT}::uuid, ${level}::int, (place >> 1), sha256('\\x01'::bytea || string_agg(hash, ''::bytea order by place))
      from (
        select seq - 1 as place, decode(hash, 'hex') as hash from public.custody_records where tenant_id = ${TENANT} and ${level} = 1
        union all
        select place, hash from private.custody_nodes where tenant_id = ${TENANT} and level = ${level}::int - 1
      ) below group by place >> 1 having count(*) = 2`;
  }
  await tx`update private.custody_logs set size = (select count(*) from public.custody_records where tenant_id = ${TENANT})
    where tenant_id = ${TENANT}`;
  await tx`update private.custody_logs set root = private.custody_range(tenant_id, 0, size) where tenant_id = ${TENANT}`;
}

const REWRITES: Record<string, (tx: postgres.TransactionSql) => Promise<unknown>> = {
  "a record edited": (tx) =>
    tx`update public.custody_records set details = '{"forged": true}' where tenant_id = ${TENANT} and seq = 2`,
  "a record deleted": (tx) => tx`delete from public.custody_records where tenant_id = ${TENANT} and seq = 2`,
  "a record inserted": async (tx) => {
    await tx`update public.custody_records set seq = seq + 1000000 where tenant_id = ${TENANT} and seq > 2`;
    await tx`insert into public.custody_records select gen_random_uuid(), tenant_id, 3, file_id, ticket_id, event, recorded_at,
      user_id, user_role, details, hash from public.custody_records where tenant_id = ${TENANT} and seq = 2`;
  },
  "two records exchanged": async (tx) => {
    await tx`update public.custody_records set seq = 1000000 where tenant_id = ${TENANT} and seq = 2`;
    await tx`update public.custody_records set seq = 2 where tenant_id = ${TENANT} and seq = 3`;
    await tx`update public.custody_records set seq = 3 where tenant_id = ${TENANT} and seq = 1000000`;
  },
  "the end cut off": (tx) =>
    tx`delete from public.custody_records where tenant_id = ${TENANT} and seq > (
      select size - 6 from private.custody_logs where tenant_id = ${TENANT})`,
};

for (const [what, attack] of Object.entries(REWRITES)) {
  test(`the whole log rewritten by a superuser with the stolen key, ${what}: whoever kept a certificate finds it`, async () => {
    await record(4);
    await later();
    await work();
    const file = await files.serviceFile("evidence", "mbombela");
    const { supabase: liaison } = await person("saps_liaison");
    const kept = await ok(liaison.rpc("custody_certificate", { file_id: file.fileId }));
    const undo = new Error("undo");
    await sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await attack(tx);
      await rewrite(tx);
      const found = await tx`select * from private.first_tampered(${TENANT})`;
      assert(found.length === 1 && /checkpoint/.test(found[0]!.problem), `${found[0]?.problem}`);
      // nor does it help to forge the checkpoints too
      await tx`delete from public.custody_timestamps where tenant_id = ${TENANT}`;
      await tx`delete from public.custody_checkpoints where tenant_id = ${TENANT}`;
      assertEquals(
        [...await tx`select * from private.first_tampered(${TENANT})`].filter(({ problem }) =>
          !/file/.test(problem)
        ),
        [],
      );
      const known =
        await tx`select * from public.verify_custody(${TENANT}, ${kept.log.size}, ${kept.log.root})`;
      assert(known.some(({ problem }) => problem === "the log is not the one that was certified then"));
      const [now] = await tx`select l.size, encode(l.root, 'hex') as root,
          private.consistency_path(l.tenant_id, ${kept.checkpoint.size}, l.size) as proof
        from private.custody_logs l where tenant_id = ${TENANT}`;
      // the holder needs no word from the database but this proof, and the time stamp says when theirs was made
      assert(
        !now!.proof ||
          !consistent(kept.checkpoint.size, kept.checkpoint.root, Number(now!.size), now!.root, now!.proof),
      );
      throw undo;
    }).catch((error) => {
      if (error !== undo) throw error;
    });
    const { root } = await opened(kept.checkpoint.note);
    assertEquals(root, kept.checkpoint.root);
    assert(await authority.verify(kept.checkpoint.timestamps[0].token, kept.checkpoint.note));
  });
}

test("the audit goes through every record and file, and says what it found first", async () => {
  const audits = () =>
    sql`select finished_at is not null as finished, records_checked::int, size::int, fault, fault_seq::int from public.custody_audits
      where tenant_id = ${TENANT} order by started_at desc limit 1`;
  const audit = async () => {
    await sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update public.custody_audits set started_at = started_at - interval '1 day', finished_at = coalesce(finished_at, now())`;
    });
    for (let n = 0; n < 1000; n++) {
      const [row] = await sql`select public.audit_custody(3) as done`;
      if (!row!.done) return (await audits())[0]!;
    }
    throw new Error("it never ends");
  };
  await work();
  const well = await audit();
  assertEquals([well.finished, well.fault, well.records_checked], [true, null, well.size]);
  const change = (event: string) =>
    sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      const [was] =
        await tx`select event from public.custody_records where tenant_id = ${TENANT} and seq = 5`;
      await tx`update public.custody_records set event = ${event} where tenant_id = ${TENANT} and seq = 5`;
      return was!.event as string;
    });
  const was = await change("failed");
  const ill = await audit();
  assertEquals([ill.finished, ill.fault, ill.fault_seq], [true, "this record was changed", 5]);
  const { supabase: admin } = await person("admin");
  assertEquals(await ok(admin.rpc("verify_custody", {})), [{
    tenant_id: TENANT,
    seq: 5,
    problem: ill.fault,
  }]);
  for (const { role, slug, supabase } of await everybody()) {
    const { data } = await supabase.from("custody_audits").select("fault").eq("tenant_id", TENANT);
    assertEquals(data!.length > 0, slug === "mbombela" && ["admin", "saps_liaison"].includes(role));
  }
  await change(was);
  assertEquals((await audit()).fault, null);
  assertEquals(await ok(admin.rpc("verify_custody", {})), []);
});

test("bytes swapped in Storage behind the database's back are found when the file is read back, 90 days later", async () => {
  const [swapped, whole] = [
    await files.serviceFile("evidence", "mbombela"),
    await files.serviceFile("evidence", "mbombela"),
  ];
  const row = (fileId: string) =>
    sql`select read_back_at > now() - interval '1 minute' as read, read_back_sha256 = sha256 as same
      from public.media_attachments where file_id = ${fileId}`.then(([row]) => row!);
  await work();
  assertEquals(await row(whole.fileId), { read: null, same: null } as never, "read back at once");
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    // the row's hash stands for what was received: the bytes in Storage now are others
    await tx`update public.media_attachments set stored_at = stored_at - interval '91 days' where file_id in (${swapped.fileId}, ${whole.fileId})`;
    await tx`update public.custody_audits set started_at = started_at - interval '1 day', finished_at = coalesce(finished_at, now())`;
  });
  const [object] = await sql`select o.version from storage.objects o
    join public.media_attachments m on (m.bucket, m.path) = (o.bucket_id, o.name) where m.file_id = ${swapped.fileId}`;
  const path = `${supabase.directory}/storage/${object!.version}`;
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
  await Deno.writeFile(path, bytes);
  await work();
  assertEquals(await row(whole.fileId), { read: true, same: true } as never);
  assertEquals(await row(swapped.fileId), { read: true, same: false } as never);
  const problem = `the stored bytes of the file ${swapped.fileId} are not those received`;
  const { supabase: admin } = await person("admin");
  assertEquals((await ok(admin.rpc("verify_custody", {})))[0].problem, problem);
  const { log } = await ok(admin.rpc("custody_certificate", { file_id: swapped.fileId }));
  assertEquals([log.intact, log.first_fault.problem], [false, problem]);
  assertEquals(
    (await ok(admin.rpc("custody_certificate", { file_id: whole.fileId }))).log.first_fault?.problem,
    undefined,
  );
});
