// Uploads and what they record.
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import { bytes, fact, send, service, useAlice } from "./support.ts";

useAlice();

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

fact("a form that stops within its file, or before its end, leaves no row", {}, async (s) => {
  await s.allow("all");
  const part =
    '--x\r\ncontent-disposition: form-data; name=""; filename="f"\r\ncontent-type: text/plain\r\n\r\nwords';
  for (const body of [part, '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nwor']) {
    const response = await send(`/object/${s.bucket}/cut.txt`, s.alice, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
      body,
    });
    assert(!response.ok, await response.text());
  }
  assertEquals(await s.objects(), []);
});
