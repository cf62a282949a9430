/** X-Twilio-Signature: base64 of HMAC-SHA1 over the URL and all parameters (twilio.com/docs/usage/security). */
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

/**
 * Whether the signature is the auth token's for this URL, with or without its default port, and these parameters.
 * Compared in constant time (subtle.verify).
 */
export async function isSignedByTwilio(
  authToken: string,
  signature: string | null,
  url: string,
  params: URLSearchParams,
): Promise<boolean> {
  let mac: Uint8Array<ArrayBuffer>;
  try {
    mac = new Uint8Array(decodeBase64(signature ?? ""));
  } catch {
    return false;
  }
  const hmac = { name: "HMAC", hash: "SHA-1" };
  const encode = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", encode(authToken), hmac, false, ["verify"]);
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
