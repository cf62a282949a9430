// Reading.
import { assertEquals } from "../../support/assert.ts";
import { SignJWT } from "jose";
import {
  assertRefused,
  bytes,
  fact,
  NOT_FOUND,
  type Scene,
  send,
  service,
  storage,
  useAlice,
} from "./support.ts";

useAlice();

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
