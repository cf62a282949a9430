// A project has wide policies of its own on storage.objects. Ours are restrictive, so ours hold all the same.
import { assert, assertEquals } from "../support/assert.ts";
import {
  assertRefusal,
  canDownload,
  canSign,
  freshPath,
  ownFile,
  serviceFile,
  ticketFile,
} from "../support/files.ts";
import {
  anonymous,
  connect,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  ROLES,
  sample,
  service,
  sha256,
  SLUGS,
} from "../support/stack.ts";

/** Another app's bucket, open to everybody, and a policy that allows everything everywhere. */
async function withWidePolicies(run: (open: string) => Promise<void>): Promise<void> {
  const sql = connect();
  const open = `open-${crypto.randomUUID().slice(0, 8)}`;
  await ok(service.storage.createBucket(open, { public: false }));
  await sql`create policy "wide open" on storage.objects for all to public using (true) with check (true)`;
  try {
    await run(open);
  } finally {
    await sql`drop policy "wide open" on storage.objects`;
    await sql.end();
    await service.storage.emptyBucket(open);
    await service.storage.deleteBucket(open);
  }
}

Deno.test("the other app's own bucket works as before, for who is not signed in too", async () => {
  await withWidePolicies(async (open) => {
    for (const client of [anonymous, (await person("citizen")).supabase]) {
      const path = `${crypto.randomUUID()}.jpg`;
      await ok(client.storage.from(open).upload(path, sample()));
      await ok(client.storage.from(open).upload(path, sample(), { upsert: true }));
      await ok(client.storage.from(open).createSignedUrl(path, 60));
      await ok(client.storage.from(open).copy(path, `copy-${path}`));
      await ok(client.storage.from(open).remove([path]));
    }
  });
});

Deno.test("our files are read, listed, signed and uploaded by no more people than before", async () => {
  await withWidePolicies(async () => {
    for (const bucket of ["evidence", "documents", "gbv-evidence"] as const) {
      const file = await serviceFile(bucket, "mbombela");
      const strangers = [await person("citizen"), await person("admin", "polokwane")];
      if (bucket === "gbv-evidence") strangers.push(await person("manager"), await person("field_worker"));
      for (const stranger of strangers) {
        assert(!await canDownload(stranger, file), `${stranger.role} downloads from ${bucket}`);
        assert(!await canSign(stranger, file), `${stranger.role} signs in ${bucket}`);
      }
      assert(
        !await canSign(await person("admin"), file) || bucket !== "gbv-evidence",
        "no URL without its record",
      );
      assertRefusal((await anonymous.storage.from(bucket).download(file.path)).error, ["404"]);
      assertRefusal(
        (await anonymous.storage.from(bucket).upload(freshPath(MUNICIPALITIES.mbombela.id).path, sample()))
          .error,
        ["403"],
      );
      const { path } = freshPath(MUNICIPALITIES.mbombela.id);
      const stranger = await person("admin", "polokwane");
      assertRefusal((await stranger.supabase.storage.from(bucket).upload(path, sample())).error, ["403"]);
    }
    const citizen = await person("citizen");
    assertRefusal(
      (await citizen.supabase.storage.from("gbv-evidence").upload(freshPath(citizen.tenant).path, sample()))
        .error,
      ["403"],
    );
  });
});

Deno.test("no user copies or moves evidence out into the open bucket, or something into ours", async () => {
  await withWidePolicies(async (open) => {
    for (
      const [role, bucket] of [["citizen", "evidence"], ["admin", "evidence"], [
        "admin",
        "gbv-evidence",
      ]] as const
    ) {
      const who = await person(role);
      const file = await ownFile(who, bucket);
      const stored = await ok(
        service.from("media_attachments").select("*").eq("file_id", file.fileId).single(),
      );
      const storage = who.supabase.storage;

      const out = `${crypto.randomUUID()}.jpg`;
      assertRefusal((await storage.from(bucket).copy(file.path, out, { destinationBucket: open })).error, [
        "403",
        "404",
      ]);
      assertRefusal((await storage.from(bucket).move(file.path, out, { destinationBucket: open })).error, [
        "403",
        "404",
      ]);
      assertEquals((await service.storage.from(open).list()).data, []);

      const loose = `${crypto.randomUUID()}.jpg`;
      await ok(storage.from(open).upload(loose, sample()));
      const target = freshPath(who.tenant).path;
      assertRefusal((await storage.from(open).copy(loose, target, { destinationBucket: bucket })).error, [
        "403",
      ]);
      assertRefusal((await storage.from(open).move(loose, target, { destinationBucket: bucket })).error, [
        "403",
        "404",
      ]);
      assertRefusal((await service.storage.from(bucket).download(target)).error, ["404"]);
      await ok(storage.from(open).remove([loose]));

      assertEquals((await storage.from(bucket).remove([file.path])).data ?? [], []);
      assert((await storage.from(bucket).update(file.path, sample())).error);
      assertEquals(
        await sha256(await ok(service.storage.from(bucket).download(file.path))),
        await sha256(file.blob),
      );
      assertEquals(
        await ok(service.from("media_attachments").select("*").eq("file_id", file.fileId).single()),
        stored,
      );
    }
  });
});

Deno.test("a wide policy beside ours on any table of ours shows nobody a row more", async () => {
  const sql = connect();
  const admin = await person("admin");
  const ticket = await makeTicket("mbombela", { category: "gbv" });
  await ticketFile(admin, ticket.id);
  await serviceFile("gbv-evidence", "polokwane");
  const tables = await sql<{ name: string; key: string }[]>`
    select c.relname as name, string_agg(a.attname, ',' order by a.attname) as key
    from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not in ('tickets', 'custody_keys')
    group by 1`;
  assert(tables.length >= 7, "the tables were not found");
  const people = await Promise.all(SLUGS.flatMap((slug) => ROLES.map((role) => person(role, slug))));
  const seen = async () => {
    const rows: Record<string, unknown> = {};
    for (const { name, key } of tables) {
      for (const { supabase, role, slug } of people) {
        const { data, error } = await supabase.from(name).select(key).order(key.split(",")[0]!).limit(1000);
        rows[`${name}, ${role} of ${slug}`] = error?.code ?? data;
      }
      rows[`${name}, anonymous`] = (await anonymous.from(name).select(key)).error?.code;
    }
    return rows;
  };
  const before = await seen();
  for (const { name } of tables) {
    await sql.unsafe(
      `create policy "wide open" on public.${name} for all to public using (true) with check (true)`,
    );
  }
  try {
    assertEquals(await seen(), before);
  } finally {
    for (const { name } of tables) await sql.unsafe(`drop policy "wide open" on public.${name}`);
    await sql.end();
  }
});
