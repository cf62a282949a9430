// Court bundles in the database: who may hand out which files, what is recorded first, and what nobody gets without it.
import { assert, assertEquals } from "../support/assert.ts";
import { type KnownFile, ticketFile } from "../support/files.ts";
import { call, claimsOf, database, until } from "../support/functions.ts";
import {
  anonymous,
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  SECRET_KEY,
  service,
} from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";

type Caller = Pick<Person, "supabase"> | { supabase: typeof service };
const system: Caller = { supabase: service };

async function hashed(...files: KnownFile[]): Promise<void> {
  await until("the files are hashed", async () => {
    await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
    const ids = files.map(({ fileId }) => fileId);
    const rows = await ok(service.from("media_attachments").select("sha256").in("file_id", ids));
    return rows.every(({ sha256 }) => sha256 !== null);
  });
}

/** A ticket with two stored files. */
async function ticket(fields: Record<string, unknown> = {}): Promise<{ id: string; files: string[] }> {
  const { id } = await makeTicket("mbombela", fields);
  const admin = await person("admin");
  const files = [await ticketFile(admin, id), await ticketFile(admin, id)];
  await hashed(...files);
  return { id, files: files.map(({ fileId }) => fileId).sort() };
}

/** The error's code, or "ok". */
async function record(who: Caller, ticket_id: string, more: Record<string, unknown> = {}): Promise<string> {
  const { error } = await who.supabase.rpc("record_custody_bundle", {
    ticket_id,
    requested_by: "the court",
    ...more,
  });
  return error?.message ?? "ok";
}

async function bundle(who: Caller, ticket_id: string, file_ids?: string[]): Promise<string> {
  const args = { ticket_id, requested_by: "the court", ...file_ids && { file_ids } };
  return (await ok(who.supabase.rpc("record_custody_bundle", args))).bundle_id;
}

/** The files whose certificates they get. */
async function certified(who: Caller, ticket_id: string, bundle_id: string): Promise<string[]> {
  const { data } = await who.supabase.rpc("custody_bundle", { ticket_id, bundle_id });
  return (data ?? []).map(({ file }: { file: { file_id: string } }) => file.file_id).sort();
}

async function recordsOf(event: string, ids: string[]) {
  return await database((sql) =>
    sql`select user_role, details, seq from public.custody_records
        where event = ${event} and (file_id in ${sql(ids)} or ticket_id in ${sql(ids)}) order by recorded_at`
  );
}

Deno.test("who may hand files out in a bundle: admins and police liaison of their municipality, and the secret key", async () => {
  for (const fields of [{}, { is_sensitive: true }]) {
    const { id, files } = await ticket(fields);
    for (const who of await everybody()) {
      const mayAtAll = who.role === "admin" || who.role === "saps_liaison";
      const expected = !mayAtAll ? "forbidden" : who.slug === "mbombela" ? "ok" : "not_found";
      assertEquals(await record(who, id), expected, `${who.role} of ${who.slug}`);
    }
    assertEquals(await record(system, id), "ok");
    assert(await record({ supabase: anonymous }, id) !== "ok");
    const recorded = await recordsOf("bundled", files);
    assertEquals(recorded.map(({ user_role }) => String(user_role)).sort(), [
      ...["admin", "admin", "null", "null", "saps_liaison", "saps_liaison"],
    ]);
    assert(recorded.every(({ seq }) => seq !== null), "a checkpoint now would not cover it");
    assert(!JSON.stringify(recorded).includes("the court"), "a name is in the log");
  }
});

Deno.test("a bundle has the ticket's files that are stored and hashed, or those of them that are named", async () => {
  const [{ id, files }, other] = [await ticket(), await ticket()];
  const admin = await person("admin");
  const fresh = await ticketFile(admin, id); // not hashed yet
  const all = await bundle(admin, id);
  assertEquals(await certified(admin, id, all), files);
  assertEquals(await certified(admin, id, await bundle(admin, id, [files[1]!, files[1]!])), [files[1]]);
  for (const strange of [fresh.fileId, other.files[0]!, crypto.randomUUID()]) {
    assertEquals(await record(admin, id, { file_ids: [files[0]!, strange] }), "not_found");
  }
  assertEquals(await record(admin, id, { file_ids: [] }), "not_found");
  assertEquals(await record(admin, (await makeTicket("mbombela")).id), "not_found");
  assertEquals((await recordsOf("bundled", files)).length, 3);
  assertEquals((await recordsOf("bundled", [fresh.fileId, ...other.files])).length, 0);

  // one that is gone when the certificates are made is missing from them
  const { bucket, path } = await ok(
    service.from("media_attachments").select("bucket, path").eq("file_id", files[0]!).single(),
  );
  await ok(service.storage.from(bucket).remove([path]));
  assertEquals(await certified(admin, id, all), [files[1]]);
  assertEquals(await record(admin, id, { file_ids: files }), "not_found");
});

