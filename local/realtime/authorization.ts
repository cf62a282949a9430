/** Who may read from or write to a private topic: row-level security on realtime.messages decides, by a probe. */
import { decodeJwt, errors } from "jose";
import type postgres from "postgres";
import type { Claims, Keys } from "../types.ts";

/** A token that is not accepted: what a join and what an open channel are told. */
export class TokenError extends Error {
  constructor(readonly code: string, message: string, readonly toChannel = message) {
    super(message);
  }
}

export type VerifiedClaims = Claims & { exp: number };

export async function verifyToken(keys: Keys, token: string): Promise<VerifiedClaims> {
  try {
    const claims = await keys.verify(token);
    const { exp, role } = decodeJwt(token);
    if (exp === undefined || typeof role !== "string") {
      throw new TokenError("InvalidJWTToken", "Fields `role` and `exp` are required in JWT");
    }
    return { ...claims, exp };
  } catch (error) {
    if (error instanceof TokenError) throw error;
    if (error instanceof errors.JWTExpired) {
      const seconds = Math.floor(Date.now() / 1000) - Number(error.payload.exp);
      throw new TokenError("InvalidJWTToken", `Token has expired ${seconds} seconds ago`);
    }
    if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
      throw new TokenError("MalformedJWT", "The token provided is not a valid JWT");
    }
    throw new TokenError("JwtSignatureError", "Failed to validate JWT signature", ":signature_error");
  }
}

export interface Caller {
  claims: Claims;
  /** Without `realtime:`. */
  topic: string;
}

export type Extension = "broadcast" | "presence";

/** There is no partition of realtime.messages for today. */
export class MissingPartition extends Error {}

/** For each extension: does the caller see a row of this topic that was put there for the question? */
export async function readable<E extends Extension>(
  sql: postgres.Sql,
  caller: Caller,
  extensions: E[],
): Promise<Record<E, boolean>> {
  const probes = extensions.map((extension) => ({ extension, id: crypto.randomUUID(), topic: caller.topic }));
  const seen = await rolledBack(sql, async (tx) => {
    // As hosted does, with nothing but these columns: `private` is false, event and payload are null.
    await tx`insert into realtime.messages ${tx(probes, "id", "topic", "extension")}`;
    await become(tx, caller);
    return await tx<{ id: string }[]>`
      select id from realtime.messages where id in ${tx(probes.map(({ id }) => id))}`;
  });
  const ids = new Set(seen?.map(({ id }) => id));
  return Object.fromEntries(
    probes.map(({ extension, id }) => [extension, ids.has(id)]),
  ) as Record<E, boolean>;
}

/** Could the caller insert such a row? */
export async function writable(sql: postgres.Sql, caller: Caller): Promise<boolean> {
  const inserted = await rolledBack(sql, async (tx) => {
    await become(tx, caller);
    await tx`insert into realtime.messages (topic, extension) values (${caller.topic}, 'broadcast')`;
    return true;
  });
  return inserted ?? false;
}

async function become(tx: postgres.TransactionSql, { claims, topic }: Caller): Promise<void> {
  await tx`select set_config('role', ${claims.role}, true),
    set_config('realtime.topic', ${topic}, true),
    set_config('request.jwt.claims', ${JSON.stringify(claims)}, true),
    set_config('request.jwt.claim.sub', ${claims.sub ?? null}, true),
    set_config('request.jwt.claim.role', ${claims.role}, true),
    set_config('request.headers', '{}', true)`;
}

/** What `work` gave, its traces undone; undefined when the database refused it, a policy that raises included. */
async function rolledBack<T>(
  sql: postgres.Sql,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T | undefined> {
  const undo = new Error("rolled back");
  let result: T | undefined;
  try {
    await sql.begin(async (tx) => {
      result = await work(tx);
      throw undo;
    });
  } catch (error) {
    if (error === undo) return result;
    const { code, table_name: table } = error as { code?: string; table_name?: string };
    if (code === "23514" && table === "messages") throw new MissingPartition();
    // A connection's own errors (ECONNREFUSED, CONNECTION_CLOSED) have other codes than SQLSTATE's five characters.
    if (!/^[0-9A-Z]{5}$/.test(code ?? "")) throw error;
  }
  return undefined;
}
