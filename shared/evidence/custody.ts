/** The custody log's part of a round: seals records, signs checkpoints, has them stamped, audits a slice. */
import * as z from "zod/mini";
import type { DatabaseClient } from "../platform/database.ts";
import { type CheckpointSigner, SIGNER } from "./checkpoint.ts";

/** Records sealed in one transaction. */
const BATCH = 5000;
/** Checkpoints, and time stamps, in one round. */
const CHECKPOINTS = 50;
/** Slices of the audit in one round. */
const SLICES = 5;

/** How checkpoints are made. */
export interface CustodySettings {
  /** Without one, there are no checkpoints. */
  signer?: CheckpointSigner;
  /** RFC 3161 authorities. */
  timestampUrls: string[];
  /** After so many days a stored file is read back again. */
  readBackDays: number;
}

const Head = z.nullable(z.object({ municipality_id: z.string(), size: z.number(), root: z.string() }));
const Due = z.nullable(z.object({
  municipality_id: z.string(),
  size: z.number(),
  authority: z.string(),
  note: z.string(),
}));
const Slice = z.nullable(z.object({ fault: z.nullable(z.string()) }));

/** Works until `deadline` (of performance.now()). Each call is a transaction of its own: a round may die anywhere. */
export async function runCustody(
  { database, custody }: { database: DatabaseClient; custody: CustodySettings },
  deadline: number,
): Promise<void> {
  await seal(database, deadline);
  await checkpoints(database, custody, deadline);
  await timestamps(database, deadline);
  await audit(database, deadline);
}

async function seal(database: DatabaseClient, deadline: number): Promise<void> {
  while (performance.now() < deadline && await database.call("seal_custody", { batch: BATCH }) > 0);
}

async function checkpoints(
  database: DatabaseClient,
  { signer, timestampUrls }: CustodySettings,
  deadline: number,
): Promise<void> {
  if (!signer) return;
  for (let n = 0; n < CHECKPOINTS && performance.now() < deadline; n++) {
    const head = await database.call("due_custody_checkpoint", {}, Head);
    if (!head) break;
    await database.call("add_custody_checkpoint", {
      ...head,
      note: await signer.sign(head),
      key_id: signer.keyId,
      key_name: SIGNER,
      public_key: signer.publicKey,
      authorities: timestampUrls,
    });
  }
}

/** An authority that fails is asked again later; it holds nothing up but the rest of this round's stamps. */
async function timestamps(database: DatabaseClient, deadline: number): Promise<void> {
  for (let n = 0; n < CHECKPOINTS && performance.now() < deadline; n++) {
    const due = await database.call("claim_custody_timestamp", {}, Due);
    if (!due) break;
    const { municipality_id, size, authority, note } = due;
    const { stamp, StampError } = await import("./timestamp.ts");
    const result = await stamp(authority, note).catch((error) => {
      if (error instanceof StampError) return { reason: error.message };
      throw error;
    });
    const about = { municipality_id, size, authority };
    if ("reason" in result) {
      await database.call("complete_custody_timestamp", { ...about, reason: result.reason });
      break;
    }
    await database.call("complete_custody_timestamp", {
      ...about,
      token: result.token,
      stamped_at: result.stampedAt,
    });
  }
}

/** What it finds is kept in custody_audits. */
async function audit(database: DatabaseClient, deadline: number): Promise<void> {
  for (let slice = 0; slice < SLICES && performance.now() < deadline; slice++) {
    if (!await database.call("audit_custody", {}, Slice)) break;
  }
}
