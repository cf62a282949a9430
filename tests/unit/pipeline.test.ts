import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { CODES, type ErrorCode } from "../../shared/failures.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { required } from "../../shared/platform/settings.ts";
import { pipeline, type RequestContext } from "../../shared/request/pipeline.ts";
import { environmentOf, logOf } from "./tools.ts";

const DASHBOARD = "https://dashboard.example";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

type Work = (request: Request, context: RequestContext) => Promise<Response>;
const fine: Work = () => Promise.resolve(Response.json({ fine: true }));
const failing = (error: unknown): Work => () => Promise.reject(error);

interface Options {
  origins?: string | undefined;
  browsers?: boolean;
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
}

/** One request through the pipeline; with its lines of log. */
async function run(work: Work, options: Options = {}) {
  const { browsers = true, method = "POST", headers, body } = options;
  const origins = "origins" in options ? options.origins : DASHBOARD;
  const variables = environmentOf({ ALLOWED_ORIGINS: origins });
  const handler = pipeline({
    name: "a-function",
    ...browsers ? { origins: () => required(variables, "ALLOWED_ORIGINS") } : {},
  }, work);
  let response = new Response();
  const { lines, text } = await logOf(async () => {
    response = await handler(new Request("http://localhost/f?secret=1", { method, headers, body }));
  });
  const answer = await response.text();
  return { response, answer, json: answer ? JSON.parse(answer) : undefined, lines, text };
}

const cors = (response: Response) => response.headers.get("access-control-allow-origin");

Deno.test("pipeline: a POST is worked on; the answer has an id, is not cached, and one line is logged", async () => {
  const { response, json, lines } = await run((_, { note }) => {
    note("files", 3);
    return Promise.resolve(Response.json({ fine: true }));
  });
  assertEquals([response.status, json], [200, { fine: true }]);
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(lines.length, 1);
  const { ms, request_id, ...line } = lines[0]!;
  assertEquals(line, { function: "a-function", code: "ok", status: 200, files: 3 });
  assert(typeof ms === "number");
  assertMatch(`${request_id}`, UUID);
  assertEquals(response.headers.get("x-request-id"), request_id as string);
});

for (const code of Object.keys(CODES) as ErrorCode[]) {
  Deno.test(`pipeline: ${code} is answered with ${CODES[code].status} in the one shape of errors`, async () => {
    const details = [{ path: "files.3", message: "why" }];
    const error = new ServiceError(code, "Words.", { details, log: "A_VARIABLE" });
    const { response, json, lines, answer } = await run(failing(error));
    assertEquals(response.status, CODES[code].status);
    const request_id = response.headers.get("x-request-id");
    assertEquals(json, { error: { code, message: "Words.", details }, request_id });
    assertEquals([lines.length, lines[0]!.code, lines[0]!.detail], [1, code, "A_VARIABLE"]);
    assert(!answer.includes("A_VARIABLE"), "what is for the log stays there");
  });
}

Deno.test("pipeline: an error without details has none", async () => {
  const { json } = await run(failing(new ServiceError("not_found", "Not found.")));
  assertEquals(Object.keys(json.error), ["code", "message"]);
});

Deno.test("pipeline: an accident is internal: neither caller nor log gets its message", async () => {
  const accidents = [new TypeError("password=hunter2"), "hunter2", { hunter2: 1 }, undefined];
  const wrapped = new ServiceError("internal", "Something went wrong.", { cause: new Error("hunter2") });
  for (const thrown of [...accidents, wrapped]) {
    const { response, json, answer, text, lines } = await run(failing(thrown));
    assertEquals([response.status, json.error.code], [500, "internal"]);
    assertEquals(lines.length, 1);
    assert(!answer.includes("hunter2") && !text.includes("hunter2"), answer + text);
  }
});

Deno.test("pipeline: the log tells an accident's class and place", async () => {
  const { lines } = await run(() => Promise.resolve(JSON.parse("{")));
  assertMatch(`${lines[0]!.cause}`, /^SyntaxError at /);
});

Deno.test("pipeline: a work that throws before its promise is answered too", async () => {
  const { json } = await run(() => {
    throw new ServiceError("forbidden", "No.");
  });
  assertEquals(json.error.code, "forbidden");
});

for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE"]) {
  Deno.test(`pipeline: ${method} is 405, says what is allowed, and is not worked on`, async () => {
    let worked = false;
    const { response, json } = await run((request, context) => {
      worked = true;
      return fine(request, context);
    }, { method });
    assertEquals([response.status, response.headers.get("allow"), worked], [405, "POST, OPTIONS", false]);
    assertEquals(json.error.code, "method_not_allowed");
  });
}

Deno.test("pipeline: a preflight of a known origin is allowed what supabase-js sends, without work or log", async () => {
  const { response, answer, lines } = await run(failing(new Error("worked")), {
    method: "OPTIONS",
    headers: { origin: DASHBOARD, "access-control-request-method": "POST" },
  });
  assertEquals([response.status, answer, lines], [204, "", []]);
  assertEquals(cors(response), DASHBOARD);
  assertEquals(response.headers.get("access-control-allow-methods"), "POST, OPTIONS");
  const allowed = response.headers.get("access-control-allow-headers")!.split(", ");
  for (const header of ["authorization", "apikey", "content-type", "x-client-info", "x-region"]) {
    assert(allowed.includes(header), header);
  }
});

