// Methods, preflights and CORS of upload-url and signed-url.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Answer, assertRefused, call, storesNothing, uploadRequest } from "../support/functions.ts";
import { person } from "../support/stack.ts";

const NAMES = ["upload-url", "signed-url"] as const;

/** A body that the function would take, from somebody who may. */
const goodBody = (name: typeof NAMES[number], fileId: string = crypto.randomUUID()) =>
  name === "upload-url" ? uploadRequest() : { file_id: fileId };

Deno.test("anything but POST and OPTIONS is 405 with Allow", async () => {
  const { token } = await person("admin");
  await storesNothing(async () => {
    for (const name of NAMES) {
      for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
        const body = method === "GET" ? undefined : goodBody(name);
        const answer = await call(name, { method, token, body });
        assertRefused(answer, "method_not_allowed", `${name}, ${method}`);
        assertEquals(answer.headers.get("allow"), "POST, OPTIONS", `${name}, ${method}`);
      }
      const head = await call(name, { method: "HEAD", token });
      assertEquals([head.status, head.headers.get("allow")], [405, "POST, OPTIONS"], name);
    }
  });
});

const ALLOWED = (Deno.env.get("ALLOWED_ORIGINS") ?? "").split(",")[0]!;

function preflight(name: string, origin: string): Promise<Answer> {
  return call(name, {
    method: "OPTIONS",
    headers: {
      apikey: null,
      "content-type": null,
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,apikey,content-type,x-client-info,x-region",
    },
  });
}

Deno.test("a browser on an allowed origin may call, with every header that supabase-js sends", async () => {
  for (const name of NAMES) {
    const { status, headers, text } = await preflight(name, ALLOWED);
    assertEquals([status, text], [204, ""]);
    assertEquals(headers.get("access-control-allow-origin"), ALLOWED);
    assertMatch(headers.get("access-control-allow-methods") ?? "", /POST/);
    const allowed = headers.get("access-control-allow-headers")?.split(/,\s*/) ?? [];
    for (const header of ["authorization", "apikey", "content-type", "x-client-info", "x-region"]) {
      assert(allowed.includes(header), `${name} does not allow ${header}`);
    }
    assertMatch(headers.get("vary") ?? "", /origin/i);
    assertEquals(headers.get("access-control-allow-credentials"), null);
  }
});

Deno.test("a browser on another origin may not, whatever looks like an allowed one", async () => {
  for (const name of NAMES) {
    for (
      const origin of [
        "https://evil.example",
        `${ALLOWED}.evil.example`,
        ALLOWED.replace("http:", "https:"),
        ALLOWED.slice(0, -1),
        "null",
        "*",
      ]
    ) {
      const { headers } = await preflight(name, origin);
      assertEquals(headers.get("access-control-allow-origin"), null, `${name}, ${origin}`);
    }
  }
});

Deno.test("answers and refusals alike can be read by a page on an allowed origin, and by no other", async () => {
  const { token } = await person("admin");
  for (const name of NAMES) {
    for (const options of [{ token, body: goodBody(name) }, { token, body: {} }, { body: goodBody(name) }]) {
      const at = async (origin: string) =>
        (await call(name, { ...options, headers: { origin } })).headers.get("access-control-allow-origin");
      assertEquals(await at(ALLOWED), ALLOWED);
      assertEquals(await at("https://evil.example"), null);
    }
  }
});
