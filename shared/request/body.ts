/** Reading a request's body: bounded, and checked against its schema. */
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { type ErrorDetail, ServiceError } from "../platform/errors.ts";

z.config(en()); // the words of zod's messages

/** Bytes. 100 files by path are some 40 KB, a webhook some 10 KB. */
const MAX_BODY = 128 * 1024;

/**
 * The body as text. Never more than MAX_BODY is read; of a longer one the rest is cancelled (left unread it can hang a
 * worker). Throws `payload_too_large`, or `invalid_request` for what is no UTF-8.
 */
export async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY) {
    await request.body?.cancel();
    throw tooLarge();
  }
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let read = 0;
  try {
    // leaving the loop early cancels the stream
    for await (const chunk of request.body ?? []) {
      read += chunk.byteLength;
      if (read > MAX_BODY) throw tooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError("invalid_request", "The body could not be read as UTF-8.", { cause });
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
