// Signed uploads.
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { assertRefused, DUPLICATE, fact, TOO_LARGE, useAlice } from "./support.ts";

useAlice();

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
