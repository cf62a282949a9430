/** The running stack under test (`npm run local -- …`, or any project with the seed), and who is who in it. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

function variable(name: string): string {
  const value = Deno.env.get(name);
  if (!value) {
    throw new Error(`${name} is not set: run the tests by \`npm test\`, or \`npm run local -- COMMAND\``);
  }
  return value;
}

export const URL_BASE = variable("SUPABASE_URL");
export const PUBLISHABLE_KEY = variable("SUPABASE_PUBLISHABLE_KEY");
export const SECRET_KEY = variable("SUPABASE_SECRET_KEY");
export const PASSWORD = variable("DEMO_PASSWORD");

export const ROLES = [
  "citizen",
  "field_worker",
  "ward_councillor",
  "manager",
  "admin",
  "saps_liaison",
] as const;
export type Role = typeof ROLES[number];

/** The municipalities of supabase/seed.sql. */
export const MUNICIPALITIES = {
  mbombela: {
    id: "a1b0de1a-0000-4000-8000-000000000001",
    number: "+27130000001",
    gbvNumber: "+27130000002",
  },
  polokwane: {
    id: "b0107a1e-0000-4000-8000-000000000002",
    number: "+27150000001",
    gbvNumber: "+27150000002",
  },
} as const;
export type Slug = keyof typeof MUNICIPALITIES;
export const SLUGS = Object.keys(MUNICIPALITIES) as Slug[];

const quiet = { auth: { autoRefreshToken: false, persistSession: false } };

/** A person of a municipality, signed in as a dashboard signs in. */
export interface Person {
  role: Role;
  slug: Slug;
  tenant: string;
  userId: string;
  token: string;
  supabase: SupabaseClient;
}

const signedIn = new Map<string, Promise<Person>>();

/** Signs in once per test process. */
export function person(role: Role, slug: Slug = "mbombela"): Promise<Person> {
  const email = `${role}@${slug}.test`;
  let known = signedIn.get(email);
  if (!known) {
    known = (async () => {
      const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, quiet);
      const { data, error } = await supabase.auth.signInWithPassword({ email, password: PASSWORD });
      if (error) throw error;
      const { session, user } = data;
      return {
        role,
        slug,
        tenant: MUNICIPALITIES[slug].id,
        userId: user.id,
        token: session.access_token,
        supabase,
      };
    })();
    signedIn.set(email, known);
  }
  return known;
}

/** Everybody of both municipalities. */
export function everybody(): Promise<Person[]> {
  return Promise.all(SLUGS.flatMap((slug) => ROLES.map((role) => person(role, slug))));
}

/** A client with the secret key: row-level security does not hold it back. */
export const service = createClient(URL_BASE, SECRET_KEY, quiet);

/** A client of somebody who has not signed in. */
export const anonymous = createClient(URL_BASE, PUBLISHABLE_KEY, quiet);

/** The database as the migrations' role. Only where the stack's address of it is known. */
export function connect(): postgres.Sql {
  return postgres(variable("SUPABASE_DB_URL"), { max: 4, onnotice: () => {} });
}

/** What a supabase-js call gave, or its error thrown. */
export async function ok<T>(call: PromiseLike<{ data: T; error: unknown }>): Promise<NonNullable<T>> {
  const { data, error } = await call;
  if (error) throw error;
  return data as NonNullable<T>;
}

/** A ticket made by the service, deleted by nobody. */
export async function makeTicket(slug: Slug, fields: Record<string, unknown> = {}): Promise<{ id: string }> {
  const row = { tenant_id: MUNICIPALITIES[slug].id, category: "water", description: "Burst pipe", ...fields };
  return await ok(service.from("tickets").insert(row).select("id").single());
}

/** A small file of the type: its first bytes, and after them random ones, so that no two are the same. */
export function sample(
  type: "image/jpeg" | "image/png" | "application/pdf" = "image/jpeg",
  size = 2000,
): Blob {
  const heads = {
    "image/jpeg": [0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1],
    "image/png": [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52],
    "application/pdf": [...new TextEncoder().encode("%PDF-1.7\n")],
  };
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65536)));
  }
  bytes.set(heads[type]);
  return new Blob([bytes], { type });
}

/** Hex SHA-256. */
export async function sha256(data: Blob | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
