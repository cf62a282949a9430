// Records of evidence: written by our functions alone, changed by nobody, true to what happened.
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { announce, freshPath, serviceFile } from "../support/files.ts";
import { assertRefused, call, database, uploadRequest } from "../support/functions.ts";
import {
  anonymous,
  connect,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  sample,
  service,
} from "../support/stack.ts";

const TABLES = {
  custody_records: "id",
  inbound_messages: "message_sid",
  media_attachments: "file_id",
} as const;

for (const [table, key] of Object.entries(TABLES)) {
  Deno.test(`no API role changes, deletes or forges a row of ${table}, the service neither`, async () => {
    for (
      const client of [
        service,
        (await person("admin")).supabase,
        (await person("saps_liaison")).supabase,
        anonymous,
      ]
    ) {
      const attempts = [
        await client.from(table).update({ tenant_id: MUNICIPALITIES.polokwane.id }).not(key, "is", null),
        await client.from(table).delete().not(key, "is", null),
        await client.from(table).insert({ tenant_id: MUNICIPALITIES.mbombela.id }),
      ];
      for (const { error } of attempts) assertEquals(error?.code, "42501", error?.message);
    }
  });
}

Deno.test("a user announces a file as pending only, as himself, in his own municipality", async () => {
  const citizen = await person("citizen");
  const fileId = crypto.randomUUID();
  const row = {
    file_id: fileId,
    tenant_id: citizen.tenant,
    bucket: "evidence",
    path: `${citizen.tenant}/${fileId}/photo.jpg`,
    filename: "photo.jpg",
    content_type: "image/jpeg",
    file_size: 10,
    purpose: "evidence",
    created_by: citizen.userId,
  };
  const announce = (fields: Record<string, unknown>) =>
    citizen.supabase.from("media_attachments").insert({ ...row, ...fields });
  const forged = [
    { status: "stored" },
    { sha256: "0".repeat(64) },
    { source: "whatsapp" },
    { created_by: (await person("admin")).userId },
    { tenant_id: MUNICIPALITIES.polokwane.id, path: `${MUNICIPALITIES.polokwane.id}/${fileId}/photo.jpg` },
    { bucket: "gbv-evidence", purpose: "gbv-evidence" },
    { ticket_id: (await makeTicket("mbombela")).id }, // a ticket of his municipality, but not his
    { ticket_id: (await makeTicket("mbombela", { is_sensitive: true, reporter_id: citizen.userId })).id },
  ];
  for (const fields of forged) {
    assertEquals((await announce(fields)).error?.code, "42501", JSON.stringify(fields));
  }
  assertEquals((await announce({ path: "elsewhere/photo.jpg" })).error?.code, "23514");
  assertEquals((await announce({})).error, null);
});

Deno.test("one municipality's file cannot hang on another's ticket, not even by the database's owner", async () => {
  const sql = connect();
  try {
    const ticket = await makeTicket("polokwane");
    const file = await serviceFile("evidence", "mbombela");
    let code = "";
    await sql`update public.media_attachments set ticket_id = ${ticket.id} where file_id = ${file.fileId}`
      .catch((error) => code = error.code);
    assertEquals(code, "23503");
  } finally {
    await sql.end();
  }
});

