/** Supabase's URL and one of its keys, in the new form of keys and the legacy one. */
import { notConfigured, optional, required, type Variables } from "./settings.ts";

/** Supabase's URL and one of its keys. */
export interface Project {
  url: string;
  key: string;
}

/** The project with the key that only says which project a user's token is for. */
export function publishableProject(variables: Variables): Project {
  return project(variables, "SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY");
}

/** The project with the key that bypasses row-level security. */
export function secretProject(variables: Variables): Project {
  return project(variables, "SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY");
}

/** Every secret key of the project, of the new form and the legacy one. */
export function secretKeys(variables: Variables): string[] {
  const legacy = optional(variables, "SUPABASE_SERVICE_ROLE_KEY");
  const keys = [
    ...Object.values(optional(variables, "SUPABASE_SECRET_KEYS") ?? {}),
    ...legacy ? [legacy] : [],
  ];
  if (keys.length === 0) throw notConfigured("SUPABASE_SECRET_KEYS");
  return keys;
}

function project(
  variables: Variables,
  name: "SUPABASE_PUBLISHABLE_KEYS" | "SUPABASE_SECRET_KEYS",
  legacyName: "SUPABASE_ANON_KEY" | "SUPABASE_SERVICE_ROLE_KEY",
): Project {
  const url = required(variables, "SUPABASE_URL");
  const key = optional(variables, name)?.default ?? optional(variables, legacyName);
  if (!key) throw notConfigured(name);
  return { url, key };
}

/**
 * Headers that authenticate at Supabase's gateway: as a user (`token`), or as the key itself. A new-form key travels
 * only as `apikey`; a legacy one is a token.
 */
export function authHeaders(project: Project, token?: string): Record<string, string> {
  const bearer = token ?? (project.key.startsWith("sb_") ? undefined : project.key);
  return bearer ? { apikey: project.key, Authorization: `Bearer ${bearer}` } : { apikey: project.key };
}
