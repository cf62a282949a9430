/** What is heard live, and what of it must be the same in both worlds. */
import { createClient, type RealtimeChannel } from "@supabase/supabase-js";
import { functions, hidden, names, PUBLISHABLE_KEY, service, type Someone, URL_BASE } from "./world.ts";

export interface Heard {
  event: string;
  payload: Record<string, unknown>;
}

export const clients: { removeAllChannels(): Promise<unknown> }[] = [];

export async function listen(who: Someone, topic: string, replay?: { since: number; limit: number }) {
  const client = createClient(URL_BASE, PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  clients.push(client);
  if (who.token) await client.realtime.setAuth(who.token);
  const heard: Heard[] = [];
  const config = { private: true, broadcast: { replication_ready: true, ...(replay ? { replay } : {}) } };
  const channel: RealtimeChannel = client.channel(topic, { config } as never);
  const state = await new Promise<string>((resolve) => {
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => void heard.push({ event, payload }));
    channel.on("system", {}, ({ message }: { message: string }) => {
      if (message === "Replication connection established") resolve("joined");
    });
    channel.subscribe((state, error) => {
      if (state === "CHANNEL_ERROR" || state === "TIMED_OUT") resolve(`${state} ${error?.message}`);
    });
  });
  return { heard, state, close: () => client.removeAllChannels() };
}

let marks = 0;

/** All that was sent before has been heard: a mark sent after it has, again and again until it is there. */
export async function heardAll(
  listeners: { heard: Heard[] }[],
  tenant: string,
  sensitive = false,
): Promise<void> {
  const mark = ++marks;
  const isHeard = () => listeners.every(({ heard }) => heard.some(({ payload }) => payload.mark === mark));
  for (let tries = 0; tries < 30 && !isHeard(); tries++) {
    const { error } = await service.rpc("publish_municipality_event", {
      municipality_id: tenant,
      event: { mark },
      sensitive,
    });
    if (error) throw error;
    await functions.until("the mark is heard", isHeard, 2000).catch(() => {});
  }
  if (!isHeard()) throw new Error("a mark is not heard");
}

const ticketOf = ({ payload }: Heard) => String(payload.ticket_id ?? "");

/**
 * What may differ, as docs/access.md says: that a ticket went (DELETE). Of one that only this world has had, those who listened
 * heard all until it went, and those who join later that it went. Of one that goes in both, nothing earlier is replayed
 * where it turned sensitive; where it went to another municipality it is left out here.
 */
export function comparable(heard: Heard[], replayed: boolean): Heard[] {
  const went = new Set(heard.filter(({ payload }) => payload.type === "DELETE").map(ticketOf));
  return heard.filter((one) => {
    const id = ticketOf(one);
    if (one.payload.mark !== undefined) return false;
    if (!went.has(id)) return true;
    if (names.isHidden(id)) return replayed && one.payload.type !== "DELETE";
    return !replayed || hidden || one.payload.type === "DELETE";
  });
}
