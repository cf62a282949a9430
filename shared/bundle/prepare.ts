/** What must happen before a bundle is read: its record, a signed checkpoint that covers it, the certificates. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Certificate } from "../evidence/proof.ts";
import { hash } from "./bag.ts";

/** A client of whatever generated types: the caller's, or one with the secret key. */
// deno-lint-ignore no-explicit-any
export type Database = Pick<SupabaseClient<any, any, any, any, any>, "from" | "rpc">;

/** The worker signs within its next round, a minute; then authorities stamp. */
const SIGNING_MS = 90_000;
const STAMPING_MS = 30_000;
const FIRST_MS = 5_000;
const POLL_MS = 1_000;

export interface Request {
  ticketId: string;
  /** Who asked for the bundle: the log gets a commitment to it. */
  requestedBy: string;
  /** Undefined: all of the ticket's. */
  fileIds?: string[] | undefined;
  /** messages.json, if it has one. */
  messages?: string | undefined;
  signal?: AbortSignal | undefined;
  /** It is recorded, and may have to wait for its checkpoint. */
  recorded?(): void | Promise<void>;
}

export interface Prepared {
  bundleId: string;
  /** One for each file, all with the same checkpoint. */
  certificates: Certificate[];
}

/** An answer of the database that is no result; `code` is a code of the contracts. */
export class BundleRefused extends Error {
  constructor(readonly code: string, options?: { cause?: unknown }) {
    super(code, options);
  }
}

/** Throws BundleRefused: `not_found`, `forbidden`, `invalid_request`; `unreachable` for whatever else. */
export async function prepareBundle(database: Database, request: Request): Promise<Prepared> {
  const { ticketId, requestedBy, fileIds, messages, signal } = request;
  const { bundle_id, municipality_id, files, log_size } = await ask<Recorded>(
    database.rpc("record_custody_bundle", {
      ticket_id: ticketId,
      requested_by: requestedBy,
      ...(fileIds && { file_ids: fileIds }),
      ...(messages && { messages_sha256: await hash(messages) }),
    }),
  );
  signal?.throwIfAborted();
  await request.recorded?.();
  await covered(database, municipality_id, log_size, signal);
  const certificates = await ask<Certificate[]>(
    database.rpc("custody_bundle", { bundle_id, ticket_id: ticketId }),
  );
  signal?.throwIfAborted();
  // one was moved to another ticket, or deleted, meanwhile
  if (certificates.length !== files) throw new BundleRefused("not_found");
  return { bundleId: bundle_id, certificates };
}

interface Recorded {
  bundle_id: string;
  municipality_id: string;
  files: number;
  log_size: number;
}

/** Waits for a checkpoint of that size and for its stamps, but not for ever: a bundle says what it lacks. */
async function covered(database: Database, municipality: string, size: number, signal?: AbortSignal) {
  const keys = await ask<unknown[]>(database.from("custody_keys").select("key_id").is("valid_until", null));
  // where nobody has signed yet, perhaps nobody does
  const checkpoint = await poll(keys.length > 0 ? SIGNING_MS : FIRST_MS, signal, async () => {
    const [found] = await ask<{ size: number }[]>(
      database.from("custody_checkpoints").select("size").eq("tenant_id", municipality).gte("size", size)
        .order("size").limit(1),
    );
    return found;
  });
  if (!checkpoint) return;
  await poll(STAMPING_MS, signal, async () => {
    const waiting = await ask<unknown[]>(
      database.from("custody_timestamps").select("authority").eq("tenant_id", municipality)
        .eq("size", checkpoint.size).is("token", null).limit(1),
    );
    return waiting.length === 0;
  });
}

/** The first answer that is one, or undefined when the time is up. */
async function poll<T>(milliseconds: number, signal: AbortSignal | undefined, look: () => Promise<T>) {
  const end = Date.now() + milliseconds;
  for (;;) {
    signal?.throwIfAborted();
    const found = await look();
    if (found) return found;
    if (Date.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function ask<T>(query: PromiseLike<{ data: unknown; error: { message: string } | null }>): Promise<T> {
  const { data, error } = await query;
  if (!error) return data as T;
  const known = ["not_found", "forbidden", "invalid_request"].includes(error.message);
  throw new BundleRefused(known ? error.message : "unreachable", { cause: error });
}