Deno.test("a bundle says who asked for it, in at most 200 characters, and has at most 200 files", async () => {
  const { id } = await ticket();
  const admin = await person("admin");
  for (const requested_by of ["", "  ", "x".repeat(201), null]) {
    assertEquals(await record(admin, id, { requested_by }), "invalid_request", JSON.stringify(requested_by));
  }
  assertEquals(await record(admin, id, { requested_by: "x".repeat(200) }), "ok");
  for (const messages_sha256 of ["", "x", "A".repeat(64), `${"a".repeat(64)}\n`]) {
    assertEquals(await record(admin, id, { messages_sha256 }), "invalid_request", messages_sha256);
  }
  /** As so many more stored files. */
  const add = (count: number) =>
    database((sql) =>
      sql`insert into public.media_attachments
          (file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, purpose, status, sha256, stored_at)
        select f.id, ${MUNICIPALITIES.mbombela.id}, ${id}, 'evidence',
          ${MUNICIPALITIES.mbombela.id} || '/' || f.id || '/photo.jpg',
          'photo.jpg', 'image/jpeg', 2000, 'evidence', 'stored', ${"a".repeat(64)}, now()
        from (select gen_random_uuid() as id from generate_series(1, ${count}::int)) f`
    );
  await add(198);
  assertEquals(await record(admin, id), "ok");
  await add(1);
  assertEquals(await record(admin, id), "invalid_request");
});

Deno.test("certificates of a bundle are for whoever recorded it, of that bundle and ticket, within an hour", async () => {
  const { id, files } = await ticket();
  const [admin, police, elsewhere, manager] = await Promise.all([
    person("admin"),
    person("saps_liaison"),
    person("admin", "polokwane"),
    person("manager"),
  ]);
  const one = await bundle(admin, id, [files[0]!]);
  await bundle(admin, id, [files[1]!]);
  assertEquals(await certified(admin, id, one), [files[0]]);
  for (const stranger of [police, elsewhere, manager, system, { supabase: anonymous }]) {
    assertEquals(await certified(stranger, id, one), []);
  }
  assertEquals(await certified(admin, (await ticket()).id, one), []);
  assertEquals(await certified(admin, id, crypto.randomUUID()), []);
  assertEquals([await aged(admin, id, one, 59), await aged(admin, id, one, 61)], [1, 0]);
});

/** How many certificates there are when its records are so many minutes old. It is taken back. */
async function aged(
  { token }: Person,
  ticket_id: string,
  bundle_id: string,
  minutes: number,
): Promise<number> {
  let count = -1;
  await database((sql) =>
    sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`
        update public.custody_records set recorded_at = recorded_at - ${minutes} * interval '1 minute'
        where details ->> 'bundle_id' = ${bundle_id}`;
      await tx`select set_config('request.jwt.claims', ${JSON.stringify(claimsOf(token))}, true)`;
      await tx`set local role authenticated`;
      const [row] = await tx`select public.custody_bundle(${bundle_id}, ${ticket_id}) as certificates`;
      count = row!.certificates.length;
      throw new Error("taken back");
    }).catch((error) => {
      if (count < 0) throw error;
    })
  );
  return count;
}

Deno.test("a token that names no user records nothing as the system's, whatever function asks for it", async () => {
  const { files } = await ticket();
  const claims = {
    role: "authenticated",
    app_metadata: { tenant_id: MUNICIPALITIES.mbombela.id, role: "admin" },
  };
  const refused = await database((sql) =>
    sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
      await tx`set local role authenticated`;
      await tx`select private.record_bundle(${MUNICIPALITIES.mbombela.id}, ${files}::uuid[], 'the court', null)`;
    }).catch((error) => error.code)
  );
  assertEquals(refused, "42501");
});

Deno.test("the secret key gets a ticket's sealed messages after it is recorded who asked, of no other ticket", async () => {
  const report = async () => {
    const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.gbvNumber, {
      body: "Please help",
      files: [await sampleFile("tiny.gif")],
    });
    await settled(message_sid, 1);
    return { ...await ticketOf(message_sid), message_sid };
  };
  const [one, other] = [await report(), await report()];
  const open = async (message_sids: string[], more: Record<string, unknown> = {}, who: Caller = system) => {
    const { data, error } = await who.supabase.rpc("open_bundle_messages", {
      ticket_id: one.id,
      message_sids,
      requested_by: "the court",
      ...more,
    });
    return error?.message ?? data.map(({ message_sid }: { message_sid: string }) => message_sid);
  };
  assertEquals(await open([one.message_sid]), [one.message_sid]);
  const unknown = `SM${"0".repeat(32)}`;
  for (
    const sids of [[other.message_sid], [one.message_sid, other.message_sid], [one.message_sid, unknown]]
  ) {
    assertEquals(await open(sids), "not_found");
  }
  assertEquals(await open([]), "invalid_request");
  assertEquals(await open(Array(101).fill(one.message_sid)), "invalid_request");
  assertEquals(await open(Array(100).fill(one.message_sid)), [one.message_sid]);
  for (const requested_by of ["", " ", "x".repeat(201), null]) {
    assertEquals(await open([one.message_sid], { requested_by }), "invalid_request");
  }
  for (const who of await everybody()) assert(typeof await open([one.message_sid], {}, who) === "string");
  assert(typeof await open([one.message_sid], {}, { supabase: anonymous }) === "string");

  const records = await recordsOf("report_opened", [one.id]);
  assertEquals(records.map(({ user_role, details }) => [user_role, details.message_sids]), [
    [null, [one.message_sid]],
    [null, [one.message_sid]],
  ]);
  assert(!JSON.stringify(records).includes("the court"), "a name is in the log");
  assertEquals((await recordsOf("report_opened", [other.id])).length, 0);
});
