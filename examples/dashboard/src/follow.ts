/** Where the list comes from: live for staff; a citizen, whom Realtime tells nothing, reads their own every minute. */
import { subscribeToTickets, TICKET_COLUMNS, type TicketListeners } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { isStaff, seesSensitive } from "./roles.ts";

const EVERY_MS = 60_000;

/** As subscribeToTickets; returns what ends it. */
export function followTickets(
  supabase: Client,
  { municipality, role }: { municipality: string; role: string },
  listeners: TicketListeners,
): () => void {
  if (isStaff(role)) {
    const subscription = subscribeToTickets(supabase, municipality, listeners, {
      sensitive: seesSensitive(role),
      limit: 500,
    });
    return () => void subscription.close();
  }
  const ended = new AbortController();
  const read = async () => {
    const { data, error } = await supabase.from("tickets").select(TICKET_COLUMNS)
      .order("updated_at", { ascending: false }).abortSignal(ended.signal);
    if (ended.signal.aborted) return;
    if (!error) listeners.onChange?.([], data);
    listeners.onState?.(error ? "offline" : "live");
  };
  void read();
  const timer = setInterval(read, EVERY_MS);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}
