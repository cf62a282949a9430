/**
 * X-Twilio-Signature: base64 of an HMAC over the URL and all parameters (twilio.com/docs/usage/security). With SHA-1 and the
 * auth token, unless a Webhooks Rule signs: then with its shared key and the hash that X-Twilio-Webhooks-Signature-Settings
 * names (twilio.com/docs/usage/webhooks/webhook-rules). What is signed is the same.
 */
import { decodeBase64 } from "deno-std/encoding/base64.js";

/**
 * What Twilio signs: the URL, then each parameter's name and value, names sorted by code unit; the values of a repeated
 * name once each, sorted. Nothing is trimmed or left out.
 */
export function signedText(url: string, params: URLSearchParams): string {
  const names = [...new Set(params.keys())].sort();
  return names.reduce(
    (text, name) => [...new Set(params.getAll(name))].sort().reduce((all, value) => all + name + value, text),
    url,
  );
}

/** What a webhook may be signed with. */
export interface SigningSecrets {
  /** The account's, and while they are rotated the one before. */
  authTokens: string[];
  /** Of a Webhooks Rule. */
  sharedKey?: string;
}

const HASHES: Record<string, string> = { HMAC_SHA1: "SHA-1", HMAC_SHA256: "SHA-256" };

/** Whether the request's headers carry a signature by one of the secrets. */
export async function isGenuine(
  headers: Headers,
  { authTokens, sharedKey }: SigningSecrets,
  url: string,
  params: URLSearchParams,
): Promise<boolean> {
  const settings = headers.get("x-twilio-webhooks-signature-settings");
  const named = settings === null ? "HMAC_SHA1" : /(?:^|,)\s*algorithm=(\w+)/.exec(settings)?.[1] ?? "";
  if (!Object.hasOwn(HASHES, named)) return false;
  const signature = headers.get("x-twilio-signature");
  const secrets = settings !== null && sharedKey ? [sharedKey, ...authTokens] : authTokens;
  for (const secret of secrets) {
    if (await isSignedByTwilio(secret, signature, url, params, HASHES[named])) return true;
  }
  return false;
}

/**
 * Whether the signature is the secret's for this URL, with or without its default port, and these parameters.
 * Compared in constant time (subtle.verify).
 */
export async function isSignedByTwilio(
  secret: string,
  signature: string | null,
  url: string,
  params: URLSearchParams,
  hash = "SHA-1",
): Promise<boolean> {
  let mac: Uint8Array<ArrayBuffer>;
  try {
    mac = new Uint8Array(decodeBase64(signature ?? ""));
  } catch {
    return false;
  }
  const hmac = { name: "HMAC", hash };
  const encode = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", encode(secret), hmac, false, ["verify"]);
  for (const variant of withAndWithoutPort(url)) {
    if (await crypto.subtle.verify("HMAC", key, mac, encode(signedText(variant, params)))) return true;
  }
  return false;
}

/** By text: the URL class would change what was signed (`'` to `%27`). */
function withAndWithoutPort(url: string): string[] {
  const parts = /^(https?):\/\/([^/?#]*?)(:\d+)?([/?#].*)?$/i.exec(url);
  if (!parts) return [url];
  const [, scheme, host, port, rest = ""] = parts;
  const standard = scheme!.toLowerCase() === "https" ? ":443" : ":80";
  if (!port) return [url, `${scheme}://${host}${standard}${rest}`];
  return port === standard ? [url, `${scheme}://${host}${rest}`] : [url];
}
