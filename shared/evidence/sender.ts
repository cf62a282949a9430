import { encodeBase64Url } from "deno-std/encoding/base64url.js";

const encode = (text: string) => new TextEncoder().encode(text);

/** Keyed hash by which a sender's open ticket is found without keeping the number. */
export class SenderHash {
  private constructor(private readonly key: CryptoKey) {}

  /** `secret` is SENDER_HASH_KEY. */
  static async of(secret: string): Promise<SenderHash> {
    const hmac = { name: "HMAC", hash: "SHA-256" };
    return new SenderHash(await crypto.subtle.importKey("raw", encode(secret), hmac, false, ["sign"]));
  }

  async hash(identity: string): Promise<string> {
    return encodeBase64Url(await crypto.subtle.sign("HMAC", this.key, encode(identity)));
  }
}
