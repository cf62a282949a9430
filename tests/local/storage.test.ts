/**
 * Storage as hosted Supabase has it, the traps that the real server showed included: black-box tests, on buckets, users,
 * policies and triggers of their own, that also run against a real project given by the same variables.
 */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { SignJWT } from "jose";
import postgres from "postgres";

const env = (name: string) => {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} is not set: run this with the stand-in up`);
  return value;
};
const url = env("SUPABASE_URL");
const publishable = env("SUPABASE_PUBLISHABLE_KEY");
const secret = env("SUPABASE_SECRET_KEY");
const storage = `${url}/storage/v1`;
const clientOptions = { auth: { persistSession: false, autoRefreshToken: false } };
const service = createClient(url, secret, clientOptions);
const bytes = (text: string) => new TextEncoder().encode(text);

interface User {
  id: string;
  token: string;
  client: SupabaseClient;
}

interface Scene {
  db: postgres.Sql;
  /** A bucket of this test's own. */
  bucket: string;
  alice: User;
  /** Makes a policy on storage.objects for this bucket. */
  allow(command: "insert" | "select" | "update" | "delete" | "all", condition?: string): Promise<void>;
  /** Makes a row trigger on this bucket's rows whose function has this body; returns its schema for helpers. */
  trigger(when: string, body: string): Promise<void>;
  /** Schema for helpers of triggers. */
  schema: string;
  objects(): Promise<postgres.Row[]>;
}

let alice: Promise<User> | undefined;

async function makeUser(name: string): Promise<User> {
  const email = `${name}-${crypto.randomUUID()}@storage.test`;
  const password = crypto.randomUUID();
  const created = await service.auth.admin.createUser({ email, password, email_confirm: true });
  if (created.error) throw created.error;
  const client = createClient(url, publishable, clientOptions);
  const { data, error } = await client.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return { id: created.data.user.id, token: data.session.access_token, client };
}

Deno.test.afterAll(async () => {
  if (alice) await service.auth.admin.deleteUser((await alice).id);
});

/** One fact: a bucket with these settings, made before and removed after. */
function fact(
  name: string,
  options: { fileSizeLimit?: number; allowedMimeTypes?: string[]; public?: boolean },
  check: (scene: Scene) => Promise<void>,
) {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    const id = crypto.randomUUID().slice(0, 8);
    const bucket = `scratch-${id}`;
    const schema = `scratch_${id}`;
    const db = postgres(env("SUPABASE_DB_URL"), { max: 2, onnotice: () => {} });
    const undo: string[] = [];
    try {
      const made = await service.storage.createBucket(bucket, { public: false, ...options });
      if (made.error) throw made.error;
      await db`create schema ${db(schema)}`;
      await check({
        db,
        bucket,
        schema,
        alice: await (alice ??= makeUser("alice")),
        async allow(command, condition = "true") {
          const policy = `${bucket} ${command} ${undo.length}`;
          const test = `bucket_id = '${bucket}' and (${condition})`;
          const clause = command === "insert" ? `with check (${test})` : `using (${test})`;
          await db.unsafe(
            `create policy "${policy}" on storage.objects for ${command} to authenticated ${clause}`,
          );
          undo.push(`drop policy "${policy}" on storage.objects`);
        },
        async trigger(when, body) {
          const trigger = `${schema}_${undo.length}`;
          await db.unsafe(`
            create function ${schema}.${trigger}() returns trigger language plpgsql security definer
            set search_path = '' as $body$ begin ${body} return new; end $body$`);
          const constraint = /deferr/i.test(when) ? "constraint" : "";
          const [timing, deferral = ""] = when.split(" deferred");
          await db.unsafe(`
            create ${constraint} trigger ${trigger} ${timing} on storage.objects
            ${constraint && "deferrable initially deferred"} ${deferral}
            for each row when (new.bucket_id = '${bucket}') execute function ${schema}.${trigger}()`);
          undo.push(`drop trigger ${trigger} on storage.objects`);
        },
        objects: async () =>
          Array.from(
            await db<postgres.Row[]>`select * from storage.objects where bucket_id = ${bucket} order by name`,
          ),
      });
    } finally {
      for (const statement of undo) await db.unsafe(statement);
      await db`drop schema ${db(schema)} cascade`;
      await db.end();
      await service.storage.emptyBucket(bucket);
      await service.storage.deleteBucket(bucket);
    }
  });
}

/** Plain HTTP as a user, with the new-form key where hosted wants it. */
function send(path: string, user: User | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("apikey", publishable);
  if (user) headers.set("authorization", `Bearer ${user.token}`);
  return fetch(`${storage}${path}`, { ...init, headers });
}

async function assertRefused(response: Response, expected: Record<string, string>, status = 400) {
  const body = await response.json();
  assertEquals({ status: response.status, ...body }, { status, ...expected });
}

const RLS = {
  statusCode: "403",
  error: "Unauthorized",
  message: "new row violates row-level security policy",
  code: "AccessDenied",
};
const DUPLICATE = {
  statusCode: "409",
  error: "Duplicate",
  message: "The resource already exists",
  code: "KeyAlreadyExists",
};
const NOT_FOUND = {
  statusCode: "404",
  error: "not_found",
  message: "Object not found",
  code: "NoSuchKey",
};
const TOO_LARGE = {
  statusCode: "413",
  error: "Payload too large",
  message: "The object exceeded the maximum allowed size",
  code: "EntityTooLarge",
};

// Uploads and what they record

fact("an upload answers Key and Id and records owner, size, type and eTag", {}, async (s) => {
  await s.allow("insert");
  const response = await send(`/object/${s.bucket}/a/b.txt`, s.alice, {
    method: "POST",
    body: bytes("hello"),
    headers: { "content-type": "text/plain", "cache-control": "max-age=60" },
  });
  assertEquals(response.status, 200);
  const [row] = await s.objects();
  assertEquals(await response.json(), { Key: `${s.bucket}/a/b.txt`, Id: row!.id });
  assertEquals(row!.owner_id, s.alice.id);
  assertEquals(row!.owner, s.alice.id);
  assertEquals(row!.path_tokens, ["a", "b.txt"]);
  const { eTag, size, mimetype, cacheControl, contentLength, httpStatusCode, lastModified } = row!.metadata;
  assertEquals({ size, mimetype, cacheControl, contentLength, httpStatusCode }, {
    size: 5,
    mimetype: "text/plain",
    cacheControl: "max-age=60",
    contentLength: 5,
    httpStatusCode: 200,
  });
  assertMatch(eTag, /^"[0-9a-f]+(-[0-9a-f]+)?"$/);
  assert(Date.parse(lastModified) > 0);
});

fact(
  "supabase-js uploads Blob, FormData, bytes and streams, with metadata and cacheControl",
  {},
  async (s) => {
    await s.allow("all");
    const files = s.alice.client.storage.from(s.bucket);
    const form = new FormData();
    form.append("whatever", new File(["form"], "f.txt", { type: "text/plain" }));
    const bodies = {
      "blob.txt": new Blob(["blob"], { type: "text/plain" }),
      "form.txt": form,
      "bytes.txt": bytes("bytes"),
      "stream.txt": new Blob(["stream"]).stream(),
    };
    for (const [name, body] of Object.entries(bodies)) {
      const { data, error } = await files.upload(name, body, {
        contentType: "text/plain",
        cacheControl: "7",
        metadata: { of: name },
      });
      assertEquals(error, null, name);
      assertEquals(data!.fullPath, `${s.bucket}/${name}`);
      const downloaded = await files.download(name);
      assertEquals(await downloaded.data!.text(), name.split(".")[0]);
      const { data: info } = await files.info(name);
      assertEquals(info!.contentType, "text/plain", name);
      assertEquals(info!.cacheControl, "max-age=7", name);
      assertEquals(info!.metadata as unknown, { of: name }, name);
    }
  },
);

fact("50 MiB go up and come down unchanged, as a multipart form too", {}, async (s) => {
  const block = crypto.getRandomValues(new Uint8Array(65536));
  const parts = Array.from({ length: 800 }, () => block);
  for (const multipart of [true, false]) {
    const blob = new Blob(parts, { type: "video/mp4" });
    const name = `big-${multipart}.mp4`;
    const { error } = await service.storage.from(s.bucket).upload(
      name,
      multipart ? blob : await blob.arrayBuffer(),
    );
    assertEquals(error, null);
    const { data } = await service.storage.from(s.bucket).download(name);
    const digest = async (each: Blob) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", await each.arrayBuffer()));
    assertEquals(await digest(data!), await digest(blob));
  }
});

fact("an update (PUT) or an upsert replaces bytes and version", {}, async (s) => {
  await s.allow("all");
  const files = s.alice.client.storage.from(s.bucket);
  await files.upload("a.txt", "one");
  const [before] = await s.objects();
  assertEquals((await files.update("a.txt", "two")).error, null);
  assertEquals((await files.upload("a.txt", "three", { upsert: true })).error, null);
  const [after] = await s.objects();
  assertEquals(after!.id, before!.id);
  assert(after!.version !== before!.version);
  assertEquals(await (await files.download("a.txt")).data!.text(), "three");
});

fact("a body that ends in error leaves no row", {}, async (s) => {
  await s.allow("all");
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(100_000)),
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      controller.error(new Error("gone"));
    },
  });
  const { error } = await s.alice.client.storage.from(s.bucket).upload("cut.bin", body);
  assert(error);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(await s.objects(), []);
});

// Errors: HTTP 400 with the true code in the body

fact("no policy, no upload: 403 in the body, HTTP 400", {}, async (s) => {
  await assertRefused(await send(`/object/${s.bucket}/a.txt`, s.alice, { method: "POST", body: "x" }), RLS);
  const { error } = await s.alice.client.storage.from(s.bucket).upload("a.txt", "x");
  assertEquals([(error as { statusCode?: string }).statusCode, error!.message], ["403", RLS.message]);
});

fact("a name that is taken", {}, async (s) => {
  await s.allow("insert");
  const post = () => send(`/object/${s.bucket}/a.txt`, s.alice, { method: "POST", body: "x" });
  assertEquals((await post()).status, 200);
  await assertRefused(await post(), DUPLICATE);
});

fact(
  "file_size_limit by Content-Length, and for forms by the bytes that came",
  { fileSizeLimit: 10 },
  async (s) => {
    await s.allow("insert");
    const large = new Uint8Array(11);
    const post = (body: BodyInit) => send(`/object/${s.bucket}/a.bin`, s.alice, { method: "POST", body });
    await assertRefused(await post(large), TOO_LARGE);
    const form = new FormData();
    form.append("", new Blob([large]));
    await assertRefused(await post(form), TOO_LARGE);
    assertEquals(await s.objects(), []);
  },
);

fact("a refusal reaches a client that is sending far too much", { fileSizeLimit: 10 }, async (s) => {
  await s.allow("insert");
  const body = new Uint8Array(20 * 1024 * 1024);
  await assertRefused(await send(`/object/${s.bucket}/a.bin`, s.alice, { method: "POST", body }), TOO_LARGE);
  const { error } = await s.alice.client.storage.from("no-such-bucket").upload("a.bin", new Blob([body]));
  assertEquals(error?.message, "Bucket not found");
});

fact("allowed_mime_types, literally: a type with parameters does not match", {
  allowedMimeTypes: ["text/plain", "image/*"],
}, async (s) => {
  await s.allow("insert");
  const post = (type: string) =>
    send(`/object/${s.bucket}/${crypto.randomUUID()}`, s.alice, {
      method: "POST",
      body: bytes("x"),
      headers: { "content-type": type },
    });
  assertEquals((await post("text/plain")).status, 200);
  assertEquals((await post("image/webp")).status, 200);
  for (const type of ["text/html", "text/plain;charset=UTF-8"]) {
    await assertRefused(await post(type), {
      statusCode: "415",
      error: "invalid_mime_type",
      message: `mime type ${type} is not supported`,
      code: "InvalidMimeType",
    });
  }
});

fact("keys: one alphabet, percent-decoded once; an encoded .. passes", {}, async (s) => {
  await s.allow("insert");
  const post = (key: string) => send(`/object/${s.bucket}/${key}`, s.alice, { method: "POST", body: "x" });
  for (const key of ["caf%C3%A9.jpg", "a%23b", "a~b", "a%25b", "a%5Bb"]) {
    await assertRefused(await post(key), {
      statusCode: "400",
      error: "InvalidKey",
      message: `Invalid key: ${decodeURIComponent(key)}`,
      code: "InvalidKey",
    });
  }
  const passing = "aZ09_!-.*'() &$@=;:+,?";
  assertEquals((await post(`x/${encodeURIComponent(passing)}`)).status, 200);
  assertEquals((await post("x/..%2Fy")).status, 200);
  assertEquals((await s.objects()).map((row) => row.name).sort(), [`x/${passing}`, "x/../y"].sort());
  // What stands behind an unencoded # never reaches the server.
  const { error } = await s.alice.client.storage.from(s.bucket).upload("a#b.pdf", "x");
  assertEquals(error, null);
  assert((await s.objects()).some((row) => row.name === "a"));
});

Deno.test("a bucket that is not there", async () => {
  const user = await (alice ??= makeUser("alice"));
  const expected = {
    statusCode: "404",
    error: "Bucket not found",
    message: "Bucket not found",
    code: "NoSuchBucket",
  };
  await assertRefused(await send("/object/no-such-bucket/a", user, { method: "POST", body: "x" }), expected);
  await assertRefused(await send("/object/no-such-bucket/a", user), expected);
});

fact("no Authorization, a malformed one, a forged one", {}, async (s) => {
  const post = (headers: HeadersInit) =>
    fetch(`${storage}/object/${s.bucket}/a`, { method: "POST", body: "x", headers });
  // Hosted's gateway puts one in for an API key, so none is given here.
  const none = await post({});
  if (none.status === 400) {
    assertEquals(await none.json(), {
      statusCode: "400",
      error: "Error",
      message: "headers must have required property 'authorization'",
      code: "InvalidRequest",
    });
  }
  const refusal = (message: string) => ({
    statusCode: "403",
    error: "Unauthorized",
    message,
    code: "AccessDenied",
  });
  await assertRefused(
    await post({ apikey: publishable, authorization: "Bearer nonsense" }),
    refusal("Invalid Compact JWS"),
  );
  const [head, payload, signature = ""] = s.alice.token.split(".");
  const flipped = signature.replace(/^./, (first) => first === "A" ? "B" : "A");
  await assertRefused(
    await post({ apikey: publishable, authorization: `Bearer ${head}.${payload}.${flipped}` }),
    refusal("signature verification failed"),
  );
});

fact(
  "42501 keeps its message, 23505 is a duplicate, other SQLSTATEs are a 500 without one",
  {},
  async (s) => {
    await s.allow("insert");
    await s.trigger(
      "before insert",
      `raise exception 'secret detail' using errcode = split_part(new.name, '/', 1);`,
    );
    const post = (state: string) =>
      send(`/object/${s.bucket}/${state}/x`, s.alice, { method: "POST", body: "x" });
    await assertRefused(await post("42501"), {
      statusCode: "403",
      error: "Unauthorized",
      message: "secret detail",
      code: "AccessDenied",
    });
    await assertRefused(await post("23505"), DUPLICATE);
    for (const state of ["P0001", "23514", "PT422"]) {
      await assertRefused(await post(state), {
        statusCode: "500",
        error: "DatabaseError",
        message: `database error, code: ${state}`,
        code: "DatabaseError",
      }, 500);
    }
  },
);

// Order of events

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

// Reading

async function signed(s: Scene, content: string, type = "text/plain") {
  const files = service.storage.from(s.bucket);
  await files.upload("f.txt", bytes(content), { contentType: type, cacheControl: "60" });
  const { data, error } = await files.createSignedUrl("f.txt", 60);
  if (error) throw error;
  return data.signedUrl;
}

fact("a signed URL gives the file, its headers, and Expires as its token says", {}, async (s) => {
  const link = await signed(s, "0123456789");
  const response = await fetch(link);
  assertEquals([response.status, await response.text()], [200, "0123456789"]);
  const { exp } = JSON.parse(
    atob(new URL(link).searchParams.get("token")!.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/")),
  );
  const header = (name: string) => response.headers.get(name);
  assertEquals(header("expires"), new Date(exp * 1000).toUTCString());
  assertEquals([header("content-type"), header("content-length"), header("accept-ranges")], [
    "text/plain",
    "10",
    "bytes",
  ]);
  const [row] = await s.objects();
  assertEquals(header("etag"), row!.metadata.eTag);
});

fact("Range: 206, suffixes, 416", {}, async (s) => {
  const link = await signed(s, "0123456789");
  const range = (value: string) => fetch(link, { headers: { range: value } });
  for (
    const [asked, text, contentRange] of [
      ["bytes=2-4", "234", "bytes 2-4/10"],
      ["bytes=7-", "789", "bytes 7-9/10"],
      ["bytes=-3", "789", "bytes 7-9/10"],
      ["bytes=8-99", "89", "bytes 8-9/10"],
    ]
  ) {
    const response = await range(asked!);
    assertEquals(
      [response.status, await response.text(), response.headers.get("content-range")],
      [206, text, contentRange],
    );
  }
  const beyond = await range("bytes=10-12");
  assertEquals(beyond.status, 416);
  await beyond.body?.cancel();
});

fact("HEAD, 304 for a known ETag, a name to download as", {}, async (s) => {
  const link = await signed(s, "0123456789");
  const head = await fetch(link, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("content-length"), await head.text()], [200, "10", ""]);
  const unchanged = await fetch(link, { headers: { "if-none-match": head.headers.get("etag")! } });
  assertEquals([unchanged.status, await unchanged.text()], [304, ""]);
  const named = await fetch(`${link}&download=${encodeURIComponent("my file.txt")}`);
  assertEquals(
    named.headers.get("content-disposition"),
    "attachment; filename=my%20file.txt; filename*=UTF-8''my%20file.txt",
  );
  await named.body?.cancel();
  const plain = await fetch(`${link}&download=`);
  assertEquals(plain.headers.get("content-disposition"), "attachment;");
  await plain.body?.cancel();
});

fact("stored HTML is served as text", {}, async (s) => {
  const response = await fetch(await signed(s, "<script>", "text/html"));
  assertEquals(response.headers.get("content-type"), "text/plain");
  await response.body?.cancel();
});

fact("missing and forbidden are the same when signing and reading", {}, async (s) => {
  await service.storage.from(s.bucket).upload("there.txt", "x");
  for (const key of ["there.txt", "missing.txt"]) {
    const sign = await send(`/object/sign/${s.bucket}/${key}`, s.alice, {
      method: "POST",
      body: JSON.stringify({ expiresIn: 60 }),
      headers: { "content-type": "application/json" },
    });
    await assertRefused(sign, NOT_FOUND);
    await assertRefused(await send(`/object/${s.bucket}/${key}`, s.alice), NOT_FOUND);
    await assertRefused(await send(`/object/authenticated/${s.bucket}/${key}`, s.alice), NOT_FOUND);
    await assertRefused(await send(`/object/info/${s.bucket}/${key}`, s.alice), NOT_FOUND);
  }
  // Without a user a private bucket is not there at all.
  await assertRefused(await fetch(`${storage}/object/public/${s.bucket}/there.txt`), {
    statusCode: "404",
    error: "Bucket not found",
    message: "Bucket not found",
    code: "NoSuchBucket",
  });
});

fact("signing many always answers 200, in order, an error for each failure", {}, async (s) => {
  await s.allow("select", "name <> 'hidden.txt'");
  const files = service.storage.from(s.bucket);
  for (const name of ["a.txt", "hidden.txt", "b.txt"]) await files.upload(name, name);
  const paths = ["b.txt", "hidden.txt", "missing.txt", "a.txt", "b.txt"];
  const response = await send(`/object/sign/${s.bucket}`, s.alice, {
    method: "POST",
    body: JSON.stringify({ expiresIn: 60, paths }),
    headers: { "content-type": "application/json" },
  });
  assertEquals(response.status, 200);
  const answers: { error: string | null; path: string; signedURL: string | null }[] = await response.json();
  assertEquals(answers.map((each) => each.path), paths);
  const error = "Either the object does not exist or you do not have access to it";
  assertEquals(answers.map((each) => each.error), [null, error, error, null, null]);
  assertEquals(answers.map((each) => each.signedURL === null), [false, true, true, false, false]);
  assertEquals(await (await fetch(`${storage}${answers[0]!.signedURL}`)).text(), "b.txt");
});

fact("a signed URL is for one path, for reading, and for its time", {}, async (s) => {
  const link = new URL(await signed(s, "x"));
  const files = service.storage.from(s.bucket);
  await files.upload("other.txt", "y");
  const token = link.searchParams.get("token")!;
  await assertRefused(await fetch(`${storage}/object/sign/${s.bucket}/other.txt?token=${token}`), {
    statusCode: "400",
    error: "InvalidSignature",
    message: "Invalid signature",
    code: "InvalidSignature",
  });
  const refusal = (message: string) => ({
    statusCode: "400",
    error: "InvalidJWT",
    message,
    code: "InvalidJWT",
  });
  const forged = await new SignJWT({ url: `${s.bucket}/f.txt`, scope: "download" }).setProtectedHeader({
    alg: "HS256",
  })
    .setExpirationTime("1h").sign(new Uint8Array(32));
  await assertRefused(
    await fetch(`${storage}/object/sign/${s.bucket}/f.txt?token=${forged}`),
    refusal("signature verification failed"),
  );
  const upload = await files.createSignedUploadUrl("new.txt");
  const misused = await fetch(`${storage}/object/sign/${s.bucket}/new.txt?token=${upload.data!.token}`);
  assertEquals((await misused.json()).code, "InvalidSignature");
  const { data } = await files.createSignedUrl("f.txt", 1);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  await assertRefused(await fetch(data!.signedUrl), refusal('"exp" claim timestamp check failed'));
});

fact(
  "a public bucket needs no token to read, and its list still needs a policy",
  { public: true },
  async (s) => {
    await service.storage.from(s.bucket).upload("a.txt", "public", { cacheControl: "9" });
    const response = await fetch(`${storage}/object/public/${s.bucket}/a.txt`);
    assertEquals([await response.text(), response.headers.get("cache-control")], ["public", "max-age=9"]);
    assertEquals((await s.alice.client.storage.from(s.bucket).list()).data, []);
  },
);

// Signed uploads

fact("a signed upload needs no Authorization, is its minter's, and bucket limits hold", {
  fileSizeLimit: 10,
  allowedMimeTypes: ["text/plain"],
}, async (s) => {
  await s.allow("insert", "storage.allow_only_operation('object.sign_upload_url')");
  const files = s.alice.client.storage.from(s.bucket);
  const { data, error } = await files.createSignedUploadUrl("a/b.txt");
  assertEquals(error, null);
  assertStringIncludes(data!.signedUrl, `/object/upload/sign/${s.bucket}/a/b.txt?token=`);
  const put = (body: BodyInit, type = "text/plain") =>
    fetch(data!.signedUrl, { method: "PUT", body, headers: { "content-type": type } });
  await assertRefused(await put(new Uint8Array(11)), TOO_LARGE);
  assertEquals((await (await put("x", "text/html")).json()).code, "InvalidMimeType");
  const stored = await put("hello");
  assertEquals([stored.status, await stored.json()], [200, { Key: `${s.bucket}/a/b.txt` }]);
  const [row] = await s.objects();
  assertEquals([row!.owner_id, row!.metadata.size], [s.alice.id, 5]);
  // The token lives on, but without upsert it is used up; a taken path can be minted no more.
  await assertRefused(await put("again"), DUPLICATE);
  assertEquals((await files.createSignedUploadUrl("a/b.txt")).error?.message, DUPLICATE.message);
  const { exp, iat, ...claims } = JSON.parse(
    atob(data!.token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/")),
  );
  assertEquals(claims, { owner: s.alice.id, url: `${s.bucket}/a/b.txt`, upsert: false, scope: "upload" });
  assertEquals(exp - iat, 7200);
});

fact("supabase-js uploads to a signed URL, a Blob too", {}, async (s) => {
  await s.allow("insert");
  const files = s.alice.client.storage.from(s.bucket);
  const { data } = await files.createSignedUploadUrl("a.txt");
  const blob = new Blob(["x"], { type: "text/plain" });
  const { data: stored, error } = await files.uploadToSignedUrl("a.txt", data!.token, blob);
  assertEquals([error, stored?.fullPath], [null, `${s.bucket}/a.txt`]);
});

// INSERT and SELECT policies alone do not make a file immutable

fact("weakness (a): an upsert token minted for a free path overwrites", {}, async (s) => {
  await s.allow("insert");
  await s.allow("select");
  const files = s.alice.client.storage.from(s.bucket);
  const { data, error } = await files.createSignedUploadUrl("a.txt", { upsert: true });
  assertEquals(error, null);
  assertEquals((await files.uploadToSignedUrl("a.txt", data!.token, "one")).error, null);
  assertEquals((await files.uploadToSignedUrl("a.txt", data!.token, "two")).error, null);
  assertEquals(await (await files.download("a.txt")).data!.text(), "two");
  // While a plain overwrite is refused.
  assertEquals((await files.upload("a.txt", "three", { upsert: true })).error?.message, RLS.message);
});

fact("weakness (b): of two uploads of one name at once, both succeed and the later stays", {}, async (s) => {
  await s.allow("insert");
  await s.allow("select");
  const slow = (text: string, wait: number) =>
    new ReadableStream<Uint8Array>({
      async start(controller) {
        await new Promise((resolve) => setTimeout(resolve, wait));
        controller.enqueue(bytes(text));
        controller.close();
      },
    });
  const files = s.alice.client.storage.from(s.bucket);
  const [first, second] = await Promise.all([
    files.upload("a.txt", slow("first", 300)),
    files.upload("a.txt", slow("second", 700)),
  ]);
  assertEquals([first.error, second.error], [null, null]);
  assertEquals((await s.objects()).length, 1);
  assertEquals(await (await files.download("a.txt")).data!.text(), "second");
});

fact("weakness (c): a non-upsert token overwrites at /upload/resumable/sign", {}, async (s) => {
  await s.allow("insert");
  await s.allow("select");
  const files = s.alice.client.storage.from(s.bucket);
  const { data } = await files.createSignedUploadUrl("a.txt");
  assertEquals((await files.uploadToSignedUrl("a.txt", data!.token, "one")).error, null);
  const created = await tusCreate("/upload/resumable/sign", s, "a.txt", 3, null, {
    "x-signature": data!.token,
  });
  assertEquals(created.status, 201);
  const patched = await tusPatch(created.headers.get("location")!, "two", 0, null, {
    "x-signature": data!.token,
  });
  assertEquals(patched.status, 204);
  assertEquals(await (await files.download("a.txt")).data!.text(), "two");
  const [row] = await s.objects();
  assertEquals(row!.owner_id, s.alice.id);
});

fact("weakness: file_size_limit is not enforced on a chunked body", { fileSizeLimit: 10 }, async (s) => {
  await s.allow("insert");
  const { error } = await s.alice.client.storage.from(s.bucket).upload(
    "a.bin",
    new Blob([new Uint8Array(1000)]).stream(),
  );
  assertEquals(error, null);
  const [row] = await s.objects();
  assertEquals(row!.metadata.size, 1000);
});

fact("weakness: a resumable upload without a contentType escapes allowed_mime_types", {
  allowedMimeTypes: ["image/png"],
}, async (s) => {
  await s.allow("insert");
  const typed = await tusCreate("/upload/resumable", s, "a", 1, s.alice, {}, "text/plain");
  assertEquals([typed.status, await typed.text()], [415, "mime type text/plain is not supported"]);
  const typeless = await tusCreate("/upload/resumable", s, "a", 1, s.alice);
  assertEquals(typeless.status, 201);
  assertEquals((await tusPatch(typeless.headers.get("location")!, "x", 0, s.alice)).status, 204);
  const [row] = await s.objects();
  assertEquals(row!.metadata.mimetype, "application/octet-stream");
});

fact("weakness: copy() ignores the target bucket's limits", {
  fileSizeLimit: 1,
  allowedMimeTypes: ["image/png"],
}, async (s) => {
  await s.allow("insert");
  const other = `${s.bucket}-source`;
  await service.storage.createBucket(other, { public: false });
  try {
    await service.storage.from(other).upload("a.txt", "far too long", { contentType: "text/plain" });
    const { error } = await service.storage.from(other).copy("a.txt", "b.txt", {
      destinationBucket: s.bucket,
    });
    assertEquals(error, null);
    const [row] = await s.objects();
    assertEquals([row!.metadata.size, row!.metadata.mimetype, row!.owner_id], [12, "text/plain", null]);
  } finally {
    await service.storage.emptyBucket(other);
    await service.storage.deleteBucket(other);
  }
});

// Resumable uploads

const base64 = (text: string) => btoa(text);

function tusCreate(
  path: string,
  s: Scene,
  key: string,
  length: number,
  user: User | null,
  headers: Record<string, string> = {},
  contentType?: string,
): Promise<Response> {
  const metadata = [
    `bucketName ${base64(s.bucket)}`,
    `objectName ${base64(key)}`,
    `cacheControl ${base64("60")}`,
    ...(contentType ? [`contentType ${base64(contentType)}`] : []),
  ].join(",");
  return send(path, user, {
    method: "POST",
    headers: {
      "tus-resumable": "1.0.0",
      "upload-length": String(length),
      "upload-metadata": metadata,
      ...headers,
    },
  });
}

function tusPatch(
  location: string,
  text: string,
  offset: number,
  user: User | null,
  headers: Record<string, string> = {},
): Promise<Response> {
  return send(location.slice(location.indexOf("/upload/resumable")), user, {
    method: "PATCH",
    body: bytes(text),
    headers: {
      "tus-resumable": "1.0.0",
      "upload-offset": String(offset),
      "content-type": "application/offset+octet-stream",
      ...headers,
    },
  });
}

fact("a resumable upload arrives in pieces and is recorded when complete", {}, async (s) => {
  await s.allow("insert");
  const created = await tusCreate("/upload/resumable", s, "a.txt", 10, s.alice, {}, "text/plain");
  assertEquals([created.status, created.headers.get("tus-resumable")], [201, "1.0.0"]);
  const location = created.headers.get("location")!;
  const first = await tusPatch(location, "01234", 0, s.alice);
  assertEquals([first.status, first.headers.get("upload-offset")], [204, "5"]);
  assertEquals(await s.objects(), []);
  const head = await send(location.slice(location.indexOf("/upload/resumable")), s.alice, {
    method: "HEAD",
    headers: { "tus-resumable": "1.0.0" },
  });
  assertEquals([head.status, head.headers.get("upload-offset"), head.headers.get("upload-length")], [
    200,
    "5",
    "10",
  ]);
  const wrong = await tusPatch(location, "xx", 3, s.alice);
  assertEquals([wrong.status, await wrong.text()], [409, "Upload-Offset conflict\n"]);
  const last = await tusPatch(location, "56789", 5, s.alice);
  assertEquals([last.status, last.headers.get("upload-offset")], [204, "10"]);
  const [row] = await s.objects();
  assertEquals([row!.metadata.size, row!.metadata.mimetype, row!.metadata.cacheControl, row!.owner_id], [
    10,
    "text/plain",
    "max-age=60",
    s.alice.id,
  ]);
  assertEquals(await (await service.storage.from(s.bucket).download("a.txt")).data!.text(), "0123456789");
});

fact("resumable refusals have their true status and a plain text", { fileSizeLimit: 10 }, async (s) => {
  const denied = await tusCreate("/upload/resumable", s, "a", 1, s.alice);
  assertEquals([denied.status, await denied.text()], [403, RLS.message]);
  await s.allow("insert");
  const large = await tusCreate("/upload/resumable", s, "a", 11, s.alice);
  assertEquals([large.status, await large.text()], [413, "Maximum size exceeded\n"]);
  await service.storage.from(s.bucket).upload("taken", "x");
  const taken = await tusCreate("/upload/resumable", s, "taken", 1, s.alice);
  assertEquals([taken.status, await taken.text()], [409, DUPLICATE.message]);
  const unsigned = await tusCreate("/upload/resumable/sign", s, "a", 1, null);
  assertEquals(unsigned.status, 400);
  await unsigned.body?.cancel();
});

fact("a raising trigger fails the last piece of a resumable upload", {}, async (s) => {
  await s.allow("insert");
  await s.trigger(
    "before insert",
    `if new.version <> '1' then raise exception 'no' using errcode = '42501'; end if;`,
  );
  const created = await tusCreate("/upload/resumable", s, "a", 1, s.alice);
  const patched = await tusPatch(created.headers.get("location")!, "x", 0, s.alice);
  assertEquals([patched.status, await patched.text()], [403, "no"]);
  assertEquals(await s.objects(), []);
});

// Copy, move, delete, list

fact("copy and move need policies of their own; both keep type and metadata", {}, async (s) => {
  await s.allow("insert", "not storage.allow_any_operation(array['object.copy', 'object.move'])");
  await s.allow("select");
  const files = s.alice.client.storage.from(s.bucket);
  await files.upload("a.txt", "text", { contentType: "text/plain", metadata: { k: "v" } });
  const code = (error: unknown) => (error as { statusCode?: string } | null)?.statusCode;
  assertEquals(code((await files.copy("a.txt", "b.txt")).error), "403");
  // Without an UPDATE policy there is no row to move.
  assertEquals(code((await files.move("a.txt", "b.txt")).error), "404");
  await s.allow("all");
  assertEquals((await files.copy("a.txt", "b.txt")).data, { path: `${s.bucket}/b.txt` });
  assertEquals(code((await files.copy("a.txt", "b.txt")).error), "409");
  assertEquals((await files.move("a.txt", "c/d.txt")).error, null);
  const rows = await s.objects();
  assertEquals(rows.map((row) => row.name), ["b.txt", "c/d.txt"]);
  for (const row of rows) {
    assertEquals([row.metadata.mimetype, row.metadata.size, row.user_metadata], ["text/plain", 4, {
      k: "v",
    }]);
    assertEquals(await (await files.download(row.name)).data!.text(), "text");
  }
});

fact("delete: what a policy hides stays, many pass over it in silence", {}, async (s) => {
  const files = s.alice.client.storage.from(s.bucket);
  for (const name of ["a", "b", "c"]) await service.storage.from(s.bucket).upload(name, name);
  await s.allow("select");
  await s.allow("delete", "name <> 'c'");
  const removed = await files.remove(["a", "c", "missing"]);
  assertEquals(removed.data!.map((row) => row.name), ["a"]);
  const one = (key: string) => send(`/object/${s.bucket}/${key}`, s.alice, { method: "DELETE" });
  const deleted = await one("b");
  assertEquals([deleted.status, await deleted.json()], [200, { message: "Successfully deleted" }]);
  assertEquals((await (await one("c")).json()).statusCode, "403");
  await assertRefused(await one("b"), NOT_FOUND);
  assertEquals((await s.objects()).map((row) => row.name), ["c"]);
});

fact("lists show folders and files that policies show, sorted, searched and paged", {}, async (s) => {
  await s.allow("select", "not starts_with(name, 'hidden')");
  for (const name of ["x/1.txt", "x/2.txt", "x/y/3.txt", "hidden/4.txt", "z.txt"]) {
    await service.storage.from(s.bucket).upload(name, name);
  }
  const files = s.alice.client.storage.from(s.bucket);
  const names = async (...args: Parameters<typeof files.list>) =>
    (await files.list(...args)).data!.map((each) => `${each.name}${each.id === null ? "/" : ""}`);
  assertEquals(await names(), ["x/", "z.txt"]);
  assertEquals(await names("x"), ["1.txt", "2.txt", "y/"]);
  assertEquals(await names("x", { limit: 1, offset: 1 }), ["2.txt"]);
  assertEquals(await names("x", { search: "2" }), ["2.txt"]);
  assertEquals(await names("x", { sortBy: { column: "name", order: "desc" } }), ["y/", "2.txt", "1.txt"]);

  const flat = await files.listV2({ limit: 3 });
  assertEquals([flat.data!.hasNext, flat.data!.objects.map((each) => each.name)], [
    true,
    ["x/1.txt", "x/2.txt", "x/y/3.txt"],
  ]);
  const rest = await files.listV2({ limit: 3, cursor: flat.data!.nextCursor });
  assertEquals([rest.data!.hasNext, rest.data!.objects.map((each) => each.name)], [false, ["z.txt"]]);
  const level = await files.listV2({ prefix: "x/", with_delimiter: true });
  assertEquals(level.data!.folders.map((each) => each.name), ["x/y/"]);
  assertEquals(level.data!.objects.map((each) => each.name), ["x/1.txt", "x/2.txt"]);
});

fact("buckets are invisible to users without a policy, and settings can be changed", {}, async (s) => {
  const mine = s.alice.client.storage;
  const code = (error: unknown) => (error as { statusCode?: string } | null)?.statusCode;
  assertEquals(code((await mine.getBucket(s.bucket)).error), "404");
  assertEquals((await mine.listBuckets()).data, []);
  assertEquals(code((await mine.createBucket("users-own")).error), "403");
  assertEquals(code((await service.storage.createBucket(s.bucket)).error), "409");
  await service.storage.updateBucket(s.bucket, {
    public: false,
    fileSizeLimit: "2KB",
    allowedMimeTypes: ["image/png"],
  });
  const { data } = await service.storage.getBucket(s.bucket);
  assertEquals([data!.file_size_limit, data!.allowed_mime_types, data!.public], [2000, ["image/png"], false]);
  await service.storage.from(s.bucket).upload("a.png", "x", { contentType: "image/png" });
  assertEquals(code((await service.storage.deleteBucket(s.bucket)).error), "409");
});
