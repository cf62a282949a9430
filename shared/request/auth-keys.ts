/** The keys that Auth signs tokens with: those of the environment, until a token names one that is not among them. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { failure } from "../platform/errors.ts";
import { inTime } from "../platform/in-time.ts";
import type { Project } from "../platform/project.ts";
import { Jwks } from "../platform/settings.ts";

/** Milliseconds from one question to the next: a forged token must not send each request to Auth. */
const PAUSE_MS = 30_000;
const TIMEOUT_MS = 5_000;

/** After a rotation the environment has the old keys for a while; Auth's own list is asked then, and remembered. */
export class AuthKeys {
  private known: JWTVerifyGetKey;
  private asked?: { at: number; answer: Promise<void> };

  constructor(private readonly project: Project, jwks: JSONWebKeySet) {
    this.known = createLocalJWKSet(jwks);
  }

  /** The key that a token's header names, for `jwtVerify`. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    try {
      return await this.known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !header?.kid) throw error;
      await this.refresh();
      return await this.known(header, token);
    }
  };

  /** Asks Auth, once in a while; what it answered, or how it failed, holds until then. */
  private refresh(): Promise<void> {
    if (!this.asked || Date.now() - this.asked.at > PAUSE_MS) {
      this.asked = { at: Date.now(), answer: this.ask() };
    }
    return this.asked.answer;
  }

  private async ask(): Promise<void> {
    const failed = (cause?: unknown) => failure("internal", { log: "auth keys", cause });
    const answer = await inTime(TIMEOUT_MS, async (signal) => {
      const url = `${this.project.url}/auth/v1/.well-known/jwks.json`;
      const response = await fetch(url, { headers: { apikey: this.project.key }, signal });
      if (response.ok) return await response.json();
      await response.body?.cancel();
    }).catch((cause) => {
      throw failed(cause);
    });
    const keys = Jwks.safeParse(answer);
    if (!keys.success) throw failed();
    // a project that signs with a shared secret publishes none
    if (keys.data.keys.length > 0) this.known = createLocalJWKSet(keys.data);
  }
}
