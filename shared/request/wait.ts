/** `Prefer: wait=SECONDS` (RFC 7240): how long a caller would rather wait than be answered 202. */
import { delay } from "deno-std/async/delay.js";

/** Seconds; the platform ends a request without an answer after 150. */
const LONGEST = 140;

/** The work's result, or undefined if it takes longer than the caller wants to wait: not at all, unless they say so. */
export async function inPatience<T>(request: Request, work: Promise<T>): Promise<T | undefined> {
  const seconds = Number(/(?:^|[,;\s])wait=(\d{1,6})\b/i.exec(request.headers.get("prefer") ?? "")?.[1] ?? 0);
  if (seconds === 0) return undefined;
  const enough = new AbortController();
  const patience = delay(Math.min(seconds, LONGEST) * 1000, { signal: enough.signal }).catch(() => {});
  try {
    return await Promise.race([work, patience.then(() => undefined)]);
  } finally {
    enough.abort();
  }
}
