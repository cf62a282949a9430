/** messages.json: what the reporter wrote, all of a ticket's messages, as many at a time as open-report opens. */
import { hex } from "./digest.ts";
import type { Database } from "./prepare.ts";

const AT_ONCE = 100;

/** `open` records that they are opened, then gives their words. Throws what it throws, and what the database answers. */
export async function messagesFile(
  database: Database,
  ticketId: string,
  open: (messageSids: string[]) => Promise<unknown[]>,
): Promise<string> {
  const messages = [];
  for (let at = 0;; at += AT_ONCE) {
    const { data, error } = await database.from("inbound_messages").select("message_sid")
      .eq("ticket_id", ticketId).order("received_at").order("message_sid").range(at, at + AT_ONCE - 1);
    if (error) throw error;
    const sids = (data as { message_sid: string }[]).map(({ message_sid }) => message_sid);
    if (sids.length > 0) messages.push(...await open(sids));
    if (sids.length < AT_ONCE) break;
  }
  // the log gets this file's SHA-256: with the salt nobody learns the words by guessing them
  const salt = hex(crypto.getRandomValues(new Uint8Array(16)));
  return `${JSON.stringify({ opened_at: new Date().toISOString(), salt, messages }, null, 2)}\n`;
}
