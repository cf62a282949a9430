/** `Prefer: wait=SECONDS` (RFC 7240): how long a caller would rather wait than be answered 202. */
import { delay } from "deno-std/async/delay.js";

/** Seconds; the platform ends a request without an answer after 150. */
const LONGEST = 140;

/** The work's result, or undefined if the caller did not ask to wait for it, or if it takes longer than they said. */
export async function resultIfAwaited<T>(request: Request, work: Promise<T>): Promise<T | undefined> {
  const seconds = Number(/(?:^|[,;\s])wait=(\d{1,6})\b/i.exec(request.headers.get("prefer") ?? "")?.[1] ?? 0);
  if (seconds === 0) return undefined;
  const enough = new AbortController();
  const limit = delay(Math.min(seconds, LONGEST) * 1000, { signal: enough.signal }).catch(() => {});
  try {
    return await Promise.race([work, limit.then(() => undefined)]);
  } finally {
    enough.abort();
  }
}
