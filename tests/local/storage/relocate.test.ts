// Copy, move, delete, list.
import { assertEquals } from "../../support/assert.ts";
import { assertRefused, fact, NOT_FOUND, send, service, useAlice } from "./support.ts";

useAlice();

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
