/** What surrounds every handler: method, CORS, request id, errors to answers, one line of log. */
import { failure, ServiceError } from "../platform/errors.ts";
import { describe, log } from "../platform/log.ts";
import type { ErrorResponse } from "../contracts.ts";

/** What a handler knows beside the request. */
export interface RequestContext {
  requestId: string;
  /** Adds a field to the request's line of log: a count or a size, never content. */
  note(field: string, value: string | number | boolean): void;
}

export interface PipelineOptions {
  /** The function's name, for the log. */
  name: string;
  /** Origins of the pages that may call it, `*` for any; without it no browser may. */
  origins?: () => string[];
}

/** Makes a `fetch` handler: POST runs `work`, OPTIONS answers a preflight, and whatever is thrown becomes an answer. */
export function pipeline(
  { name, origins }: PipelineOptions,
  work: (request: Request, context: RequestContext) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const started = performance.now();
    const requestId = crypto.randomUUID();
    const notes: Record<string, string | number | boolean> = {};
    const context: RequestContext = { requestId, note: (field, value) => notes[field] = value };
    let cors: Record<string, string> = {};
    let response: Response;
    let code = "ok";
    try {
      if (origins) cors = corsHeaders(request, origins());
      if (request.method === "OPTIONS") response = new Response(null, { status: 204 });
      else if (request.method === "POST") response = await work(request, context);
      else throw failure("method_not_allowed");
    } catch (thrown) {
      const error = thrown instanceof ServiceError ? thrown : failure("internal", { cause: thrown });
      code = error.code;
      if (error.log) notes.detail = error.log;
      if (error.cause || error.code === "internal") notes.cause = describe(error.cause ?? error);
      response = errorResponse(error, requestId);
    }
    // left unread it can hang a worker
    if (!request.bodyUsed) await request.body?.cancel().catch(() => {});
    for (const [header, value] of Object.entries(cors)) response.headers.set(header, value);
    response.headers.set("x-request-id", requestId);
    response.headers.set("cache-control", "no-store");
    const ms = Math.round(performance.now() - started);
    if (request.method !== "OPTIONS" || code !== "ok") {
      log({ ...notes, function: name, request_id: requestId, code, status: response.status, ms });
    }
    return response;
  };
}

function errorResponse({ code, status, message, details }: ServiceError, requestId: string): Response {
  const body: ErrorResponse = { error: { code, message, details }, request_id: requestId };
  const headers: HeadersInit = code === "method_not_allowed" ? { allow: "POST, OPTIONS" } : {};
  return Response.json(body, { status, headers });
}

/** Headers that supabase-js sends (`@supabase/supabase-js/cors`), and x-region, which that list leaves out. */
const ALLOWED_HEADERS =
  "authorization, x-client-info, apikey, content-type, x-region, x-retry-count, traceparent, tracestate, baggage";

/** For an allowed origin; to another, no header: its browser refuses. */
function corsHeaders(request: Request, allowed: string[]): Record<string, string> {
  const origin = request.headers.get("origin");
  const headers: Record<string, string> = { vary: "origin" };
  if (origin && (allowed.includes(origin) || allowed.includes("*"))) {
    headers["access-control-allow-origin"] = origin;
    headers["access-control-allow-methods"] = "POST, OPTIONS";
    headers["access-control-allow-headers"] = ALLOWED_HEADERS;
    headers["access-control-expose-headers"] = "x-request-id";
    headers["access-control-max-age"] = "86400";
  }
  return headers;
}
