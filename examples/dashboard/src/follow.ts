/** Where the list comes from: live for staff; a citizen, whom Realtime tells nothing, reads their own every minute. */
import {
  listTickets,
  subscribeToTickets,
  type Ticket,
  type TicketListeners,
  type TicketWindow,
} from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { isStaff, seesSensitive } from "./roles.ts";

const EVERY_MS = 60_000;

export interface Following {
  show(window: TicketWindow): void;
  hasMore(): boolean;
  end(): void;
}

export function followTickets(
  supabase: Client,
  { municipality, role, window }: { municipality: string; role: string; window: TicketWindow },
  listeners: TicketListeners,
): Following {
  if (isStaff(role)) {
    const subscription = subscribeToTickets(supabase, municipality, listeners, {
      sensitive: seesSensitive(role),
      ...window,
    });
    return {
      show: (window) => subscription.show(window),
      hasMore: () => subscription.hasMore,
      end: () => void subscription.close(),
    };
  }
  const ended = new AbortController();
  let reading = new AbortController();
  let more = false;
  const read = async () => {
    reading.abort();
    const { signal } = reading = new AbortController();
    try {
      const tickets = await readOwn(supabase, window, AbortSignal.any([signal, ended.signal]));
      if (signal.aborted || ended.signal.aborted) return;
      const { limit = 50 } = window;
      more = tickets.length > limit;
      listeners.onChange?.([], tickets.slice(0, limit));
      listeners.onState?.("live");
    } catch {
      if (!signal.aborted && !ended.signal.aborted) listeners.onState?.("offline");
    }
  };
  void read();
  const timer = setInterval(read, EVERY_MS);
  return {
    show(next) {
      window = next;
      void read();
    },
    hasMore: () => more,
    end() {
      clearInterval(timer);
      ended.abort();
    },
  };
}

/** One more than the window's limit, if there are. */
async function readOwn(supabase: Client, window: TicketWindow, signal: AbortSignal): Promise<Ticket[]> {
  const { filter, order, limit = 50 } = window;
  const found: Ticket[] = [];
  let after = null;
  do {
    const page = await listTickets(supabase, { filter, order, after, signal });
    found.push(...page.tickets);
    after = page.next;
  } while (after && found.length <= limit);
  return found;
}
