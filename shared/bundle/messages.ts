/** A ticket's messages for messages.json, all of them, as many at a time as open-report opens. */
import type { Messages } from "./bag.ts";
import type { Database } from "./prepare.ts";

const AT_ONCE = 100;

/** `open` records that they are opened, then gives their words. Throws what it throws, and what the database answers. */
export async function openMessages(
  database: Database,
  ticketId: string,
  open: (messageSids: string[]) => Promise<unknown[]>,
): Promise<Messages> {
  const messages = [];
  for (let at = 0;; at += AT_ONCE) {
    const { data, error } = await database.from("inbound_messages").select("message_sid")
      .eq("ticket_id", ticketId).order("received_at").order("message_sid").range(at, at + AT_ONCE - 1);
    if (error) throw error;
    const sids = (data as { message_sid: string }[]).map(({ message_sid }) => message_sid);
    if (sids.length > 0) messages.push(...await open(sids));
    if (sids.length < AT_ONCE) return { opened_at: new Date().toISOString(), messages };
  }
}
