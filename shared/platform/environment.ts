import { ServiceError } from "./errors.ts";

/** Where variables come from: `Deno.env`, or a Map in a test. */
export interface Environment {
  get(name: string): string | undefined;
}

/** The variable's value. Throws `not_configured`, with the name in the log only, where it is missing or empty. */
export function required(environment: Environment, name: string): string {
  const value = environment.get(name);
  if (!value) throw notConfigured(name);
  return value;
}

/** The error for a variable that is missing or of no use. Its caller learns no more than the code. */
export function notConfigured(name: string, cause?: unknown): ServiceError {
  return new ServiceError("not_configured", "This function is not configured.", { log: name, cause });
}

/** Supabase's URL and one of its keys. */
export interface Project {
  url: string;
  key: string;
}

/** The project with the key that only says which project a user's token is for. */
export function publishableProject(environment: Environment): Project {
  return project(environment, "SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY");
}

/** The project with the key that row-level security does not hold back. */
export function secretProject(environment: Environment): Project {
  return project(environment, "SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY");
}

/** Every secret key of the project, of the new form and the legacy one. */
export function secretKeys(environment: Environment): string[] {
  const legacy = environment.get("SUPABASE_SERVICE_ROLE_KEY");
  const keys = [
    ...Object.values(readKeys(environment, "SUPABASE_SECRET_KEYS") ?? {}),
    ...legacy ? [legacy] : [],
  ];
  if (keys.length === 0) throw storageNotConfigured("SUPABASE_SECRET_KEYS");
  return keys;
}

function project(environment: Environment, name: string, legacyName: string): Project {
  const url = environment.get("SUPABASE_URL");
  const keys = readKeys(environment, name);
  const key = keys ? keys.default : environment.get(legacyName);
  if (!url) throw storageNotConfigured("SUPABASE_URL");
  if (typeof key !== "string" || !key) throw storageNotConfigured(name);
  return { url: url.replace(/\/+$/, ""), key };
}

/** New-form keys are a JSON object, `{"default": "sb_…"}`; undefined where only the legacy form is there. */
function readKeys(environment: Environment, name: string): Record<string, string> | undefined {
  const keys = environment.get(name);
  try {
    return keys ? JSON.parse(keys) ?? {} : undefined;
  } catch (cause) {
    throw storageNotConfigured(name, cause);
  }
}

function storageNotConfigured(name: string, cause?: unknown): ServiceError {
  return new ServiceError("storage_not_configured", "Storage is not configured.", { log: name, cause });
}

/**
 * Headers that authenticate at Supabase's gateway: as a user (`token`), or as the key itself. A new-form key travels
 * only as `apikey`; a legacy one is a token.
 */
export function authHeaders(project: Project, token?: string): Record<string, string> {
  const bearer = token ?? (project.key.startsWith("sb_") ? undefined : project.key);
  return bearer ? { apikey: project.key, Authorization: `Bearer ${bearer}` } : { apikey: project.key };
}
