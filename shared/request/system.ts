/** Calls by the system itself: the schedule, with a key of its own or a secret key of the project. */
import { ServiceError } from "../platform/errors.ts";
import { secretKeys } from "../platform/project.ts";
import { required, type Variables } from "../platform/settings.ts";
import { bearerToken, sameText } from "./credentials.ts";

/** The keys that the system calls with. */
export function systemKeys(variables: Variables): string[] {
  return [required(variables, "MEDIA_WORKER_KEY"), ...secretKeys(variables)];
}

/** Accepts requests that carry one of the keys, as `apikey` or as Bearer. Throws `unauthorized`. */
export function requireKey(request: Request, keys: string[]): void {
  const offered = request.headers.get("apikey") ?? bearerToken(request) ?? "";
  // every key is compared, so that time tells nothing
  if (keys.filter((key) => sameText(key, offered)).length === 0) {
    throw new ServiceError("unauthorized", "MEDIA_WORKER_KEY or a secret key is needed.");
  }
}
