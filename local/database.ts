import type postgres from "postgres";
import type { Claims } from "./types.ts";

/**
 * Runs `work` in one transaction as a caller, the way PostgREST and Storage do: the role and the claims are set for
 * that transaction only, and row-level security decides. `settings` are further `set_config` pairs (storage.operation).
 */
export function asCaller<T>(
  sql: postgres.Sql,
  claims: Claims,
  settings: Record<string, string>,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  return sql.begin(async (tx) => {
    await become(tx, claims, settings);
    return await work(tx);
  }) as Promise<T>;
}

/** From here to the end of its transaction `tx` runs as `claims` say. */
export async function become(
  tx: postgres.TransactionSql,
  claims: Claims,
  settings: Record<string, string> = {},
): Promise<void> {
  const all = {
    role: claims.role,
    "request.jwt.claims": JSON.stringify(claims),
    "request.jwt.claim.sub": claims.sub ?? "",
    "request.jwt.claim.role": claims.role,
    ...settings,
  };
  await tx`select set_config(key, value, true) from json_each_text(${JSON.stringify(all)}::text::json)`;
}
