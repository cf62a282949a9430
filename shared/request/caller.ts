/** Who calls, from the access token: verified here, since `verify_jwt` lets publishable and secret keys pass too. */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { failure, ServiceError } from "../platform/errors.ts";
import { once } from "../platform/once.ts";
import { authHeaders, publishableProject } from "../platform/project.ts";
import { notConfigured, optional, required, type Variables } from "../platform/settings.ts";
import { AuthKeys } from "./auth-keys.ts";
import { bearerToken } from "./credentials.ts";

/** A signed-in user. Row-level security decides what they may do, from their own token. */
export interface Caller {
  token: string;
  userId: string;
}

/** Finds the caller of a request. Throws `unauthorized` (no or a bad token), `forbidden` (no municipality). */
export type IdentifyCaller = (request: Request) => Promise<Caller>;

/** Seconds that the clocks of Auth and this worker may differ. */
const CLOCK_TOLERANCE = 5;

/** Tokens remembered at most. */
const MAX_KNOWN = 1_000;

/**
 * Reads the keys once per worker, at the first request. A token whose signature was verified with them is remembered
 * until it expires: a dashboard calls with the same one for an hour.
 */
export function makeIdentifyCaller(variables: Variables): IdentifyCaller {
  const settings = once(() => {
    const project = publishableProject(variables);
    const jwks = optional(variables, "SUPABASE_JWKS");
    return {
      project,
      keys: jwks && new AuthKeys(project, jwks),
      issuers: [project.url, required(variables, "PUBLIC_SUPABASE_URL")].map((url) => `${url}/auth/v1`),
    };
  });
  const known = new Map<string, { caller: Caller; exp: number }>();

  return async (request) => {
    const { project, keys, issuers } = settings();
    const token = bearerToken(request);
    if (!token) throw unauthorized();
    const remembered = known.get(token);
    if (remembered && !isPast(remembered.exp)) return remembered.caller;

    let claims: JWTPayload;
    let local: boolean;
    try {
      const { alg } = decodeProtectedHeader(token);
      local = alg !== "HS256";
      claims = local
        ? await verify(token, keys)
        : await askAuthServer(project.url, authHeaders(project, token), token);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw unauthorized(error instanceof errors.JOSEError ? error.code : undefined);
    }
    const exp = typeof claims.exp === "number" ? claims.exp : 0;
    const audience = [claims.aud].flat().includes("authenticated");
    // a token with the role service_role or anon is a key, not a user
    if (
      isPast(exp) || !audience || claims.role !== "authenticated" || !issuers.includes(claims.iss ?? "") ||
      typeof claims.sub !== "string" || claims.sub === ""
    ) {
      throw unauthorized("claims");
    }
    const metadata = claims.app_metadata as { tenant_id?: unknown } | undefined;
    if (typeof metadata?.tenant_id !== "string") {
      throw new ServiceError("forbidden", "Your account belongs to no municipality.");
    }
    const caller = { token, userId: claims.sub };
    if (local) { // the Auth server also knows who has signed out: it is asked each time
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(token, { caller, exp });
    }
    return caller;
  };
}

function isPast(exp: number): boolean {
  return exp < Date.now() / 1000 - CLOCK_TOLERANCE;
}

async function verify(token: string, keys: AuthKeys | undefined): Promise<JWTPayload> {
  if (!keys) throw notConfigured("SUPABASE_JWKS");
  const options = { algorithms: ["ES256", "RS256", "EdDSA"], clockTolerance: CLOCK_TOLERANCE };
  return (await jwtVerify(token, keys.find, options)).payload;
}

/** A project with a legacy shared secret (HS256) does not give it to functions: its Auth server knows. */
async function askAuthServer(
  url: string,
  headers: Record<string, string>,
  token: string,
): Promise<JWTPayload> {
  const response = await fetch(`${url}/auth/v1/user`, { headers, signal: AbortSignal.timeout(5_000) })
    .catch((cause) => {
      throw failure("internal", { log: "auth server unreachable", cause });
    });
  await response.body?.cancel();
  if (response.ok) return decodeJwt(token);
  if (response.status >= 500) {
    throw failure("internal", { log: "auth server" });
  }
  throw unauthorized("auth server");
}

function unauthorized(log?: string): ServiceError {
  return failure("unauthorized", { log });
}
