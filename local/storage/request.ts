import { Buffer } from "node:buffer";
import type postgres from "postgres";
import type { Claims, Context } from "../types.ts";
import { asCaller, become } from "../database.ts";
import { accessDenied, invalidBucketName, invalidKey, invalidRequest, StorageError } from "./errors.ts";
import type { Files } from "./files.ts";
import type { Signer } from "./tokens.ts";

/** What every route works with. */
export interface Service {
  context: Context;
  sql: postgres.Sql;
  files: Files;
  signer: Signer;
}

export type Tx = postgres.TransactionSql;

/** No object may be larger, whatever its bucket says (the CLI's and the free plan's default). */
export const GLOBAL_SIZE_LIMIT = 50 * 1024 * 1024;

/** A request's body, read once and in one place, so that what nobody read can be read away. */
export class Body {
  private readonly reader?: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array> | null) {
    this.reader = stream?.getReader();
  }

  /** Leaving the loop early leaves the rest to the next reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.reader) {
      const { done, value } = await this.reader.read().catch(() => {
        throw new StorageError(500, "InternalError", "Request stream closed before upload could complete");
      });
      if (done) return;
      yield value;
    }
  }

  async text(): Promise<string> {
    return Buffer.concat(await Array.fromAsync(this)).toString();
  }

  /** A client that is still sending would not see why it was refused; wait for it, but not for long. */
  async drain(): Promise<void> {
    const timer = setTimeout(() => this.reader?.cancel().catch(() => {}), 2000);
    try {
      for await (const _ of this);
    } catch {
      // It has gone.
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One request: its parameters decoded once, its caller, and the operation policies may ask for. */
export class Call {
  /** Who asks; `anon` until authenticated. */
  claims: Claims = { role: "anon" };
  authenticated = false;

  constructor(
    readonly service: Service,
    readonly request: Request,
    readonly body: Body,
    readonly url: URL,
    /** Path after `/storage/v1`, as sent. */
    readonly rawPath: string,
    readonly operation: string,
    readonly bucket: string,
    readonly key: string,
  ) {}

  get owner(): string | undefined {
    return this.claims.sub;
  }

  get files(): Files {
    return this.service.files;
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined;
  }

  query(name: string): string {
    const value = this.url.searchParams.get(name);
    if (value === null) throw invalidRequest(`querystring must have required property '${name}'`);
    return value;
  }

  get upsert(): boolean {
    return this.header("x-upsert") === "true";
  }

  /** Verifies the token. `optional` routes serve public buckets, and take a missing or bad token for none. */
  async authenticate(optional: boolean): Promise<void> {
    const authorization = this.header("authorization");
    if (authorization === undefined) {
      if (optional) return;
      throw invalidRequest("headers must have required property 'authorization'");
    }
    try {
      const claims = await this.service.context.keys.verify(authorization.replace(/^Bearer\s+/i, ""));
      this.claims = { ...claims, role: claims.role ?? "anon" };
      this.authenticated = true;
    } catch (failure) {
      if (!optional) throw accessDenied((failure as Error).message);
    }
  }

  /** A transaction as the caller: policies decide. */
  asCaller<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.transaction(this.claims, work);
  }

  /**
   * A transaction as the service role: `auth.uid()` is null, policies do not apply. It commits in the caller's scope, which the
   * server sets again after each query: a deferred trigger sees the caller.
   */
  asService<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.transaction({ role: "service_role" }, async (tx) => {
      const result = await work(tx);
      if (this.authenticated) await become(tx, this.claims);
      return result;
    });
  }

  /** Everything `work` does happens, triggers included, and is then rolled back. */
  async probe(work: (tx: Tx) => Promise<unknown>): Promise<void> {
    const rollback = new Error("rolled back");
    await this.asCaller(async (tx) => {
      await work(tx);
      throw rollback;
    }).catch((failure) => {
      if (failure !== rollback) throw failure;
    });
  }

  async json(required: string[] = []): Promise<Record<string, unknown>> {
    const text = await this.body.text();
    let body: unknown;
    try {
      body = text === "" ? undefined : JSON.parse(text);
    } catch {
      throw invalidRequest("Body is not valid JSON but content-type is set to 'application/json'");
    }
    if (body === undefined || body === null || typeof body !== "object") {
      if (required.length === 0) return {};
      throw invalidRequest("body must be object");
    }
    for (const name of required) {
      if (!(name in body)) throw invalidRequest(`body must have required property '${name}'`);
    }
    return body as Record<string, unknown>;
  }

  private transaction<T>(claims: Claims, work: (tx: Tx) => Promise<T>): Promise<T> {
    const settings = {
      "request.method": this.request.method,
      "request.path": this.rawPath,
      "storage.operation": this.operation,
      "storage.allow_delete_query": "true",
    };
    return asCaller(this.service.sql, claims, settings, work);
  }
}

export function mustBeValidKey(key: string): void {
  if (!/^[\w/!\-.*'() &$@=;:+,?]+$/.test(key)) throw invalidKey(key);
}

export function mustBeValidBucketName(name: string): void {
  if (!/^[\w!\-.*'() &$@=;:+,?]{1,63}$/.test(name)) throw invalidBucketName();
}
