/** The database asked itself, in transactions that are taken back. */
import type postgres from "postgres";
import { claimsOf, database } from "../support/functions.ts";
import type { Person } from "../support/stack.ts";

export type Tx = postgres.TransactionSql;
class Undo extends Error {}

/** Works in a transaction that is taken back. */
export async function takenBack(work: (tx: Tx) => Promise<void>): Promise<void> {
  await database((sql) =>
    sql.begin(async (tx) => {
      await work(tx);
      throw new Undo();
    }).catch((error) => {
      if (!(error instanceof Undo)) throw error;
    })
  );
}

/** The code with which Postgres refuses, or "done"; what was done is taken back at once. */
export async function outcome(tx: Tx, work: (tx: Tx) => PromiseLike<unknown>): Promise<string> {
  return await tx.savepoint(async (point) => {
    await work(point);
    throw new Undo();
  }).catch((error) => error instanceof Undo ? "done" : error.code as string) as string;
}

/** As this person, as PostgREST would set it. */
export async function become(tx: Tx, { token }: Person): Promise<void> {
  await tx`select set_config('request.jwt.claims', ${JSON.stringify(claimsOf(token))}, true)`;
  await tx`set local role authenticated`;
}
