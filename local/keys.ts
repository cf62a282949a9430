import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";
import type { Claims, Keys } from "./types.ts";

/** Also the keys of before 2025, which are tokens: `SUPABASE_ANON_KEY` and `SUPABASE_SERVICE_ROLE_KEY`. */
export interface AllKeys extends Keys {
  anonToken: string;
  serviceRoleToken: string;
}

/** Tokens whose signature is remembered. */
const MOST_VERIFIED = 1000;
const tenYears = 10 * 365 * 86400;

/** Makes the API keys and the ES256 signing key of one run. */
export async function makeKeys(issuer: string): Promise<AllKeys> {
  const kid = crypto.randomUUID();
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...await exportJWK(publicKey), kid, alg: "ES256", use: "sig", key_ops: ["verify"] };

  function sign(claims: Record<string, unknown>, seconds: number): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: issuer, iat: now, exp: now + seconds, ...claims })
      .setProtectedHeader({ alg: "ES256", kid, typ: "JWT" })
      .sign(privateKey);
  }

  // As PostgREST and Storage do: every service checks the same few tokens, and a signature costs more than the rest.
  const verified = new Map<string, Claims>();

  async function verify(token: string): Promise<Claims> {
    const known = verified.get(token);
    if (known && typeof known.exp === "number" && known.exp > Date.now() / 1000) return { ...known };
    const { payload } = await jwtVerify(token, publicKey, { algorithms: ["ES256"] });
    const claims = { ...payload, role: typeof payload.role === "string" ? payload.role : "anon" };
    if (verified.size >= MOST_VERIFIED) verified.clear();
    verified.set(token, claims);
    return { ...claims };
  }

  return {
    publishable: `sb_publishable_${random(22)}_${random(8)}`,
    secret: `sb_secret_${random(22)}_${random(8)}`,
    jwks: { keys: [jwk] },
    issuer,
    sign,
    verify,
    anonToken: await sign({ role: "anon" }, tenYears),
    serviceRoleToken: await sign({ role: "service_role" }, tenYears),
  };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Random letters and digits; the small bias of `%` does not matter here. */
export function random(length: number): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(length)),
    (byte) => alphabet[byte % alphabet.length],
  )
    .join("");
}
