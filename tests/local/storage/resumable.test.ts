// Resumable uploads.
import { assertEquals } from "../../support/assert.ts";
import { DUPLICATE, fact, RLS, send, service, tusCreate, tusPatch, useAlice } from "./support.ts";

useAlice();

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
