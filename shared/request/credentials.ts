/** What a request shows of who sends it. */
import { timingSafeEqual } from "deno-std/crypto/timing_safe_equal.js";

/** The token of its Authorization header, unverified. */
export function bearerToken(request: Request): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

/** Whether two texts are the same, in a time that depends on their length alone. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => new TextEncoder().encode(text));
  return left!.length === right!.length && timingSafeEqual(left!, right!);
}
