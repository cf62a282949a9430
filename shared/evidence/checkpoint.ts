/** Checkpoints of custody logs: signed notes by C2SP (signed-note, tlog-checkpoint), with Ed25519. See docs/custody.md. */
import { concat } from "deno-std/bytes/concat.js";
import { decodeBase64, encodeBase64 } from "deno-std/encoding/base64.js";
import { decodeBase64Url } from "deno-std/encoding/base64url.js";
import { decodeHex, encodeHex } from "deno-std/encoding/hex.js";

/** The signer's name in a note; a log's origin is this and its municipality. */
export const SIGNER = "citizen-evidence/custody";

/** The head of a municipality's log. */
export interface Head {
  municipality_id: string;
  size: number;
  /** Hex. */
  root: string;
}

/** An Ed25519 private key in PKCS #8 is this and its 32-byte seed (RFC 8410). */
const PKCS8 = decodeHex("302e020100300506032b657004220420");
const ED25519 = 1;
const encoder = new TextEncoder();

/** A new CUSTODY_SIGNING_KEY: 32 random bytes, base64. */
export function newSigningKey(): string {
  return encodeBase64(crypto.getRandomValues(new Uint8Array(32)));
}

/** Signs checkpoints with one key. */
export class CheckpointSigner {
  private constructor(
    private readonly key: CryptoKey,
    /** Base64 of the 32 bytes. */
    readonly publicKey: string,
    /** Hex of the 4 bytes that name the key in a note. */
    readonly keyId: string,
  ) {}

  /** `seed` is CUSTODY_SIGNING_KEY. */
  static async of(seed: string): Promise<CheckpointSigner> {
    const key = await crypto.subtle.importKey(
      "pkcs8",
      concat([PKCS8, decodeBase64(seed)]),
      "Ed25519",
      true,
      ["sign"],
    );
    const { x } = await crypto.subtle.exportKey("jwk", key);
    const publicKey = decodeBase64Url(x!);
    return new CheckpointSigner(key, encodeBase64(publicKey), await keyIdOf(publicKey));
  }

  /** The head as a signed note. */
  async sign(head: Head): Promise<string> {
    const text = checkpointText(head);
    const signature = await crypto.subtle.sign("Ed25519", this.key, encoder.encode(text));
    const line = encodeBase64(concat([decodeHex(this.keyId), new Uint8Array(signature)]));
    return `${text}\n— ${SIGNER} ${line}\n`;
  }
}

/** What is signed. */
export function checkpointText({ municipality_id, size, root }: Head): string {
  return `${SIGNER}/${municipality_id}\n${size}\n${encodeBase64(decodeHex(root))}\n`;
}

/** The first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key), hex. */
export async function keyIdOf(publicKey: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest(
    "SHA-256",
    concat([encoder.encode(`${SIGNER}\n`), Uint8Array.of(ED25519), publicKey]),
  );
  return encodeHex(new Uint8Array(hash, 0, 4));
}
