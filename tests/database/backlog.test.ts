// media_backlog: what failed, waits or is in doubt, in words that do not change, for those who may read the file.
import { assert, assertEquals } from "../support/assert.ts";
import { SEE_SENSITIVE } from "../support/access.ts";
import { database } from "../support/functions.ts";
import {
  anonymous,
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  ROLES,
  service,
  type Slug,
} from "../support/stack.ts";
import { accepted, newSender, settled } from "../support/whatsapp.ts";

type Fields = Record<string, string | number | Date | null>;

/** A file's row as the database may come to hold it; no bytes belong to it. */
async function makeRow(slug: Slug, fields: Fields = {}): Promise<string> {
  const { id: tenant_id } = MUNICIPALITIES[slug];
  const file_id = crypto.randomUUID();
  const bucket = String(fields.bucket ?? "evidence");
  const row: Fields = {
    file_id,
    tenant_id,
    bucket,
    purpose: bucket,
    path: `${tenant_id}/${file_id}/photo.jpg`,
    filename: "photo.jpg",
    content_type: "image/jpeg",
    ...fields,
  };
  await database((sql) => sql`insert into public.media_attachments ${sql(row)}`);
  return file_id;
}

const STORED = { status: "stored", file_size: 1, stored_at: new Date(), next_attempt_at: null };
const FAILED = { status: "failed", last_error: "media_refused", next_attempt_at: null };

/** The ids that a person finds among these. */
async function found(reader: Pick<Person, "supabase">, ids: string[]): Promise<string[]> {
  const rows = await ok(reader.supabase.from("media_backlog").select("file_id").in("file_id", ids));
  return rows.map(({ file_id }) => file_id as string).toSorted();
}

Deno.test("each situation has its word, and a file that is well or never came is not there", async () => {
  const admin = await person("admin");
  const sensitive = { ticket_id: (await makeTicket("mbombela", { is_sensitive: true })).id };
  const hashed = { ...STORED, sha256: "0".repeat(64) };
  const hour = new Date(Date.now() + 3_600_000);
  const rows: [situation: string | undefined, fields: Fields][] = [
    ["failed", FAILED],
    ["deleted", { ...FAILED, last_error: "deleted" }],
    ["awaiting_upload", {}],
    ["awaiting_hash", { ...STORED, next_attempt_at: hour }],
    ["awaiting_move", { ...hashed, ...sensitive, next_attempt_at: hour }],
    ["awaiting_removal", {
      ...hashed,
      ...sensitive,
      bucket: "gbv-evidence",
      moved_from: "evidence",
      next_attempt_at: hour,
    }],
    ["in_doubt", { ...hashed, last_error: "declared_hash_differs" }],
    [undefined, hashed],
    [undefined, { status: "expired", last_error: "never_came", next_attempt_at: null }],
  ];
  for (const [situation, fields] of rows) {
    const id = await makeRow("mbombela", fields);
    // as a move is scheduled: before all other work
    await database((sql) =>
      sql`
      update public.media_attachments set next_attempt_at = '-infinity'
      where file_id = ${id} and ${situation === "awaiting_move"}`
    );
    const [row] = await ok(admin.supabase.from("media_backlog").select("*").eq("file_id", id));
    await database((sql) =>
      sql`update public.media_attachments set next_attempt_at = null where file_id = ${id}`
    );
    assertEquals(row?.situation, situation, JSON.stringify(fields));
    if (!row) continue;
    assertEquals([row.municipality, row.source, row.can_be_retried], [
      "City of Mbombela",
      "web",
      situation === "failed",
    ]);
    assert(Date.parse(row.since) <= Date.now() && row.next_attempt_at !== "-infinity", JSON.stringify(row));
  }
});

Deno.test("a medium that Twilio did not give waits, with its reason and tries, then fails, and can be tried again", async () => {
  const worker = await person("field_worker");
  const sent = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    files: [{ type: "image/jpeg", bytes: new Uint8Array(2000) }],
    options: { faults: { status: 500 } },
  });
  const { file_id } = (await settled(sent.message_sid, 1))[0]!;
  const read = async () =>
    (await ok(
      worker.supabase.from("media_backlog").select("situation, source, reason, attempts, can_be_retried")
        .eq("file_id", file_id),
    ))[0];
  const waiting = { source: "whatsapp", reason: "media_unavailable", attempts: 1, can_be_retried: false };
  assertEquals(await read(), { ...waiting, situation: "awaiting_transfer" });
  await service.rpc("fail_media_work", { file_id, reason: "media_unavailable", final: true });
  assertEquals(await read(), { ...waiting, situation: "failed", can_be_retried: true });
  await ok(worker.supabase.rpc("retry_media", { file_id }).select());
  assertEquals((await read())!.situation, "awaiting_transfer");
});

Deno.test("staff see their municipality's, GBV files those who may, citizens their own, others nothing", async () => {
  const citizen = await person("citizen");
  const sensitive = { ticket_id: (await makeTicket("mbombela", { is_sensitive: true })).id };
  const open = await makeRow("mbombela", { ...FAILED, ticket_id: (await makeTicket("mbombela")).id });
  const own = await makeRow("mbombela", { ...FAILED, created_by: citizen.userId });
  const gbv = [
    await makeRow("mbombela", { ...FAILED, ...sensitive, bucket: "gbv-evidence" }),
    await makeRow("mbombela", { ...FAILED, bucket: "gbv-evidence" }),
    await makeRow("mbombela", { ...FAILED, ...sensitive }), // its ticket turned sensitive: hidden, and yet to be moved
  ];
  const all = [open, own, ...gbv];
  for (const role of ROLES) {
    const expected = role === "citizen" ? [own] : SEE_SENSITIVE.includes(role) ? all : [open, own];
    assertEquals(await found(await person(role), all), expected.toSorted(), role);
    assertEquals(await found(await person(role, "polokwane"), all), [], `${role} of another municipality`);
  }
  assertEquals(await found({ supabase: service }, all), all.toSorted());
  const { error } = await anonymous.from("media_backlog").select("file_id");
  assertEquals(error?.code, "42501");
});

Deno.test("the oldest comes first, and nothing is written through it", async () => {
  const admin = await person("admin");
  const ids = [];
  for (const days of [3, 1, 2]) {
    const created_at = new Date(Date.now() - days * 86_400_000);
    ids[days] = await makeRow("mbombela", { ...FAILED, created_at });
  }
  const rows = await ok(
    admin.supabase.from("media_backlog").select("file_id").in("file_id", ids.slice(1)).order("since"),
  );
  assertEquals(rows.map(({ file_id }) => file_id), [ids[3], ids[2], ids[1]]);
  for (const client of [admin.supabase, service]) {
    const attempts = [
      await client.from("media_backlog").update({ status: "stored" }).eq("file_id", ids[1]!),
      await client.from("media_backlog").delete().eq("file_id", ids[1]!),
    ];
    for (const { error } of attempts) assertEquals(error?.code, "42501", error?.message);
  }
});
