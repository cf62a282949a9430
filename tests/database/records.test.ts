// Records of evidence: written by our functions alone, changed by nobody, true to what happened.
import { assert, assertEquals } from "../support/assert.ts";
import { serviceFile } from "../support/files.ts";
import { database } from "../support/functions.ts";
import { anonymous, connect, makeTicket, MUNICIPALITIES, ok, person, service } from "../support/stack.ts";

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