Deno.test("a WhatsApp medium is not stored without its hash", async () => {
  const sql = connect();
  try {
    const [row] = await sql`
      select pg_get_constraintdef(oid) as definition from pg_constraint where conname = 'media_attachments_stored_check'`;
    assert(row!.definition.includes("sha256 IS NOT NULL"));
    const recorded = await ok(service.rpc("record_inbound_message", {
      message_sid: `MM${crypto.randomUUID().replaceAll("-", "")}`,
      channel: "whatsapp",
      channel_number: MUNICIPALITIES.mbombela.number,
      sender_refs: [crypto.randomUUID()],
      kind: "text",
      encrypted_payload: "gAAAAA",
      media: [{ filename: "whatsapp-1.jpg", content_type: "image/jpeg" }],
    }));
    const [medium] = (recorded as { media: { file_id: string; bucket: string; path: string }[] }).media;
    let code = "";
    await sql`update public.media_attachments set status = 'stored', stored_at = now(), file_size = 1
      where file_id = ${medium!.file_id}`.catch((error) => code = error.code);
    assertEquals(code, "23514");

    // nor can it be completed while nothing, or less than all of it, lies in Storage
    const complete = (size: number) =>
      service.rpc("complete_media_transfer", {
        file_id: medium!.file_id,
        sha256: "a".repeat(64),
        file_size: size,
      });
    assert((await complete(3)).error);
    await ok(
      service.storage.from(medium!.bucket).upload(
        medium!.path,
        new Blob([new Uint8Array([0xff, 0xd8, 0xff])], { type: "image/jpeg" }),
      ),
    );
    assert((await complete(4)).error);
    const pending = await ok(
      service.from("media_attachments").select("status").eq("file_id", medium!.file_id).single(),
    );
    assertEquals(pending.status, "pending");
    assertEquals((await complete(3)).error, null);
    assertEquals((await complete(3)).error, null, "again is no error");
    assert(
      (await service.rpc("complete_media_transfer", {
        file_id: medium!.file_id,
        sha256: "b".repeat(64),
        file_size: 3,
      })).error,
    );
  } finally {
    await sql.end();
  }
});

Deno.test("an object that lands without a record gets one, with what Storage knows", async () => {
  const file = await serviceFile("documents", "polokwane");
  const row = await ok(service.from("media_attachments").select("*").eq("file_id", file.fileId).single());
  assertEquals(
    [
      row.tenant_id,
      row.bucket,
      row.path,
      row.filename,
      row.content_type,
      row.file_size,
      row.status,
      row.source,
    ],
    [MUNICIPALITIES.polokwane.id, "documents", file.path, "photo.jpg", "image/jpeg", 2000, "stored", "web"],
  );
  assert(row.stored_at !== null && row.created_by === null && row.ticket_id === null);
});

Deno.test("an object below the folder of no municipality does not land", async () => {
  const path = `${crypto.randomUUID()}/${crypto.randomUUID()}/photo.jpg`;
  const { error } = await service.storage.from("evidence").upload(
    path,
    new Blob(["x"], { type: "image/jpeg" }),
  );
  assertEquals(String((error as { statusCode?: unknown } | null)?.statusCode), "403");
});

Deno.test("the record of a GBV read names the caller of the token, whatever is asked", async () => {
  const admin = await person("admin");
  const file = await serviceFile("gbv-evidence", "mbombela");
  await ok(
    admin.supabase.rpc("open_evidence", {
      files: [{ file_id: file.fileId }],
      request_id: "r-1",
      expires_in: 60,
    }),
  );
  const rows = await ok(admin.supabase.from("evidence_access_log").select("*").eq("file_id", file.fileId));
  assertEquals(
    rows.map((row) => [row.tenant_id, row.user_id, row.user_role, row.expires_in, row.request_id]),
    [[admin.tenant, admin.userId, "admin", 60, "r-1"]],
  );
  for (const role of ["manager", "field_worker", "citizen"] as const) {
    assertEquals(await ok((await person(role)).supabase.from("evidence_access_log").select("seq")), []);
    // nor what happened to ordinary files: the gaps in the numbers would tell how much GBV there is
    assertEquals(await ok((await person(role)).supabase.from("custody_records").select("seq")), []);
    assert((await (await person(role)).supabase.rpc("custody_certificate", { file_id: file.fileId })).error);
  }
  const stranger = await person("admin", "polokwane");
  assertEquals(
    await ok(stranger.supabase.from("evidence_access_log").select("seq").eq("file_id", file.fileId)),
    [],
  );
});

