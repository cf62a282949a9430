// The functions as an unmodified supabase-js sees them: its error classes, and our error inside them.
import {
  createClient,
  FunctionsFetchError,
  FunctionsHttpError,
  FunctionsRelayError,
} from "@supabase/supabase-js";
import { assert, assertEquals, assertInstanceOf, assertMatch } from "../support/assert.ts";
import { serviceFile } from "../support/files.ts";
import { uploadRequest } from "../support/functions.ts";
import { anonymous, person, PUBLISHABLE_KEY, service } from "../support/stack.ts";

/** Our error, out of the error of supabase-js. */
async function errorIn(error: unknown): Promise<{ status: number; code: string; requestId: string }> {
  assertInstanceOf(error, FunctionsHttpError);
  const context: Response = error.context;
  const body = await context.json();
  return { status: context.status, code: body.error.code, requestId: body.request_id };
}

Deno.test("a refusal is a FunctionsHttpError whose context has our code and request id", async () => {
  const citizen = await person("citizen");
  const refused = await citizen.supabase.functions.invoke("upload-url", {
    body: uploadRequest({ purpose: "gbv-evidence" }),
  });
  assertEquals(refused.data, null);
  const { status, code, requestId } = await errorIn(refused.error);
  assertEquals([status, code], [403, "forbidden"]);
  assertMatch(requestId, /^[0-9a-f-]{36}$/);
});

Deno.test("bad input and hidden files are FunctionsHttpErrors, each with its own code", async () => {
  const citizen = await person("citizen");
  const bad = await citizen.supabase.functions.invoke("upload-url", { body: {} });
  assertEquals((await errorIn(bad.error)).code, "invalid_request");

  const { fileId } = await serviceFile("gbv-evidence", "mbombela");
  const hidden = await citizen.supabase.functions.invoke("signed-url", { body: { file_id: fileId } });
  assertEquals((await errorIn(hidden.error)).code, "not_found");
});

Deno.test("a client that has not signed in is unauthorized, and so is one with the secret key: it is no user", async () => {
  for (const client of [anonymous, service]) {
    const { error } = await client.functions.invoke("upload-url", { body: uploadRequest() });
    const { status, code } = await errorIn(error);
    assertEquals([status, code], [401, "unauthorized"]);
  }
});

Deno.test("an answer arrives as data, also with a region named", async () => {
  const manager = await person("manager");
  for (const options of [{}, { region: "af-south-1" as never }]) {
    const { data, error } = await manager.supabase.functions.invoke("upload-url", {
      body: uploadRequest(),
      ...options,
    });
    assertEquals(error, null);
    assertEquals(data.bucket, "evidence");
  }
});

Deno.test("no network is a FunctionsFetchError, a relay's failure a FunctionsRelayError: neither is ours", async () => {
  const invoke = (fetch: typeof globalThis.fetch) =>
    createClient("http://127.0.0.1:9", PUBLISHABLE_KEY, {
      auth: { autoRefreshToken: false, persistSession: false },
      global: { fetch },
    }).functions.invoke("upload-url", { body: uploadRequest() });
  const offline = await invoke(() => Promise.reject(new TypeError("offline")));
  assert(offline.error instanceof FunctionsFetchError);
  const relay = await invoke(() =>
    Promise.resolve(new Response("{}", { status: 500, headers: { "x-relay-error": "true" } }))
  );
  assert(relay.error instanceof FunctionsRelayError);
});
