import { jwtVerify, SignJWT } from "jose";
import { invalidJwt, invalidSignature, StorageError } from "./errors.ts";

export interface UploadClaims {
  url: string;
  owner?: string;
  upsert?: boolean;
  exp: number;
}

/** Signs and checks the tokens in signed URLs, with a secret that only this run of the stand-in knows. */
export class Signer {
  /** As a key once and for all: to import the bytes takes longer than to sign. */
  private readonly secret = crypto.subtle.importKey(
    "raw",
    crypto.getRandomValues(new Uint8Array(32)),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  );

  download(url: string, seconds: number): Promise<string> {
    return this.sign({ url, scope: "download" }, seconds);
  }

  upload(url: string, owner: string | undefined, upsert: boolean, seconds: number): Promise<string> {
    return this.sign({ owner, url, upsert, scope: "upload" }, seconds);
  }

  /** The claims of a token that is for this very path and scope. */
  async verify(token: string, url: string, scope: "download" | "upload"): Promise<UploadClaims> {
    const { payload } = await jwtVerify(token, await this.secret).catch((failure) => {
      throw invalidJwt(failure.message);
    });
    if (payload.scope !== scope) throw invalidSignature(`Token is not scoped for ${scope}`);
    if (payload.url !== url) throw invalidSignature();
    if (!payload.exp) throw new StorageError(400, "ExpiredToken", "The provided token has expired.");
    return payload as unknown as UploadClaims;
  }

  private async sign(claims: Record<string, unknown>, seconds: number): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .sign(await this.secret);
  }
}
