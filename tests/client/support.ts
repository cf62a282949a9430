/** Dashboards under test: each with a socket of its own, and a record of all that it was told. */
import { createClient, type RealtimeChannel, type SupabaseClientOptions } from "@supabase/supabase-js";
import {
  type AnyClient,
  type ConnectionState,
  type MediaEvent,
  subscribeToTickets,
  type Ticket,
  TICKET_COLUMNS,
  type TicketChange,
  type TicketSubscription,
  type TicketWindow,
} from "../../client/mod.ts";
import { assert, assertEquals, assertNotEquals, equal } from "../support/assert.ts";
import {
  MUNICIPALITIES,
  ok,
  PASSWORD,
  PUBLISHABLE_KEY,
  type Role,
  SECRET_KEY,
  service,
  type Slug,
  URL_BASE,
} from "../support/stack.ts";

/** realtime-js' disconnect() leaves a timer of ten seconds behind, which is none of ours. */
export const quiet = { sanitizeOps: false, sanitizeResources: false };

const clients = new Set<AnyClient>();
const subscriptions = new Set<TicketSubscription>();

/** For afterEach. */
export async function leaveAll(): Promise<void> {
  await Promise.all([...subscriptions].map((subscription) => subscription.close()));
  await Promise.all([...clients].map((client) => client.removeAllChannels()));
  subscriptions.clear();
  clients.clear();
}

export function newClient(
  options: SupabaseClientOptions<"public"> = {},
  url = URL_BASE,
  key = PUBLISHABLE_KEY,
) {
  const client = createClient(url, key, {
    auth: { autoRefreshToken: false, persistSession: false, storageKey: crypto.randomUUID() },
    ...options,
  });
  clients.add(client);
  return client;
}

/** A client of its own for a person who may have others open too. */
export async function signedIn(role: Role, slug: Slug = "mbombela"): Promise<AnyClient> {
  const client = newClient();
  const { error } = await client.auth.signInWithPassword({
    email: `${role}@${slug}.test`,
    password: PASSWORD,
  });
  if (error) throw error;
  return client;
}

/** The stand-in's Realtime fails, and comes back: `cut`, `restore`, `drop_sockets`, `drop_slot`. */
export async function control(action: string): Promise<void> {
  const response = await fetch(`${URL_BASE}/realtime/v1/_control`, {
    method: "POST",
    headers: { apikey: SECRET_KEY, "content-type": "application/json" },
    body: JSON.stringify({ action }),
  });
  await response.body?.cancel();
  assert(response.ok, `${action}: ${response.status}`);
}

export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patience = 15_000,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!await isSo()) {
    assert(performance.now() < deadline, `in vain: ${what}`);
    await pause(5);
  }
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Watch {
  supabase: AnyClient;
  subscription: TicketSubscription;
  /** The list as the changes told make it. */
  told: Map<string, Ticket>;
  changes: TicketChange[];
  calls: number;
  states: ConnectionState[];
  media: MediaEvent[];
  events: Record<string, unknown>[];
  errors: Error[];
  /** What was wrong with what was told. */
  faults: string[];
}

/** A window of this many rows is the whole table. */
const WHOLE = 100_000;

/** Subscribes, and holds every callback to the rules: each change once, and the list is what the changes make it. */
export function watch(
  supabase: AnyClient,
  slug: Slug = "mbombela",
  options: { sensitive?: boolean } & TicketWindow = {},
): Watch {
  const record: Omit<Watch, "subscription"> = {
    supabase,
    told: new Map(),
    changes: [],
    calls: 0,
    states: [],
    media: [],
    events: [],
    errors: [],
    faults: [],
  };
  const fault = (condition: boolean, what: string) => condition || record.faults.push(what);
  const subscription = subscribeToTickets(supabase, MUNICIPALITIES[slug].id, {
    onChange(changes, tickets) {
      record.calls++;
      fault(changes.length > 0, "a call without changes");
      fault(
        new Set(changes.map(({ ticket }) => ticket.id)).size === changes.length,
        "a ticket twice in one call",
      );
      for (const change of changes) {
        const { type, ticket } = change;
        const before = record.told.get(ticket.id);
        record.changes.push(change);
        fault(
          (type === "INSERT") === !before,
          `${type} of ${ticket.id}, which was ${before ? "" : "not "}there`,
        );
        if (type === "UPDATE") fault(!same(before, ticket), `UPDATE of ${ticket.id} changes nothing`);
        if (type === "DELETE") fault(same(before, ticket), `DELETE of ${ticket.id} is not as it was last`);
        if (type === "DELETE") record.told.delete(ticket.id);
        else record.told.set(ticket.id, ticket);
      }
      fault(same(byId(tickets), byId(record.told.values())), "the list is not what the changes make it");
    },
    onState: (state) => record.states.push(state),
    onMedia: (event) => record.media.push(event),
    onEvent: (event) => record.events.push(event),
    onError: (error) => record.errors.push(error),
  }, { limit: WHOLE, ...options });
  subscriptions.add(subscription);
  return Object.assign(record, { subscription });
}

/** Subscribed and live. */
export async function live(watched: Watch): Promise<Watch> {
  await until("live", () => watched.subscription.state === "live");
  return watched;
}

export async function watching(role: Role, slug: Slug = "mbombela"): Promise<Watch> {
  const sensitive = role === "admin" || role === "saps_liaison";
  return await live(watch(await signedIn(role, slug), slug, { sensitive }));
}

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

