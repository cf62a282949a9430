/** Where the list comes from: live for staff; a citizen, whom Realtime tells nothing, reads their own every minute. */
import {
  subscribeToTickets,
  TICKET_COLUMNS,
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
    const { filter = {}, order = "updated_at", limit = 50 } = window;
    let query = supabase.from("tickets").select(TICKET_COLUMNS).order(order, { ascending: false }).limit(
      limit + 1,
    );
    for (const column of ["status", "category"] as const) {
      if (filter[column]?.length) query = query.in(column, [...filter[column]]);
    }
    if (filter.number) query = query.eq("tracking_number", filter.number);
    const { data, error } = await query.abortSignal(AbortSignal.any([signal, ended.signal]));
    if (signal.aborted || ended.signal.aborted) return;
    more = (data?.length ?? 0) > limit;
    if (!error) listeners.onChange?.([], data.slice(0, limit));
    listeners.onState?.(error ? "offline" : "live");
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
