/** The sealer of reports: Fernet with the keys of the environment. */
import { type Environment, notConfigured, required } from "../platform/environment.ts";
import { Fernet } from "../platform/fernet.ts";

/** Throws `not_configured` for a key that is missing or none. */
export async function fernetFrom(environment: Environment): Promise<Fernet> {
  const current = required(environment, "ENCRYPTION_KEY_CURRENT");
  const previous = environment.get("ENCRYPTION_KEY_PREVIOUS");
  try {
    return await Fernet.fromKeys(current, ...previous ? [previous] : []);
  } catch (cause) {
    throw notConfigured("ENCRYPTION_KEY_CURRENT or _PREVIOUS", cause);
  }
}
