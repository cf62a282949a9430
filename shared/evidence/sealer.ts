import { Fernet } from "../platform/fernet.ts";
import { notConfigured, optional, required, type Variables } from "../platform/settings.ts";

/** The sealer of messages, with the keys of the settings. */
export async function sealerOf(variables: Variables): Promise<Fernet> {
  const current = required(variables, "ENCRYPTION_KEY_CURRENT");
  const previous = optional(variables, "ENCRYPTION_KEY_PREVIOUS");
  return await Fernet.fromKeys(current, ...previous ? [previous] : []).catch((cause) => {
    throw notConfigured("ENCRYPTION_KEY_CURRENT or _PREVIOUS", cause);
  });
}
