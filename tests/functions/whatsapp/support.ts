/** What the tests of WhatsApp intake share. */
import { assertRefused, callHandler, type Code, database } from "../../support/functions.ts";
import { MUNICIPALITIES, ok, sample, service } from "../../support/stack.ts";

export const MiB = 1024 * 1024;
export const { number: GENERAL, gbvNumber: GBV } = MUNICIPALITIES.mbombela;
export const WEBHOOK = Deno.env.get("TWILIO_WEBHOOK_URL")!;

export async function sampleOf(type: "image/jpeg" | "application/pdf", size?: number) {
  const blob = sample(type, size);
  return { type, bytes: await blob.bytes() as Uint8Array<ArrayBuffer> };
}

export function objectsAt(path: string): Promise<number> {
  return database(async (sql) =>
    (await sql`select count(*)::integer as n from storage.objects where name = ${path}`)[0]!.n
  );
}

/** Columns of a ticket changed behind everybody's back. */
export async function change(ticketId: string, columns: Record<string, unknown>): Promise<void> {
  await ok(service.from("tickets").update(columns).eq("id", ticketId).select());
}

/** Turns the ticket's clock back. */
export async function age(ticketId: string, interval: string): Promise<void> {
  await database((sql) =>
    sql`update public.tickets set created_at = now() - ${interval}::interval where id = ${ticketId}`
  );
}

export async function refused(
  sent: { status: number; body: string },
  code: Code,
  what: string,
): Promise<void> {
  const headers = { "x-request-id": JSON.parse(sent.body).request_id, "cache-control": "no-store" };
  const answer = await callHandler(() =>
    Promise.resolve(new Response(sent.body, { status: sent.status, headers }))
  );
  assertRefused(answer, code, what);
}
