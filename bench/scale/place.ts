/** What is asked for in a seeded municipality, and by whom. */
import type postgres from "postgres";
import type { Claims } from "../../local/types.ts";
import { MBOMBELA } from "../harness/files.ts";

/** Different ones of each, so that no page is always the one just read. */
const SAMPLES = 100;

export interface Ticket {
  id: string;
  tracking_number: string;
  reporter_id: string | null;
  created_at: string;
  updated_at: string;
}

export interface File {
  file_id: string;
  ticket_id: string;
  bucket: string;
  path: string;
  sha256: string;
  created_by: string | null;
}

export interface Place {
  size: number;
  tenant: string;
  /** Ten minutes before it was seeded. */
  lately: string;
  /** Before these a tenth of its tickets were opened. */
  tenthOldest: string;
  /** Ordinary ones of citizens, spread over all its time. */
  tickets: Ticket[];
  /** Ordinary ones of citizens who wrote of them by WhatsApp later. */
  answered: Ticket[];
  /** Sensitive ones by WhatsApp, with messages. */
  reports: Ticket[];
  /** Ordinary ones by WhatsApp. */
  written: Ticket[];
  /** Ordinary ones in `evidence`, of citizens. */
  files: File[];
  gbvFiles: File[];
  /** The senders of the newest messages. */
  senders: string[];
  officer: string;
}

/** The sample for one turn. */
export function pick<T>(from: T[], turn: number): T {
  return from[turn % from.length]!;
}

export async function readPlace(sql: postgres.Sql, size: number): Promise<Place> {
  const tenant = MBOMBELA;
  const ticketsWhere = (where: postgres.Fragment) =>
    sql<Ticket[]>`
      select id, tracking_number, reporter_id, to_json(created_at) #>> '{}' as created_at, to_json(updated_at) #>> '{}' as updated_at
      from public.tickets where tenant_id = ${tenant} and ${where} order by md5(id::text) limit ${SAMPLES}`;
  const filesWhere = (where: postgres.Fragment) =>
    sql<File[]>`
      select file_id, ticket_id, bucket, path, sha256, created_by from public.media_attachments
      where tenant_id = ${tenant} and status = 'stored' and sha256 is not null and ${where}
      order by md5(path) limit ${SAMPLES}`;
  const text = async (query: postgres.PendingQuery<postgres.Row[]>) => (await query)[0]!.text as string;
  const withMessages =
    sql`exists (select from public.inbound_messages m where m.tenant_id = tickets.tenant_id and m.ticket_id = tickets.id)`;
  return {
    size,
    tenant,
    lately: await text(sql`
      select to_json(max(updated_at) - interval '10 minutes') #>> '{}' as text from public.tickets where tenant_id = ${tenant}`),
    tenthOldest: await text(sql`
      select to_json(created_at) #>> '{}' as text from public.tickets
      where tenant_id = ${tenant} order by created_at offset ${Math.round(size / 10)} limit 1`),
    tickets: [...await ticketsWhere(sql`not is_sensitive and reporter_id is not null`)],
    answered: [...await ticketsWhere(sql`not is_sensitive and reporter_id is not null and ${withMessages}`)],
    reports: [...await ticketsWhere(sql`is_sensitive and reporter_id is null and ${withMessages}`)],
    written: [...await ticketsWhere(sql`not is_sensitive and reporter_id is null and ${withMessages}`)],
    files: [...await filesWhere(sql`not is_sensitive and bucket = 'evidence' and created_by is not null`)],
    gbvFiles: [...await filesWhere(sql`is_sensitive`)],
    senders: (await sql<{ ref: string }[]>`
      select distinct sender_refs[1] as ref from (
        select sender_refs from public.inbound_messages
        where tenant_id = ${tenant} and not is_sensitive order by received_at desc limit 200
      ) newest order by 1 limit ${SAMPLES}`).map(({ ref }) => ref),
    officer: await text(sql`
      select user_id::text as text from public.custody_records
      where tenant_id = ${tenant} and event = 'url_signed' order by recorded_at limit 1`),
  };
}

export type Role =
  | "citizen"
  | "field_worker"
  | "manager"
  | "admin"
  | "saps_liaison"
  | "service_role";

/** Of a token of somebody in the municipality, or of the secret key. */
export function claims(role: Role, { tenant }: Place, sub = "57aff000-0000-4000-8000-000000000001"): Claims {
  if (role === "service_role") return { role };
  return {
    sub,
    aud: "authenticated",
    role: "authenticated",
    aal: "aal2",
    app_metadata: { tenant_id: tenant, role },
  };
}
