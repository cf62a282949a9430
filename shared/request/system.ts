/** Calls by the system itself: the schedule, with a secret key of the project. */
import { type Environment, required, secretKeys } from "../platform/environment.ts";
import { ServiceError } from "../platform/errors.ts";
import { bearerToken, sameText } from "./credentials.ts";

/**
 * Lets pass who sends one of the project's secret keys, as `apikey` or as Bearer. Throws `unauthorized`, or
 * `not_configured` where a secret that the work needs is missing.
 */
export function requireSecretKey(request: Request, environment: Environment): void {
  const known = secretKeys(environment);
  ["ENCRYPTION_KEY_CURRENT", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"].forEach((name) =>
    required(environment, name)
  );
  const offered = request.headers.get("apikey") ?? bearerToken(request) ?? "";
  // every key is compared, so that time tells nothing
  if (known.filter((key) => sameText(key, offered)).length === 0) {
    throw new ServiceError("unauthorized", "A secret key is needed.");
  }
}
