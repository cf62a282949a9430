/** SHA-256 and hex by what browsers and Deno both have. */

/** Bytes as hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256, hex. Web Crypto digests only what it has as a whole, and only on https or localhost. */
export async function sha256Hex(data: BufferSource): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}
