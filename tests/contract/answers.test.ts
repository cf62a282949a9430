// The form of answers that clients and proxies may rely on: content types, unknown routes, buckets, resumable uploads.
import { Buffer } from "node:buffer";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { freshPath } from "../support/files.ts";
import { person, PUBLISHABLE_KEY, SECRET_KEY, URL_BASE } from "../support/stack.ts";

const STORAGE = `${URL_BASE}/storage/v1`;
const service = { apikey: SECRET_KEY, authorization: `Bearer ${SECRET_KEY}` };
const JSON_TYPE = "application/json; charset=utf-8";

Deno.test("JSON of Storage and of the Data API names its charset, in answers and in refusals", async () => {
  const post = { method: "POST", body: "{}", headers: { ...service, "content-type": "application/json" } };
  const asked: [string, RequestInit, status: number][] = [
    [`${STORAGE}/bucket`, { headers: service }, 200],
    [`${STORAGE}/bucket/there-is-none`, { headers: service }, 400],
    [`${URL_BASE}/rest/v1/municipalities?select=id`, { headers: service }, 200],
    [`${URL_BASE}/rest/v1/there_is_none`, { headers: service }, 404],
    [`${URL_BASE}/rest/v1/rpc/there_is_none`, post, 404],
  ];
  for (const [url, init, status] of asked) {
    const response = await fetch(url, init);
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("content-type")], [status, JSON_TYPE], url);
  }
});

Deno.test("a route that Storage does not have is a 404 of its framework's shape", async () => {
  for (const [method, path] of [["GET", "nothing?x=1"], ["PATCH", "object/evidence/a.jpg"]] as const) {
    const response = await fetch(`${STORAGE}/${path}`, { method, headers: service });
    const { message, ...rest } = await response.json();
    assertEquals([response.status, rest], [404, { error: "Not Found", statusCode: 404 }]);
    assertMatch(message, new RegExp(`^Route ${method}:.*${RegExp.escape(path)} not found$`));
  }
});

Deno.test("a bucket is told with its limits, and a list of them with their type", async () => {
  const one = await (await fetch(`${STORAGE}/bucket/evidence`, { headers: service })).json();
  assertEquals(Object.keys(one).sort(), [
    ...["allowed_mime_types", "created_at", "file_size_limit", "id", "name", "owner", "public", "updated_at"],
  ]);
  const all: Record<string, unknown>[] = await (await fetch(`${STORAGE}/bucket`, { headers: service }))
    .json();
  assertEquals(all.find(({ id }) => id === "evidence"), { ...one, type: "STANDARD" });
  assertEquals([one.owner, one.public, one.file_size_limit], ["", false, 50 * 1024 * 1024]);
});

Deno.test("HEAD of a resumable upload tells how far it is, and what was said of the file", async () => {
  const { token, tenant } = await person("field_worker");
  const { path } = freshPath(tenant);
  const headers = { apikey: PUBLISHABLE_KEY, authorization: `Bearer ${token}`, "tus-resumable": "1.0.0" };
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const said = { bucketName: "evidence", objectName: path, contentType: "image/jpeg", cacheControl: "60" };
  const created = await fetch(`${STORAGE}/upload/resumable`, {
    method: "POST",
    headers: {
      ...headers,
      "upload-length": "2000",
      "upload-metadata": Object.entries(said).map(([key, value]) => `${key} ${base64(value)}`).join(),
    },
  });
  await created.body?.cancel();
  assertEquals(created.status, 201);
  const location = new URL(created.headers.get("location")!, STORAGE);
  const { status, headers: told } = await fetch(location, { method: "HEAD", headers });
  assertEquals([status, told.get("upload-offset"), told.get("upload-length")], [200, "0", "2000"]);
  assertEquals(told.get("cache-control"), "no-store");
  assertEquals(
    Object.fromEntries(told.get("upload-metadata")!.split(",").map((pair) => pair.split(" "))),
    Object.fromEntries(
      Object.entries({ ...said, cacheControl: "max-age=60" }).map(([key, value]) => [key, base64(value)]),
    ),
  );
});
