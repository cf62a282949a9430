/**
 * Fernet tokens (github.com/fernet/spec) over Web Crypto, as Python's `cryptography.fernet` reads and writes them:
 * version 0x80 | seconds (8 bytes) | IV (16) | AES-128-CBC ciphertext | HMAC-SHA256 of all before (32), base64url.
 */
import { encodeHex } from "deno-std/encoding/hex.js";
import { decodeBase64Url, encodeBase64Url } from "deno-std/encoding/base64url.js";

const VERSION = 0x80;
const HEADER = 1 + 8 + 16;
const MAC = 32;
/** Seconds a token may come from the future, as in the specification. */
const CLOCK_SKEW = 60;

/** A token that is malformed, forged, expired or of another key: which of them is not told. */
export class InvalidFernetToken extends Error {
  override name = "InvalidFernetToken";
}

/** A key that is not base64url of 32 bytes. */
export class InvalidFernetKey extends Error {
  override name = "InvalidFernetKey";
}

interface Key {
  id: string;
  signing: CryptoKey;
  encryption: CryptoKey;
}

/** Encrypts with the current key, decrypts with the current or, after a rotation, a previous one. */
export class Fernet {
  private constructor(private readonly keys: [Key, ...Key[]]) {}

  /** Keys are base64url of 32 bytes, as `Fernet.generate_key()` makes them. Throws InvalidFernetKey. */
  static async fromKeys(current: string, ...previous: string[]): Promise<Fernet> {
    return new Fernet([await importKey(current), ...await Promise.all(previous.map(importKey))]);
  }

  /** Short ids of the keys, the current one's first. An id tells keys apart, and nothing of its key. */
  get keyIds(): string[] {
    return this.keys.map(({ id }) => id);
  }

  /** A token of the text. `seconds` (Unix time) and `iv` are for test vectors. */
  async encrypt(
    text: string,
    { seconds = Math.floor(Date.now() / 1000), iv = crypto.getRandomValues(new Uint8Array(16)) } = {},
  ): Promise<string> {
    const [{ signing, encryption }] = this.keys;
    const ciphertext = new Uint8Array(
      await crypto.subtle.encrypt({ name: "AES-CBC", iv }, encryption, new TextEncoder().encode(text)),
    );
    const token = new Uint8Array(HEADER + ciphertext.length + MAC);
    const view = new DataView(token.buffer);
    view.setUint8(0, VERSION);
    view.setBigUint64(1, BigInt(seconds));
    token.set(iv, 9);
    token.set(ciphertext, HEADER);
    const signed = token.subarray(0, -MAC);
    token.set(new Uint8Array(await crypto.subtle.sign("HMAC", signing, signed)), signed.length);
    return padded(encodeBase64Url(token));
  }

  /** The text of a token of any of our keys, not older than `ttl` seconds if given. Throws InvalidFernetToken. */
  async decrypt(
    token: string,
    { ttl, seconds = Math.floor(Date.now() / 1000) }: { ttl?: number; seconds?: number } = {},
  ): Promise<string> {
    const bytes = decodeToken(token);
    const issued = issuedAt(bytes);
    if (ttl !== undefined && (issued + ttl < seconds || issued > seconds + CLOCK_SKEW)) {
      throw new InvalidFernetToken("expired");
    }
    const signed = bytes.subarray(0, -MAC);
    for (const { signing, encryption } of this.keys) {
      // subtle.verify compares in constant time
      if (!await crypto.subtle.verify("HMAC", signing, bytes.subarray(-MAC), signed)) continue;
      try {
        const iv = bytes.subarray(9, HEADER);
        const text = await crypto.subtle.decrypt(
          { name: "AES-CBC", iv },
          encryption,
          signed.subarray(HEADER),
        );
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
      } catch (cause) {
        throw new InvalidFernetToken("undecryptable", { cause });
      }
    }
    throw new InvalidFernetToken("no key of ours");
  }

  /**
   * The token's text sealed anew with the current key, at the token's own time, as `MultiFernet.rotate` does. It was opened
   * and compared. Throws InvalidFernetToken.
   */
  async rotate(token: string): Promise<string> {
    const text = await this.decrypt(token);
    const bytes = decodeToken(token);
    const fresh = await this.encrypt(text, { seconds: issuedAt(bytes) });
    if (await this.decrypt(fresh) !== text) throw new Error("the new token has another text");
    return fresh;
  }
}

async function importKey(encoded: string): Promise<Key> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(decodeBase64Url(encoded));
  } catch (cause) {
    throw new InvalidFernetKey("not base64url", { cause });
  }
  if (bytes.length !== 32) throw new InvalidFernetKey("not 32 bytes");
  const named = new Uint8Array([
    ...new TextEncoder().encode("citizen-evidence: id of a Fernet key\n"),
    ...bytes,
  ]);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  return {
    id: encodeHex(await crypto.subtle.digest("SHA-256", named)).slice(0, 8),
    signing: await crypto.subtle.importKey("raw", bytes.subarray(0, 16), hmac, false, ["sign", "verify"]),
    encryption: await crypto.subtle.importKey("raw", bytes.subarray(16), "AES-CBC", false, [
      "encrypt",
      "decrypt",
    ]),
  };
}

function decodeToken(token: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(decodeBase64Url(token));
  } catch (cause) {
    throw new InvalidFernetToken("not base64url", { cause });
  }
  // at least one block of ciphertext, and whole ones
  const ciphertext = bytes.length - HEADER - MAC;
  if (bytes[0] !== VERSION || ciphertext < 16 || ciphertext % 16 !== 0) {
    throw new InvalidFernetToken("malformed");
  }
  return bytes;
}

/** Unix time. */
function issuedAt(token: Uint8Array): number {
  return Number(new DataView(token.buffer, token.byteOffset).getBigUint64(1));
}

/** Python's reader wants the padding that base64url leaves out. */
function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
