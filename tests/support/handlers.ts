/** The functions' handlers run in this process, with an environment of a test's own. */
import { SignJWT } from "jose";
import type { Variables } from "../../shared/platform/settings.ts";
import { PUBLISHABLE_KEY, SECRET_KEY } from "./stack.ts";

const NAMES = [
  "SUPABASE_URL",
  "SUPABASE_JWKS",
  "PUBLIC_SUPABASE_URL",
  "ALLOWED_ORIGINS",
  "TWILIO_ACCOUNT_SID",
  "TWILIO_AUTH_TOKEN",
  "TWILIO_WEBHOOK_URL",
  "ENCRYPTION_KEY_CURRENT",
  "SENDER_HASH_KEY",
  "MEDIA_WORKER_KEY",
];

/** What the stack's functions have, with changes; undefined leaves a variable out. */
export function functionEnvironment(changes: Record<string, string | undefined> = {}): Variables {
  const all = new Map<string, string>([
    ...NAMES.map((name): [string, string] => [name, Deno.env.get(name) ?? ""]),
    ["SUPABASE_PUBLISHABLE_KEYS", JSON.stringify({ default: PUBLISHABLE_KEY })],
    ["SUPABASE_SECRET_KEYS", JSON.stringify({ default: SECRET_KEY })],
  ]);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) all.delete(name);
    else all.set(name, value);
  }
  return all;
}

/** Runs the work and returns all that it wrote to the console. */
export async function captureConsole(work: () => Promise<unknown>): Promise<string> {
  const { info, log, warn, error } = console;
  const lines: string[] = [];
  const take = (...parts: unknown[]) => void lines.push(parts.map(String).join(" "));
  Object.assign(console, { info: take, log: take, warn: take, error: take });
  try {
    await work();
  } finally {
    Object.assign(console, { info, log, warn, error });
  }
  return lines.join("\n");
}

/** A key to sign access tokens with, as an Auth server has one. */
export interface Signer {
  jwk: Record<string, unknown>;
  sign(claims: Record<string, unknown>): Promise<string>;
}

export async function makeSigner(kid: string = crypto.randomUUID()): Promise<Signer> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  return {
    jwk: { ...await crypto.subtle.exportKey("jwk", publicKey), kid, alg: "ES256", use: "sig" },
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid, typ: "JWT" }).sign(privateKey),
  };
}
