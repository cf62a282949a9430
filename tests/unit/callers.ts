/** Tokens for the tests, and who they are taken for. */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { environmentOf, failureOf, noFetch } from "./tools.ts";

export const PROJECT = "http://kong:8000";
export const PUBLIC = "https://evidence.example";
export const USER = "5f0b7f8e-0000-4000-8000-000000000001";
export const TENANT = "a1b0de1a-0000-4000-8000-000000000001";

export const ours = await generateKeyPair("ES256", { extractable: true });
export const theirs = await generateKeyPair("ES256", { extractable: true });
export const rsa = await generateKeyPair("RS256", { extractable: true });
export const JWKS = JSON.stringify({
  keys: [
    { ...await exportJWK(ours.publicKey), alg: "ES256", kid: "ours", use: "sig" },
    { ...await exportJWK(rsa.publicKey), alg: "RS256", kid: "rsa", use: "sig" },
  ],
});

export const VARIABLES: Record<string, string | undefined> = {
  SUPABASE_URL: PROJECT,
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_x"}',
  SUPABASE_JWKS: JWKS,
  PUBLIC_SUPABASE_URL: `${PUBLIC}/`,
};

export const now = () => Math.floor(Date.now() / 1000);
export const CLAIMS = {
  sub: USER,
  iss: `${PUBLIC}/auth/v1`,
  aud: "authenticated",
  role: "authenticated",
  app_metadata: { tenant_id: TENANT, role: "manager" },
};
export type Claims = Record<string, unknown>;

/** A token of the claims, an hour valid, by our key or another. */
export function token(
  claims: Claims = CLAIMS,
  key: CryptoKey | Uint8Array = ours.privateKey,
  header: Claims = {},
) {
  return new SignJWT({ iat: now(), exp: now() + 3600, ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "ours", typ: "JWT", ...header })
    .sign(key);
}

export function identify(authorization: string | undefined, variables = VARIABLES) {
  const headers: HeadersInit = authorization === undefined ? {} : { authorization };
  return makeIdentifyCaller(environmentOf(variables))(new Request("http://localhost/", { headers }));
}

export const bearer = (jwt: string, variables = VARIABLES) => identify(`Bearer ${jwt}`, variables);

/** Refused, without asking anybody, and the token is in no message. */
export async function refused(code: string, jwt: string): Promise<ServiceError> {
  let error: unknown;
  await noFetch(async () => void (error = await failureOf(() => bearer(jwt))));
  assertInstanceOf(error, ServiceError, `${(error as Error).stack}`);
  assertEquals(error.code, code);
  const told = JSON.stringify([error.message, error.details, error.log]);
  assert(jwt === "" || !told.includes(jwt), told);
  return error;
}