Deno.test("nobody signed in calls what only the service may, nobody else what users may", async () => {
  const admin = await person("admin");
  const forService = {
    route_inbound_message: {
      channel: "sms",
      channel_number: MUNICIPALITIES.mbombela.number,
      sender_refs: ["x".repeat(20)],
    },
    complete_media_transfer: { file_id: crypto.randomUUID(), sha256: "a".repeat(64), file_size: 1 },
    fail_media_work: { file_id: crypto.randomUUID(), reason: "internal", final: true },
    claim_media_work: {},
    complete_media_hash: { file_id: crypto.randomUUID(), sha256: "a".repeat(64) },
    complete_media_move: { file_id: crypto.randomUUID(), sha256: "a".repeat(64) },
    tokens_to_reseal: { other_keys: ["00000000"] },
    complete_resealing: { sealed_with: "00000000", tokens: [] },
    complete_media_deletion: { file_id: crypto.randomUUID() },
    record_inbound_message: {
      message_sid: `MM${"0".repeat(32)}`,
      channel: "sms",
      channel_number: MUNICIPALITIES.mbombela.number,
      sender_refs: ["x".repeat(20)],
      kind: "text",
      encrypted_payload: "gAAAAA",
      media: [],
    },
  };
  for (const [name, args] of Object.entries(forService)) {
    for (const client of [admin.supabase, anonymous]) {
      assertEquals((await client.rpc(name, args)).error?.code, "42501", name);
    }
  }
  assertEquals((await anonymous.rpc("open_evidence", { files: [], request_id: "x" })).error?.code, "42501");
});

Deno.test("a user has at most 200 announced files that are yet to come, and none that its bucket would refuse", async () => {
  const worker = await person("ward_councillor", "polokwane");
  const announce = (count: number, fields: Record<string, unknown> = {}) =>
    worker.supabase.from("media_attachments").insert(Array.from({ length: count }, () => {
      const file_id = crypto.randomUUID();
      return {
        file_id,
        tenant_id: worker.tenant,
        bucket: "evidence",
        path: `${worker.tenant}/${file_id}/photo.jpg`,
        filename: "photo.jpg",
        content_type: "image/jpeg",
        file_size: 10,
        purpose: "evidence",
        created_by: worker.userId,
        ...fields,
      };
    }));
  assert((await announce(1, { content_type: "text/html" })).error);
  assert((await announce(1, { file_size: 51 * 1024 * 1024 })).error);
  assert((await announce(1, { purpose: "documents" })).error);
  assert((await announce(201)).error);
  assertEquals((await announce(150)).error, null);
  assert((await announce(51)).error);
  assertEquals((await announce(50)).error, null);

  // and nobody else learns that they have so many
  const other = await person("field_worker", "polokwane"), nobody = await person("citizen", "polokwane");
  for (const { userId } of [worker, nobody]) {
    const file_id = crypto.randomUUID();
    const { error } = await other.supabase.from("media_attachments").insert({
      file_id,
      tenant_id: other.tenant,
      bucket: "evidence",
      path: `${other.tenant}/${file_id}/photo.jpg`,
      filename: "photo.jpg",
      content_type: "image/jpeg",
      file_size: 10,
      purpose: "evidence",
      created_by: userId,
    });
    assertEquals(error?.code, "42501", error?.message);
  }
  const expire = () =>
    database((sql) =>
      sql`update public.media_attachments set status = 'expired', next_attempt_at = null
        where created_by = ${worker.userId} and status = 'pending'`
    );
  await expire();
  assertEquals((await announce(1)).error, null, "what never came does not count");
  await expire();
});

Deno.test("a file deleted with the service key is said to be deleted, and keeps its record", async () => {
  const file = await serviceFile("evidence", "polokwane");
  await ok(service.storage.from("evidence").remove([file.path]));
  const row = await ok(
    service.from("media_attachments").select("status, last_error").eq("file_id", file.fileId).single(),
  );
  assertEquals(row, { status: "failed", last_error: "deleted" });
  const records = await ok(
    service.from("custody_records").select("event").eq("file_id", file.fileId).order("recorded_at"),
  );
  assertEquals(records.map(({ event }) => event), ["received", "deleted"]);
});