export function byId(tickets: Iterable<Ticket>): Ticket[] {
  const columns = TICKET_COLUMNS.split(", ") as (keyof Ticket)[];
  return [...tickets].sort((one, other) => one.id < other.id ? -1 : 1)
    .map((ticket) =>
      Object.fromEntries(columns.map((column) => [column, ticket[column]])) as unknown as Ticket
    );
}

/** The table, as the service sees it. */
export async function table(slug: Slug, sensitive: boolean): Promise<Ticket[]> {
  const rows: Ticket[] = [];
  for (;;) {
    let query = service.from("tickets").select(TICKET_COLUMNS).eq("tenant_id", MUNICIPALITIES[slug].id);
    if (!sensitive) query = query.eq("is_sensitive", false);
    const page = await ok(query.order("id").range(rows.length, rows.length + 999)) as unknown as Ticket[];
    rows.push(...page);
    if (page.length < 1000) return byId(rows);
  }
}

/** Live, equal to the table, and nothing was told wrongly. */
export async function assertEqualsTable(
  watched: Watch,
  sensitive: boolean,
  slug: Slug = "mbombela",
  patience = 15_000,
): Promise<void> {
  const { subscription } = watched;
  const expected = await table(slug, sensitive);
  try {
    await until(
      "the list equals the table",
      () => subscription.state === "live" && same(byId(subscription.tickets), expected),
      patience,
    );
  } catch (error) {
    assertEquals(
      subscription.state,
      "live",
      `errors: ${watched.errors.slice(-3).map((error) => error.message)}`,
    );
    const has = (rows: Ticket[]) => (row: Ticket) => !rows.some((other) => same(row, other));
    assertEquals(
      { onlyInList: byId(subscription.tickets).filter(has(expected)) },
      { onlyInTable: expected.filter(has(byId(subscription.tickets))) } as unknown,
    );
    throw error;
  }
  assertEquals(byId(watched.told.values()), expected);
  assertEquals(watched.faults, []);
}

/** What a manager's window should hold, as the service sees it. */
export async function windowOf(
  { filter = {}, order = "updated_at", limit = 50 }: TicketWindow,
  slug: Slug = "mbombela",
) {
  let query = service.from("tickets").select(TICKET_COLUMNS).eq("tenant_id", MUNICIPALITIES[slug].id).eq(
    "is_sensitive",
    false,
  );
  if (filter.status) query = query.in("status", [...filter.status]);
  return await ok(query.order(order, { ascending: false }).order("id").limit(limit)) as unknown as Ticket[];
}

export async function assertEqualsWindow(
  watched: Watch,
  window: TicketWindow,
  slug: Slug = "mbombela",
): Promise<void> {
  const { subscription } = watched;
  const expected = await windowOf(window, slug);
  const isSo = () => subscription.state === "live" && equal(subscription.tickets, expected);
  await until("the list equals the window", isSo).catch(() => assertEquals(subscription.tickets, expected));
  assertEquals(byId(watched.told.values()), byId(expected));
  assertEquals(watched.faults, []);
}

// Raw channels --------------------------------------------------------------------------------------------------------

export interface Heard {
  channel: RealtimeChannel;
  state: string;
  reason: string;
  /** Broadcasts: event and payload. */
  messages: { event: string; payload: Record<string, unknown> }[];
}

export const topicOf = (slug: Slug, gbv = false) =>
  `municipality:${MUNICIPALITIES[slug].id}${gbv ? ":gbv" : ""}`;

/** Joins and waits for the outcome; joined, also for replication. */
export async function hear(
  supabase: AnyClient,
  topic: string,
  { isPrivate = true }: { isPrivate?: boolean } = {},
): Promise<Heard> {
  const channel = supabase.channel(topic, {
    config: { private: isPrivate, broadcast: { self: true, replication_ready: true } },
  });
  const heard: Heard = { channel, state: "", reason: "", messages: [] };
  let isReady = false;
  channel
    .on("broadcast", { event: "*" }, ({ event, payload }) => heard.messages.push({ event, payload }))
    .on("system", {}, ({ status }: { status: string }) => isReady ||= status === "ok")
    .subscribe((state, error) => {
      heard.state ||= state;
      heard.reason ||= error?.message ?? "";
    });
  await until(
    `an answer for ${topic}`,
    () => heard.state !== "" && (heard.state !== "SUBSCRIBED" || isReady),
  );
  if (heard.state !== "SUBSCRIBED") void supabase.removeChannel(channel);
  return heard;
}

/** What the channels were told of the work: as many lists of messages. Messages come in the order of commits. */
export async function hearing(
  slug: Slug,
  channels: { general: Heard; gbv?: Heard },
  work: () => Promise<unknown>,
): Promise<{ general: Heard["messages"]; gbv: Heard["messages"] }> {
  const { general, gbv } = channels;
  const heard = gbv ? [general, gbv] : [general];
  const untilNow = async () => {
    const mark = crypto.randomUUID();
    for (const sensitive of gbv ? [false, true] : [false]) {
      const municipality_id = MUNICIPALITIES[slug].id;
      await ok(
        service.rpc("publish_municipality_event", { municipality_id, event: { mark }, sensitive }).select(),
      );
    }
    await until(
      "all that was sent",
      () => heard.every(({ messages }) => messages.at(-1)?.payload.mark === mark),
    );
  };
  await untilNow();
  for (const { messages } of heard) messages.length = 0;
  await work();
  await untilNow();
  return { general: general.messages.slice(0, -1), gbv: gbv?.messages.slice(0, -1) ?? [] };
}

/** Payloads without the `id` that realtime.send adds. */
export function payloads(messages: Heard["messages"]): Record<string, unknown>[] {
  return messages.map(({ payload: { id, ...payload } }) => {
    assertNotEquals(id, undefined);
    return payload;
  });
}
