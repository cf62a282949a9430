/** What Realtime's messages say. */
import * as z from "zod";

/** Ids of messages that are remembered. */
const KNOWN = 5000;

export interface Message {
  event: string;
  payload: Record<string, unknown>;
  meta?: { id: string; replayed?: boolean };
}

const Change = z.object({
  type: z.enum(["INSERT", "UPDATE", "DELETE"]),
  ticket_id: z.string(),
  status: z.string().nullable(),
  municipality_id: z.string(),
});
/** Only tickets that are not sensitive come with these. */
const Details = z.object({
  tracking_number: z.string().nullable(),
  category: z.string().nullable(),
  severity: z.string().nullable(),
  updated_at: z.string(),
});
const Bulk = z.object({ type: z.literal("BULK"), left: z.array(z.string()).optional() });

/** What a `ticket_event` tells: of one ticket, of many, or nothing that is understood. */
export type TicketNews =
  | { of: "one"; change: z.infer<typeof Change>; details?: z.infer<typeof Details> }
  | { of: "many"; left: string[] }
  | undefined;

export function ticketNews(payload: unknown): TicketNews {
  const change = Change.safeParse(payload).data;
  if (change) return { of: "one", change, details: Details.safeParse(payload).data };
  const bulk = Bulk.safeParse(payload).data;
  return bulk && { of: "many", left: bulk.left ?? [] };
}

/** Messages that came before: replay repeats them. */
export class KnownMessages {
  readonly #ids = new Set<string>();

  /** Notes the message; false when it was known. */
  add({ payload, meta }: Message): boolean {
    const id = meta?.id ?? String(payload.id);
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > KNOWN) {
      const [oldest] = this.#ids;
      this.#ids.delete(oldest!);
    }
    return true;
  }
}
