/** Calling the functions as any client might, and what their refusals must look like. */
import { assert, assertEquals, assertMatch, assertNotMatch } from "./assert.ts";
import { connect, PUBLISHABLE_KEY, SECRET_KEY, URL_BASE } from "./stack.ts";
import type postgres from "postgres";

/** The codes and their statuses, as the contract lists them. */
const STATUS_OF = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  invalid_signature: 403,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  storage_unavailable: 502,
  not_configured: 503,
  storage_not_configured: 503,
} as const;
export type Code = keyof typeof STATUS_OF;

/** An answer, read to its end. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The text as JSON, or undefined. */
  // deno-lint-ignore no-explicit-any
  body: any;
}

export interface Call {
  method?: string;
  /** Sent as Bearer. */
  token?: string;
  /** An object is sent as JSON, a string, bytes or a stream as they are. */
  body?: unknown;
  /** Further or other headers; null leaves one out. */
  headers?: Record<string, string | null>;
}

/** Calls a function through the gateway. */
export async function call(name: string, options: Call = {}): Promise<Answer> {
  return await read(await fetch(requestOf(`${URL_BASE}/functions/v1/${name}`, options)));
}

/** Calls a handler in this process. */
export async function callHandler(
  handler: (request: Request) => Promise<Response>,
  options: Call = {},
): Promise<Answer> {
  return await read(await handler(requestOf("http://edge.invalid/function", options)));
}

function requestOf(url: string, { method = "POST", token, body, headers: given = {} }: Call): Request {
  const headers = new Headers({ apikey: PUBLISHABLE_KEY, "content-type": "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  for (const [name, value] of Object.entries(given)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array ||
    body instanceof ReadableStream;
  return new Request(url, { method, headers, body: (raw ? body : JSON.stringify(body)) as BodyInit });
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    // TwiML, or nothing
  }
  return { status: response.status, headers: response.headers, text, body };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The one shape of an error, with the code's status, and nothing of our insides in it. */
export function assertRefused(answer: Answer, code: Code, what = ""): void {
  const { body } = answer;
  assertEquals(body?.error?.code, code, `${what}: ${answer.status} ${answer.text}`);
  assertEquals(answer.status, STATUS_OF[code], what);
  assertEquals(Object.keys(body).sort(), ["error", "request_id"], what);
  const { message, details, ...rest } = body.error;
  assertEquals(Object.keys(rest), ["code"], what);
  assert(typeof message === "string" && message.length > 0, what);
  if (details !== undefined) {
    assert(Array.isArray(details) && details.length > 0, what);
    for (const detail of details) {
      assertEquals(Object.keys(detail).sort(), ["message", "path"], what);
      assert(typeof detail.path === "string" && typeof detail.message === "string", what);
    }
  }
  assertMatch(body.request_id, UUID, what);
  assertEquals(answer.headers.get("x-request-id"), body.request_id, what);
  assertEquals(answer.headers.get("cache-control"), "no-store", what);
  assertNotMatch(answer.text, /PGRST|postgres|SUPABASE_|TWILIO_|file:\/\/|eyJ|sb_secret/, what);
  assert(!answer.text.includes(SECRET_KEY), what);
}

/** What a client can compare two refusals by. */
export function visible({ status, headers, body }: Answer): unknown {
  const seen = [...headers].filter(([name]) => !["date", "x-request-id"].includes(name));
  return { status, headers: seen, body: { ...body, request_id: "" } };
}

/** A request for an upload that everybody may make. */
export function uploadRequest(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    purpose: "evidence",
    filename: "photo.jpg",
    content_type: "image/jpeg",
    file_size: 2000,
    ...fields,
  };
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(atob(token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")));
}

/** When a signed URL ends, by its own token, in milliseconds. */
export function endOf(signedUrl: string): number {
  return Number(claimsOf(new URL(signedUrl).searchParams.get("token")!).exp) * 1000;
}

/** Lends a connection. */
export async function database<T>(use: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = connect();
  try {
    return await use(sql);
  } finally {
    await sql.end();
  }
}

/** Runs the work and asserts that it added or removed nothing in our tables and in Storage. */
export async function storesNothing(work: () => Promise<unknown>): Promise<void> {
  await database(async (sql) => {
    const count = async () =>
      (await sql`select
      (select count(*) from public.tickets)::integer as tickets,
      (select count(*) from public.media_attachments)::integer as files,
      (select count(*) from public.inbound_messages)::integer as messages,
      (select count(*) from public.custody_records where event = 'url_signed')::integer as accesses,
      (select count(*) from storage.objects)::integer as objects`)[0];
    const before = await count();
    await work();
    assertEquals(await count(), before);
  });
}

/** Tries until it is so; fails after so many milliseconds. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  patience = 15_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (!await isSo()) {
    assert(Date.now() < deadline, `in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}
