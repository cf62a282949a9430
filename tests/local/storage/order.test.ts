// Order of events.
import { assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { bytes, fact, tusCreate, useAlice } from "./support.ts";

useAlice();

fact(
  "row triggers fire in a rolled-back probe as the caller, then for real as service_role",
  {},
  async (s) => {
    await s.allow("insert");
    await s.db.unsafe(`
    create sequence ${s.schema}.probes; create sequence ${s.schema}.finals;
    create table ${s.schema}.seen (uid uuid, role text, owner_id text, operation text, metadata jsonb)`);
    await s.trigger(
      "before insert",
      `perform nextval('${s.schema}.' || case when new.version = '1' then 'probes' else 'finals' end);
     insert into ${s.schema}.seen values (
       auth.uid(), current_setting('role'), new.owner_id, storage.operation(), new.metadata);`,
    );
    await s.alice.client.storage.from(s.bucket).upload("a.txt", bytes("hello"), {
      contentType: "text/plain",
    });
    const fired = (name: string) =>
      s.db.unsafe(`select last_value::int as n, is_called from ${s.schema}.${name}`).then((rows) => rows[0]);
    assertEquals([await fired("probes"), await fired("finals")], [
      { n: 1, is_called: true },
      { n: 1, is_called: true },
    ]);
    const seen = await s.db.unsafe(`select * from ${s.schema}.seen`);
    assertEquals(seen.length, 1);
    assertEquals(
      [seen[0]!.uid, seen[0]!.role, seen[0]!.owner_id, seen[0]!.operation, seen[0]!.metadata.size],
      [
        null,
        "service_role",
        s.alice.id,
        "storage.object.upload",
        5,
      ],
    );
  },
);

fact("the probe row has version 1, the caller's uid, and no size yet", {}, async (s) => {
  await s.allow("insert");
  await s.trigger(
    "before insert",
    `raise exception '%', json_build_object('version', new.version, 'uid', auth.uid(), 'owner', new.owner_id,
       'role', current_setting('role'), 'size', new.metadata ? 'size', 'type', new.metadata ->> 'mimetype')
     using errcode = '42501';`,
  );
  const { error } = await s.alice.client.storage.from(s.bucket).upload("a", "x", {
    contentType: "text/plain",
  });
  const { version, uid, owner, role, size, type } = JSON.parse(error!.message);
  assertEquals([version, uid, owner, role], ["1", s.alice.id, s.alice.id, "authenticated"]);
  assertEquals([Boolean(size), type], [false, "text/plain"]);
});

fact("a deferred constraint trigger fires once, with complete metadata", {}, async (s) => {
  await s.allow("insert");
  await s.db.unsafe(`create table ${s.schema}.seen (metadata jsonb, owner_id text, version text)`);
  await s.trigger(
    "after insert deferred",
    `insert into ${s.schema}.seen values (new.metadata, new.owner_id, new.version);`,
  );
  await s.alice.client.storage.from(s.bucket).upload("a.txt", bytes("hello"), { contentType: "text/plain" });
  const seen = await s.db.unsafe(`select * from ${s.schema}.seen`);
  assertEquals(seen.length, 1);
  assertEquals([seen[0]!.metadata.size, seen[0]!.metadata.mimetype, seen[0]!.owner_id], [
    5,
    "text/plain",
    s.alice.id,
  ]);
  assertMatch(seen[0]!.version, /^[0-9a-f-]{36}$/);
});

fact("a deferred trigger that raises at commit fails the upload, with its 42501 message", {}, async (s) => {
  await s.allow("insert");
  await s.trigger("after insert deferred", `raise exception 'not recorded' using errcode = '42501';`);
  const { error } = await s.alice.client.storage.from(s.bucket).upload("a.txt", "x");
  assertEquals(error?.message, "not recorded");
  assertEquals(await s.objects(), []);
});

fact("a raising trigger fails an overwrite and the old file stays", {}, async (s) => {
  await s.allow("all");
  const files = s.alice.client.storage.from(s.bucket);
  await files.upload("a.txt", "old");
  const [before] = await s.objects();
  await s.trigger(
    "before update",
    `if new.version <> '1' then raise exception 'immutable' using errcode = '42501'; end if;`,
  );
  const { error } = await files.upload("a.txt", "new", { upsert: true });
  assertEquals(error?.message, "immutable");
  assertEquals(await s.objects(), [before]);
  assertEquals(await (await files.download("a.txt")).data!.text(), "old");
});

fact("policies see the operation, with or without its prefix", {}, async (s) => {
  await s.allow("insert", "storage.allow_any_operation(array['object.upload', 'storage.tus.upload.create'])");
  await s.allow("select", "storage.allow_only_operation('storage.object.sign')");
  const files = s.alice.client.storage.from(s.bucket);
  assertEquals((await files.upload("a.txt", "x")).error, null);
  assertEquals((await files.createSignedUrl("a.txt", 60)).error, null);
  const code = (error: unknown) => (error as { statusCode?: string } | null)?.statusCode;
  assertEquals(code((await files.createSignedUploadUrl("b.txt")).error), "403");
  assertEquals(code((await files.copy("a.txt", "b.txt")).error), "404");
  assertEquals((await files.createSignedUrls(["a.txt"], 60)).data![0]!.signedUrl, null);
  assertEquals((await files.list()).data, []);
  assertEquals((await files.info("a.txt")).data, null);
  assertEquals((await files.download("a.txt")).data, null);
  assertEquals((await tusCreate(`/upload/resumable`, s, "c.txt", 1, s.alice)).status, 201);
});

fact("a direct DELETE is refused: rows go through the Storage API", {}, async (s) => {
  const attempt = await s.db`delete from storage.objects where bucket_id = ${s.bucket}`.catch((error) =>
    error
  );
  assertEquals(attempt.code, "42501");
  assertStringIncludes(attempt.message, "Direct deletion from storage tables is not allowed");
  const bucket = await s.db`delete from storage.buckets where id = ${s.bucket}`.catch((error) => error);
  assertEquals(bucket.code, "42501");
});
