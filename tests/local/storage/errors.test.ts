// Errors: HTTP 400 with the true code in the body.
import { assert, assertEquals } from "../../support/assert.ts";
import {
  assertRefused,
  bytes,
  DUPLICATE,
  fact,
  publishable,
  RLS,
  send,
  storage,
  theUser,
  TOO_LARGE,
  useAlice,
} from "./support.ts";

useAlice();

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
  const user = await theUser();
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
