// INSERT and SELECT policies alone do not make a file immutable.
import { assertEquals } from "../../support/assert.ts";
import { bytes, fact, RLS, service, tusCreate, tusPatch, useAlice } from "./support.ts";

useAlice();

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
