// What the gateway does with API keys, preflights and bodies before a service sees a request.
import { assertEquals } from "../support/assert.ts";
import { startGateway } from "../../local/gateway.ts";
import { makeKeys } from "../../local/keys.ts";
import type { Handler } from "../../local/types.ts";

const echo: Handler = (request) =>
  Promise.resolve(
    new Response(request.body, {
      headers: {
        "seen-authorization": request.headers.get("authorization") ?? "",
        "seen-url": request.url.slice(new URL(request.url).origin.length),
      },
    }),
  );

Deno.test("the gateway", async (t) => {
  const gateway = startGateway(0);
  const keys = await makeKeys(`${gateway.url}/auth/v1`);
  gateway.useKeys(keys, () => true);
  for (const name of ["auth", "rest", "storage", "functions"] as const) gateway.mount(name, echo);
  const user = await keys.sign({ role: "authenticated", sub: "u" }, 60);

  /** Status and what the service saw. */
  async function call(path: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
    const response = await fetch(gateway.url + path, { ...init, headers });
    const text = await response.text();
    return {
      status: response.status,
      text,
      authorization: response.headers.get("seen-authorization"),
      url: response.headers.get("seen-url"),
    };
  }

  await t.step("asks for an API key before auth and rest", async () => {
    for (const path of ["/auth/v1/user", "/rest/v1/tickets"]) {
      const missing = await call(path, { authorization: `Bearer ${user}` });
      assertEquals([missing.status, JSON.parse(missing.text).message], [401, "No API key found in request"]);
      const wrong = await call(path, { apikey: "sb_secret_wrong" });
      assertEquals([wrong.status, JSON.parse(wrong.text).message], [401, "Invalid API key"]);
    }
    assertEquals((await call("/auth/v1/.well-known/jwks.json")).status, 200);
    assertEquals((await call("/storage/v1/object/sign/b/x?token=t")).status, 200);
  });

  await t.step("turns an API key into a token, unless there is one", async () => {
    const roleOf = async (headers: Record<string, string>) => {
      const { authorization } = await call("/storage/v1/bucket", headers);
      return authorization === `Bearer ${user}` ? "user" : (await keys.verify(authorization!.slice(7))).role;
    };
    const { publishable, secret } = keys;
    assertEquals(await roleOf({ apikey: secret }), "service_role");
    assertEquals(await roleOf({ apikey: publishable }), "anon");
    assertEquals(await roleOf({ apikey: secret, authorization: `Bearer ${secret}` }), "service_role");
    assertEquals(await roleOf({ apikey: publishable, authorization: `Bearer ${user}` }), "user");
    assertEquals(await roleOf({ apikey: keys.serviceRoleToken }), "service_role");
    // As on hosted, a secret key in Authorization alone is no key.
    assertEquals((await call("/rest/v1/x", { authorization: `Bearer ${secret}` })).status, 401);
  });

  await t.step("takes the API key from the query, and out of it", async () => {
    const seen = await call(`/rest/v1/tickets?apikey=${keys.publishable}&select=id`);
    assertEquals([seen.status, seen.url], [200, "/rest/v1/tickets?select=id"]);
  });

  await t.step("leaves a function's Authorization alone", async () => {
    assertEquals((await call("/functions/v1/x", { apikey: keys.secret })).authorization, "");
  });

  await t.step("answers preflights, except a function's", async () => {
    const headers = { origin: "http://example.test", "access-control-request-headers": "apikey,x-upsert" };
    const answered = await fetch(`${gateway.url}/rest/v1/x`, { method: "OPTIONS", headers });
    assertEquals([answered.status, answered.headers.get("access-control-allow-headers")], [
      204,
      "apikey,x-upsert",
    ]);
    const passed = await fetch(`${gateway.url}/functions/v1/x`, { method: "OPTIONS", headers });
    assertEquals(passed.headers.get("seen-url"), "/functions/v1/x");
    await passed.body?.cancel();
  });

  await t.step("streams a body on before it is complete", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode("part"));
    const headers = { apikey: keys.publishable };
    const response = await fetch(`${gateway.url}/storage/v1/x`, { method: "POST", body: readable, headers });
    const reader = response.body!.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "part");
    await writer.close();
    assertEquals((await reader.read()).done, true);
  });

  await t.step("says what is not there", async () => {
    assertEquals((await call("/realtime/v1/x", { apikey: keys.publishable })).status, 503);
    assertEquals((await call("/elsewhere")).status, 404);
  });

  await gateway.stop();
});

Deno.test("a token that was verified before is refused once it has expired", async () => {
  const keys = await makeKeys("http://127.0.0.1/auth/v1");
  const token = await keys.sign({ role: "authenticated", sub: "u" }, 2);
  assertEquals((await keys.verify(token)).sub, "u");
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assertEquals(await keys.verify(token).then(() => "taken", () => "refused"), "refused");
});
