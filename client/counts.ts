/** How many tickets there are. */
import type { AnyClient } from "./types.ts";

export interface TicketCount {
  status: string | null;
  is_sensitive: boolean;
  tickets: number;
}

/**
 * How many tickets of each status the user may read, exact, and as cheap for a million as for ten. For staff; citizens get
 * nothing. Throws the database's error.
 */
export async function ticketCounts(
  supabase: AnyClient,
  { signal = new AbortController().signal }: { signal?: AbortSignal } = {},
): Promise<TicketCount[]> {
  const { data, error } = await supabase.rpc("ticket_counts").abortSignal(signal);
  if (error) throw new Error(error.message, { cause: error });
  return data as TicketCount[];
}