/** Calls a function as PostgREST would for a token with these claims. */
async function actAs(claims: Record<string, unknown>, statement: string): Promise<string | undefined> {
  const sql = connect();
  try {
    await sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true),
        set_config('role', ${String(claims.role)}, true)`;
      await tx.unsafe(statement);
      throw new Error("let through");
    });
  } catch (failure) {
    return (failure as { code?: string }).code ?? (failure as Error).message;
  } finally {
    await sql.end();
  }
}

Deno.test("a user can have recorded what users do in their own municipality, and nothing that the system does", async () => {
  const { id: ours } = MUNICIPALITIES.mbombela, { id: others } = MUNICIPALITIES.polokwane;
  const file = crypto.randomUUID();
  const claims = {
    role: "authenticated",
    sub: crypto.randomUUID(),
    app_metadata: { tenant_id: ours, role: "admin" },
  };
  const record = (kind: string, tenant: string, event: string) =>
    `select private.record_${kind}_event('${tenant}', '${event}', '{}', '${file}')`;

  assertEquals(await actAs(claims, record("user", ours, "certified")), "let through");
  assertEquals(await actAs(claims, record("user", others, "certified")), "42501");
  for (const event of ["received", "stored", "hashed", "moved", "failed", "deleted"]) {
    assertEquals(await actAs(claims, record("user", ours, event)), "42501", event);
  }
  const { sub: _, ...nobody } = claims;
  assertEquals(await actAs(nobody, record("user", ours, "certified")), "42501", "a token without a user");
  for (const role of ["anon", "authenticated", "service_role"]) {
    assertEquals(await actAs({ ...claims, role }, record("system", ours, "received")), "42501", role);
  }
});

Deno.test("a token without a user is nobody's: it sees nothing, and is not taken for the system", async () => {
  await makeTicket("mbombela");
  await serviceFile("gbv-evidence", "mbombela");
  const nobody = {
    role: "authenticated",
    app_metadata: { tenant_id: MUNICIPALITIES.mbombela.id, role: "admin" },
  };
  for (
    const table of ["tickets", "media_attachments", "custody_records", "municipalities", "inbound_messages"]
  ) {
    const counts = `do $$ begin assert not exists (select from public.${table} limit 1), 'seen'; end $$`;
    assertEquals(await actAs(nobody, counts), "let through", table);
    if (table === "inbound_messages") continue;
    assertEquals(
      await actAs({ ...nobody, sub: crypto.randomUUID() }, counts),
      "P0004",
      `${table}: nothing to see at all`,
    );
  }
  for (
    const call of ["verify_custody()", "custody_consistency(0)", `custody_proof('${crypto.randomUUID()}')`]
  ) {
    assertEquals(await actAs(nobody, `select public.${call}`), "PT403", call);
  }
});

Deno.test("the receipt of a file uploaded with the user's own token is the system's record, not the user's act", async () => {
  const citizen = await person("citizen");
  const { file, path } = await uploaded(citizen);
  const sql = connect();
  const rows = await sql`
    select r.event, r.user_id, r.user_role, r.details ->> 'uploaded_by' as uploaded_by
    from public.custody_records r where r.file_id = ${file} and r.event = 'received'`;
  await sql.end();
  assertEquals([...rows], [{
    event: "received",
    user_id: null,
    user_role: null,
    uploaded_by: citizen.userId,
  }], path);
});

async function uploaded(owner: Awaited<ReturnType<typeof person>>): Promise<{ file: string; path: string }> {
  const file = crypto.randomUUID();
  const path = `${owner.tenant}/${file}/photo.jpg`;
  const { error } = await owner.supabase.storage.from("evidence")
    .upload(path, new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), { contentType: "image/jpeg" });
  assertEquals(error, null);
  return { file, path };
}

Deno.test("a tracking number bears the day on which the resident writes, not that of UTC", async () => {
  const sql = connect();
  const [row] = await sql`select private.new_tracking_number() as number,
    to_char(now() at time zone 'Africa/Johannesburg', 'YYYYMMDD') as day`;
  assertEquals(row!.number.split("-")[1], row!.day);
  await sql.end();
});

Deno.test("one person brings at most so many files in an hour, announced or not; others and residents do not wait for them", async () => {
  const citizen = await person("citizen", "polokwane"), other = await person("field_worker", "polokwane");
  await database((sql) =>
    sql`update public.municipalities set uploads_per_hour = 5 where slug = 'polokwane'`
  );
  try {
    await database((sql) =>
      sql`update public.media_attachments set created_at = now() - interval '61 minutes' where tenant_id = ${citizen.tenant}`
    );
    const { supabase, tenant } = citizen;
    const uploads = [];
    for (let i = 0; i < 4; i++) {
      uploads.push(await supabase.storage.from("evidence").upload(freshPath(tenant).path, sample()));
    }
    assertEquals(uploads.map(({ error }) => error), [null, null, null, null]);
    await announce(citizen);
    const { error } = await supabase.storage.from("evidence").upload(freshPath(tenant).path, sample());
    assertStringIncludes(error!.message, "too many files in an hour");
    const refused = await call("upload-url", { token: citizen.token, body: uploadRequest() });
    assertRefused(refused, "forbidden");
    // by whoever else uploads, and by the service
    await ok(other.supabase.storage.from("evidence").upload(freshPath(tenant).path, sample()));
    await ok(service.storage.from("evidence").upload(freshPath(tenant).path, sample()));
    // an hour later
    await database((sql) =>
      sql`update public.media_attachments set created_at = created_at - interval '61 minutes' where created_by = ${citizen.userId}`
    );
    await ok(supabase.storage.from("evidence").upload(freshPath(tenant).path, sample()));
  } finally {
    await database((sql) =>
      sql`update public.municipalities set uploads_per_hour = 600 where slug = 'polokwane'`
    );
  }
});

Deno.test("a name that would look like another one is refused by rpc and by the table, and made plain by the function", async () => {
  const manager = await person("manager");
  const names = [
    "photo\u202egpj.exe",
    "a\u0000b.jpg".replace("\u0000", "\u0007"),
    "two\nlines.jpg",
    "\u200ehidden.jpg",
    "\u0085.jpg",
    "\u2066x\u2069.jpg",
    "a/b.jpg",
    "a\\b.jpg",
    " ",
    "..",
  ];
  for (const filename of names) {
    // the function leaves marks of direction out, for phones put them into names
    const answer = await call("upload-url", { token: manager.token, body: uploadRequest({ filename }) });
    assertEquals(answer.status, /[\u200e\u202e\u2066]/.test(filename) ? 200 : 400, JSON.stringify(filename));
    const { error } = await manager.supabase.rpc("create_upload_slot", {
      purpose: "evidence",
      filename,
      object_name: "photo.jpg",
      content_type: "image/jpeg",
      file_size: 10,
    });
    assertEquals([error?.code, error?.message], ["PT400", "invalid_request"], JSON.stringify(filename));
    const file_id = crypto.randomUUID();
    const row = {
      ...{
        file_id,
        tenant_id: manager.tenant,
        bucket: "evidence",
        path: `${manager.tenant}/${file_id}/photo.jpg`,
        filename,
      },
      ...{ content_type: "image/jpeg", file_size: 10, purpose: "evidence", created_by: manager.userId },
    };
    assertEquals(
      (await manager.supabase.from("media_attachments").insert(row)).error?.code,
      "23514",
      JSON.stringify(filename),
    );
  }
  for (const filename of ["Foto – ”straat” nº1 🚰.jpg", "صورة.jpg", "..jpg", "x".repeat(255)]) {
    assertEquals(
      (await call("upload-url", { token: manager.token, body: uploadRequest({ filename }) })).status,
      200,
      filename,
    );
  }
});

Deno.test("that a stored file was looked at may be noted in its row; its name, version, owner and metadata may not change", async () => {
  const { bucket, path } = await serviceFile("evidence", "mbombela");
  const set = (change: string) =>
    database((sql) =>
      sql.unsafe(
        `update storage.objects set ${change} where bucket_id = '${bucket}' and name = '${path}' returning id`,
      )
    ).then((rows) => rows.length, (error) => error.code);
  assertEquals(await set("last_accessed_at = now(), updated_at = now()"), 1);
  for (
    const change of [
      "name = name || 'x'",
      "bucket_id = 'documents'",
      "version = 'x'",
      "owner_id = gen_random_uuid()::text",
      "metadata = metadata || '{\"size\": 1}'",
      "user_metadata = '{\"x\": 1}'",
    ]
  ) assertEquals(await set(change), "42501", change);
});
