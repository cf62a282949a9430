/** The custody log's part of a round: what was recorded is sealed, and a slice of the audit done. */
import * as z from "zod/mini";
import type { DatabaseClient } from "../platform/database.ts";

/** Records sealed in one transaction. */
const BATCH = 5000;
/** Slices of the audit in one round. */
const SLICES = 5;

const Slice = z.nullable(z.object({ fault: z.nullable(z.string()) }));

/** Works until `deadline` (of performance.now()). Each call is a transaction of its own: a round may die anywhere. */
export async function runCustody(
  { database }: { database: DatabaseClient },
  deadline: number,
): Promise<void> {
  await seal(database, deadline);
  await audit(database, deadline);
}

async function seal(database: DatabaseClient, deadline: number): Promise<void> {
  while (performance.now() < deadline && await database.call("seal_custody", { batch: BATCH }) > 0);
}

/** What it finds stands in custody_audits. */
async function audit(database: DatabaseClient, deadline: number): Promise<void> {
  for (let slice = 0; slice < SLICES && performance.now() < deadline; slice++) {
    if (!await database.call("audit_custody", {}, Slice)) break;
  }
}
