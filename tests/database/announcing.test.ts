// Announcing files: as oneself, in one's own municipality, so many at a time, under names that are what they look like.
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { announce, freshPath } from "../support/files.ts";
import { assertRefused, call, database, uploadRequest } from "../support/functions.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, person, sample, service } from "../support/stack.ts";

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