Deno.test("pipeline: what supabase-js lists for CORS is allowed, x-region too, and nothing else", async () => {
  const { corsHeaders } = await import("@supabase/supabase-js/cors");
  const { response } = await run(fine, { method: "OPTIONS", headers: { origin: DASHBOARD } });
  const headers = (list: string) => list.toLowerCase().split(/,\s*/).sort();
  assertEquals(
    headers(response.headers.get("access-control-allow-headers")!),
    headers(`${corsHeaders["Access-Control-Allow-Headers"]}, x-region`),
  );
});

Deno.test("pipeline: a known origin may read the answer, errors as well; never with credentials", async () => {
  for (const work of [fine, failing(new ServiceError("not_found", "Not found."))]) {
    const { response } = await run(work, { headers: { origin: DASHBOARD } });
    assertEquals(cors(response), DASHBOARD);
    assertEquals(response.headers.get("access-control-expose-headers"), "x-request-id");
    assertEquals(response.headers.get("access-control-allow-credentials"), null);
    assertEquals(response.headers.get("vary"), "origin");
  }
});

Deno.test("pipeline: an unknown origin gets no CORS header, and caches keep origins apart", async () => {
  const strangers = [
    "https://evil.example",
    "https://dashboard.example.evil.example",
    "https://dashboard.example:444",
    "http://dashboard.example",
    "https://DASHBOARD.example",
    "null",
    "",
  ];
  for (const origin of strangers) {
    for (const method of ["OPTIONS", "POST"]) {
      const { response } = await run(fine, { method, headers: { origin } });
      assertEquals(cors(response), null, origin);
      assertEquals(response.headers.get("access-control-allow-headers"), null);
      assertEquals(response.headers.get("vary"), "origin");
    }
  }
});

Deno.test("pipeline: several origins may be listed, and * is any", async () => {
  const origins = ` ${DASHBOARD} , https://second.example`;
  for (const origin of [DASHBOARD, "https://second.example"]) {
    assertEquals(cors((await run(fine, { origins, headers: { origin } })).response), origin);
  }
  assertEquals(
    cors((await run(fine, { origins: "*", headers: { origin: "https://x.example" } })).response),
    "https://x.example",
  );
  assertEquals(cors((await run(fine, { origins: "*" })).response), null);
});

Deno.test("pipeline: without ALLOWED_ORIGINS a browser's function refuses; the log tells why, the answer does not", async () => {
  for (const origins of [undefined, ""]) {
    for (const method of ["OPTIONS", "POST"]) {
      const { response, json, lines, answer } = await run(fine, {
        origins,
        method,
        headers: { origin: DASHBOARD },
      });
      assertEquals([response.status, json.error.code], [503, "not_configured"]);
      assertEquals([lines.length, lines[0]!.detail], [1, "ALLOWED_ORIGINS"]);
      assert(!answer.includes("ALLOWED_ORIGINS"));
      assertEquals(cors(response), null);
    }
  }
});

Deno.test("pipeline: a function for machines has no CORS and needs no ALLOWED_ORIGINS", async () => {
  const { response } = await run(fine, {
    browsers: false,
    origins: undefined,
    headers: { origin: DASHBOARD },
  });
  assertEquals([response.status, cors(response)], [200, null]);
});

Deno.test("pipeline: the log has no body, header or URL of the request, however it ends", async () => {
  const options = {
    body: "secret body",
    headers: {
      authorization: "Bearer secret-token",
      origin: DASHBOARD,
      apikey: "secret-key",
      "x-secret": "secret",
    },
  };
  const ends = [fine, failing(new ServiceError("not_found", "secret")), failing(new Error("secret"))];
  for (const work of ends) {
    const { text } = await run(work, options);
    assert(!text.includes("secret") && !text.includes("dashboard.example"), text);
  }
});

Deno.test("pipeline: a note cannot stand in for what the line itself says", async () => {
  const { lines } = await run((_, { note, requestId }) => {
    for (const field of ["code", "function", "request_id", "status"]) note(field, "forged");
    return Promise.resolve(Response.json(requestId));
  });
  assert(!JSON.stringify(lines).includes("forged"));
});

Deno.test("pipeline: a request's id is new each time, whatever the caller sends", async () => {
  const headers = { "x-request-id": "mine" };
  const [one, two] = [await run(fine, { headers }), await run(fine, { headers })];
  const ids = [one, two].map(({ response }) => response.headers.get("x-request-id")!);
  ids.forEach((id) => assertMatch(id, UUID));
  assert(ids[0] !== ids[1]);
});

Deno.test("pipeline: a body that nobody read is cancelled (left unread it can hang a worker)", async () => {
  for (
    const [method, work] of [["POST", failing(new ServiceError("unauthorized", "No."))], [
      "PUT",
      fine,
    ]] as const
  ) {
    let cancelled = false;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    await run(work, { method, body });
    assert(cancelled, method);
  }
});
