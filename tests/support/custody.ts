/** Tampering with a custody log, and what is found of it. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { workToTheEnd } from "./flood.ts";
import type { OwnStack } from "./own-stack.ts";

export interface Finding {
  tenant: string;
  seq: number;
  problem: string;
}

/** What `custody_certificate` answers. */
export interface Certificate {
  file: Record<string, unknown>;
  municipality: { id: string };
  tracking_number: string;
  // deno-lint-ignore no-explicit-any
  records: any[];
  log: { size: number; root: string; intact: boolean };
  issued_at: string;
  issued_by: { user_id: string; role: string };
}

/** What tests of the custody log do on a stack of their own. */
export function custodyTools(own: OwnStack) {
  const { superuser, files } = own;
  const MBOMBELA = own.stack.MUNICIPALITIES.mbombela.id;

  async function findings(sql: postgres.Sql | postgres.TransactionSql = superuser): Promise<Finding[]> {
    const rows = await sql`select * from private.first_tampered(null) order by seq`;
    return rows.map((row) => ({ tenant: row.municipality_id, seq: Number(row.seq), problem: row.problem }));
  }

  /** Does it as a superuser whom no trigger and no foreign key stops, asks what is found, undoes it. */
  async function tampered(how: (tx: postgres.TransactionSql) => Promise<unknown>): Promise<Finding[]> {
    let found: Finding[] = [];
    const undo = new Error("undo");
    await superuser.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await how(tx);
      found = await findings(tx);
      throw undo;
    }).catch((error) => {
      if (error !== undo) throw error;
    });
    return found;
  }

  /** Seals what is not, and counts. */
  async function lastSeq(tenant: string): Promise<number> {
    while ((await superuser`select private.seal_custody(${tenant}) as n`)[0]!.n);
    const [row] = await superuser`select coalesce(max(seq), 0)::integer as n from public.custody_records
    where tenant_id = ${tenant}`;
    return row!.n;
  }

  /** The last record's number of a log that is long enough to be tampered with, whichever tests ran before. */
  async function chain(): Promise<number> {
    await someFile(MBOMBELA);
    await workToTheEnd(own);
    if (await lastSeq(MBOMBELA) < 300) {
      await superuser`select private.record_system_event(${MBOMBELA}, 'url_signed',
      jsonb_build_object('expires_in', n, 'request_id', 'r' || n), ${await someFile(
        MBOMBELA,
      )}) from generate_series(1, 300) n`;
      await workToTheEnd(own);
    }
    return await lastSeq(MBOMBELA);
  }

  /** A file of the tenant to write records about. */
  async function someFile(tenant: string): Promise<string> {
    const slug = tenant === MBOMBELA ? "mbombela" : "polokwane";
    return (await files.serviceFile("evidence", slug)).fileId;
  }

  /** Of this file, for the user of this client. */
  const certificate = (supabase: SupabaseClient, fileId: string): Promise<Certificate> =>
    own.stack.ok(supabase.rpc("custody_certificate", { file_id: fileId }));

  return { certificate, findings, tampered, lastSeq, chain, someFile };
}
