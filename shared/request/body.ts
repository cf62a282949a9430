/** Reading a request's body: bounded, and checked against its schema. */
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { type ErrorDetail, ServiceError } from "../platform/errors.ts";
import { inTime } from "../platform/in-time.ts";

z.config(en()); // the words of zod's messages

/** Bytes. 100 files by path are some 40 KB, a webhook some 10 KB. */
const MAX_BODY = 128 * 1024;
/** Milliseconds for a body to come: a slow one holds a worker that others wait for. */
const PATIENCE_MS = 10_000;

/**
 * The body as text. Never more than MAX_BODY is read; of a longer one the rest is cancelled (left unread it can hang a
 * worker). Throws `payload_too_large`, or `invalid_request` for what is no UTF-8 or does not come in ten seconds.
 */
export async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY) {
    await request.body?.cancel();
    throw tooLarge();
  }
  if (!request.body) return "";
  const reader = request.body.getReader();
  try {
    return await inTime(PATIENCE_MS, (signal) => {
      const late = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => late.reject(signal.reason));
      return Promise.race([readAll(reader), late.promise]);
    });
  } catch (cause) {
    await reader.cancel().catch(() => {});
    if (cause instanceof ServiceError) throw cause;
    const message = cause instanceof DOMException && cause.name === "TimeoutError"
      ? "The body did not come in time."
      : "The body could not be read as UTF-8.";
    throw new ServiceError("invalid_request", message, { cause });
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for (let read = 0;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    read += value.byteLength;
    if (read > MAX_BODY) throw tooLarge();
    text += decoder.decode(value, { stream: true });
  }
}

/** The body as JSON of the schema's type. Throws `invalid_request` with a detail per problem. */
export async function readJson<Schema extends z.ZodMiniType>(
  request: Request,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const text = await readText(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ServiceError("invalid_request", text ? "The body is not JSON." : "The body is empty.");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ServiceError("invalid_request", "The request is not valid.", {
    details: result.error.issues.flatMap(flatten),
  });
}

/** A union's issue says only that nothing fitted; what did not fit in each is in its parts. */
function flatten(issue: z.core.$ZodIssue): ErrorDetail[] {
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const closest = issue.errors.reduce((best, next) => next.length < best.length ? next : best);
    return closest.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [{ path: issue.path.map(String).join("."), message: issue.message }];
}

function tooLarge(): ServiceError {
  return new ServiceError("payload_too_large", `The body is larger than ${MAX_BODY} bytes.`);
}
