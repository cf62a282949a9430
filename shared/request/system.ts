/** Calls by the system itself: the schedule, with a secret key of the project. */
import { timingSafeEqual } from "deno-std/crypto/timing_safe_equal.js";
import { type Environment, required, secretKeys } from "../platform/environment.ts";
import { ServiceError } from "../platform/errors.ts";

/**
 * Lets pass who sends one of the project's secret keys, as `apikey` or as Bearer. Throws `unauthorized`, or
 * `not_configured` where a secret that the work needs is missing.
 */
export function requireSecretKey(request: Request, environment: Environment): void {
  const known = secretKeys(environment);
  ["ENCRYPTION_KEY_CURRENT", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"].forEach((name) =>
    required(environment, name)
  );
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const offered = request.headers.get("apikey") ?? bearer ?? "";
  // every key is compared, so that time tells nothing
  if (known.filter((key) => sameText(key, offered)).length === 0) {
    throw new ServiceError("unauthorized", "A secret key is needed.");
  }
}

/** Whether two texts are the same, in a time that depends on their length alone. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => new TextEncoder().encode(text));
  return left!.length === right!.length && timingSafeEqual(left!, right!);
}
