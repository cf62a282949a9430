/**
 * A municipality's tickets, live. Realtime delivers at most once and tells nothing of what it lost; this keeps the list
 * equal to the table all the same, and tells each change once.
 *
 * - First the channels, then the list: what commits once replication stands comes as an event.
 * - Events are applied in the order they come, which is that of the commits.
 * - After an interruption: replay names tickets to look at again; then the rows changed of late are read and the number of
 *   rows compared, since replay is read before replication stands and what commits in between is in neither. Only where
 *   that does not add up is the list fetched anew.
 */
import type { RealtimeChannel } from "@supabase/supabase-js";
import * as z from "zod";
import {
  type AnyClient,
  type ConnectionState,
  type MediaEvent,
  type Ticket,
  TICKET_COLUMNS,
  type TicketChange,
  type TicketListeners,
  type TicketSubscription,
} from "./types.ts";

/** Rows and ids per request; most messages that Realtime replays. */
const PAGE = 1000;
const IDS = 100;
const REPLAY = 25;
/** Ids of messages that are remembered. */
const KNOWN = 5000;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * How far before the last good moment to look again. Covers a dead connection that nobody noticed yet (two heartbeats of
 * 25 s) and writes that took long: rows and messages bear the time at which their transaction began.
 */
const OVERLAP = 5 * MINUTE;
/** A live list is checked this often too: Realtime may lose its replication slot without a word to anybody. */
const CHECK_EVERY = 5 * MINUTE;
/** Events that need a look at the table and come together share a request. */
const GATHER = 50;
/**
 * Replication tells of a commit a moment before others can see it: what is read sooner after an event may be of before it,
 * and is looked at once more.
 */
const SETTLE = SECOND;
/** Everybody is told of a bulk change at the same moment; nobody should ask for the list at the same moment. */
const BULK_DELAY = 500;
const TICK = 5 * SECOND;
/** Longer without a tick, and the device slept. Browsers let a hidden tab's timers run once a minute. */
const SLEPT = 90 * SECOND;
const REQUEST_TIMEOUT = 20 * SECOND;
/** Realtime itself gives up on replication after a minute. */
const READY_TIMEOUT = 70 * SECOND;
const TOKEN_POLL = 2 * SECOND;
/** How far ahead of the server a device's clock may be until an event has told better. */
const WORST_SKEW = 24 * HOUR;

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

interface Message {
  event: string;
  payload: Record<string, unknown>;
  meta?: { id: string; replayed?: boolean };
}

/** A ticket as it is now, or that it has gone. */
type Value = readonly [id: string, ticket: Ticket | undefined];
const gone = (id: string): Value => [id, undefined];

/** This token may not receive that topic: no use in trying again with it. */
class Refusal extends Error {
  override name = "Refusal";
}
/** Realtime's limits on messages and joins a second. */
const TOO_MUCH = /Too many|RateLimit/;
const REFUSED = /^Unauthorized|^MalformedJWT|^JwtSignatureError|have permission/;

/**
 * Keeps the list of a municipality's tickets; with `sensitive` also of those on its GBV channel, for those who may see
 * them. One subscription per municipality and client. The client's session decides what may be seen; give it time to sign
 * in first, or the subscription waits, offline, until it has.
 */
export function subscribeToTickets(
  supabase: AnyClient,
  municipalityId: string,
  listeners: TicketListeners,
  { sensitive = false }: { sensitive?: boolean } = {},
): TicketSubscription {
  return new Subscription(supabase, municipalityId, listeners, sensitive);
}

/** Municipalities, by client. */
const subscribed = new WeakMap<AnyClient, Set<string>>();

class Subscription implements TicketSubscription {
  readonly #rows = new Map<string, Ticket>();
  #sorted: Ticket[] | undefined;
  #state: ConnectionState = "connecting";
  #fetches = 0;

  // What is to be done. It outlives a connection: what one could not finish, the next one does.
  /** Changes to apply, in order; without a ticket it has gone. */
  #queue: Value[] = [];
  /** Tickets to look at again. */
  readonly #dirty = new Set<string>();
  /** The list is to be fetched. */
  #stale = true;
  /** As many were replayed as can be, and the oldest was new: if one of them changes the list, there may be more before. */
  #mayLackMore = false;
  /** The list is to be compared with the table: the how manieth time. */
  #doubts = 0;

  /** When there was an event of a ticket, those of late. */
  readonly #told = new Map<string, number>();
  /** Tickets to look at once more when that has settled. */
  readonly #unsettled = new Set<string>();
  #settling: ReturnType<typeof setTimeout> | undefined;

  readonly #known = new Set<string>();
  /** At least what the device's clock is ahead of the server's. */
  #skew = WORST_SKEW;
  /** Server's time, at the latest, up to which everything is surely in the list or on its way. */
  #good = 0;
  /** Server's time, at the latest, when the list last was compared with the table or read from it. */
  #checked = 0;

  #connection = new Connection();
  #closed = false;
  /** Not the first attempt to connect. */
  #isLater = false;
  /** The socket may look open and be dead. */
  #deaf = false;
  #ticked = Date.now();
  #wake = () => {};
  #hurry = () => {};
  #bulk: ReturnType<typeof setTimeout> | undefined;
  readonly #ticks: ReturnType<typeof setInterval>;
  readonly #running: Promise<void>;

  constructor(
    private readonly supabase: AnyClient,
    private readonly municipalityId: string,
    private readonly listeners: TicketListeners,
    private readonly sensitive: boolean,
  ) {
    const others = subscribed.get(supabase) ?? new Set();
    // Of one topic realtime-js gives the one channel to all who ask.
    if (others.has(municipalityId)) {
      throw new Error("Subscribed to this municipality already: close that one first");
    }
    subscribed.set(supabase, others.add(municipalityId));
    this.#ticks = setInterval(() => this.#tick(), TICK);
    globalThis.addEventListener?.("online", this.#online);
    this.#running = this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get fetches(): number {
    return this.#fetches;
  }

  get tickets(): Ticket[] {
    return this.#sorted ??= [...this.#rows.values()].sort(newestFirst);
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      subscribed.get(this.supabase)!.delete(this.municipalityId);
      clearInterval(this.#ticks);
      clearTimeout(this.#bulk);
      clearTimeout(this.#settling);
      globalThis.removeEventListener?.("online", this.#online);
      this.#connection.end(new Error("closed"));
      this.#leave();
    }
    await this.#running;
  }

  // The connection ----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closed; failures++) {
      this.#connection = new Connection();
      try {
        await this.#connect(this.#connection);
        await this.#follow(this.#connection, () => failures = 0);
      } catch (error) {
        this.#leave();
        if (this.#closed) break;
        this.#setState("offline");
        this.#tell(() => this.listeners.onError?.(asError(error)));
        if (TOO_MUCH.test(asError(error).message)) failures = Math.max(failures, 4);
        if (error instanceof Refusal) await this.#untilOtherToken(this.#connection.token);
        else await this.#pause(Math.min(100 * 3 ** failures, 30_000) * jitter());
      }
    }
  }

  async #connect(connection: Connection): Promise<void> {
    connection.token = await connection.orEnd(this.#currentToken());
    const { realtime } = this.supabase;
    // realtime-js opens a socket that was lost only after a delay of its own, and not at all one that it takes for open.
    const isLost = !realtime.isConnected() && !realtime.isConnecting() && this.#isLater;
    if (this.#deaf || isLost) await connection.orEnd(realtime.disconnect());
    this.#deaf = false;
    this.#isLater = true;

    const topics = [false, ...(this.sensitive ? [true] : [])];
    const outcomes = await connection.orEnd(
      Promise.allSettled(topics.map((sensitive) => this.#join(connection, sensitive))),
    );
    const failures = outcomes.flatMap((outcome, n) =>
      outcome.status === "rejected" ? [{ reason: outcome.reason, sensitive: topics[n]! }] : []
    );
    for (const { reason, sensitive } of failures) if (reason instanceof Refusal) this.#forget(sensitive);
    const worst = failures.find(({ reason }) => reason instanceof Refusal) ?? failures[0];
    if (worst) throw worst.reason;

    if (!this.#stale) this.#doubts = 1;
    this.#setState(this.#fetches ? "catching_up" : "connecting");
  }

  /** Resolves when the channel is joined, its replay here (Realtime sends it before) and replication established. */
  #join(connection: Connection, sensitive: boolean): Promise<void> {
    // The first list holds all that was before; the replay asked then is for the messages' ids alone.
    const since = this.#fetches ? Math.max(0, Math.floor(this.#good - OVERLAP)) : 0;
    const channel = this.supabase.channel(`municipality:${this.municipalityId}${sensitive ? ":gbv" : ""}`, {
      config: {
        private: true,
        broadcast: { self: false, replication_ready: true, replay: { since, limit: REPLAY } },
      },
    });
    connection.channels.push(channel);
    let timer: ReturnType<typeof setTimeout>;
    let isReady = false;
    const replayed: boolean[] = [];
    const joined = new Promise<void>((resolve, reject) => {
      const fail = (message: string, cause?: unknown) => {
        const error = new (REFUSED.test(message) ? Refusal : Error)(message, { cause });
        if (!isReady) return reject(error);
        // What may no longer be seen goes at once; whether that is final, the next join tells.
        if (error instanceof Refusal) this.#forget(sensitive);
        connection.end(new Error(message, { cause }));
      };
      connection.signal.addEventListener("abort", () => reject(connection.signal.reason));
      timer = setTimeout(() => fail("Realtime's replication was not ready in time"), READY_TIMEOUT);
      channel.on("broadcast", { event: "*" }, (message: Message) => {
        if (connection.isOver) return;
        const isNew = this.#receive(message);
        if (!message.meta?.replayed) return;
        replayed.push(isNew);
        if (replayed.length === REPLAY && replayed[0]) this.#mayLackMore = true;
      });
      channel.on("system", {}, ({ extension, status, message }: Record<string, string>) => {
        if (connection.isOver || extension !== "system") return;
        if (status !== "ok") return fail(message ?? "Realtime closed the channel");
        isReady = true;
        resolve();
      });
      channel.subscribe((status, error) => {
        if (connection.isOver) return;
        if (status === "SUBSCRIBED") return;
        if (status === "TIMED_OUT") this.#deaf = true;
        fail(error?.message ?? `the channel is ${status}`, error);
      });
    });
    return joined.finally(() => clearTimeout(timer));
  }

  #leave(): void {
    this.#connection.end(new Error("left"));
    this.#hurry();
    // Channels are left for good: realtime-js would rejoin them with the `since` of the first join.
    for (const channel of this.#connection.channels.splice(0)) void this.supabase.removeChannel(channel);
  }

  /** The session's token, refreshed if need be, is what realtime-js joins with from here on. */
  async #currentToken(): Promise<string | null> {
    // With the client's `accessToken` option there is no supabase.auth: then realtime-js asks that.
    const session = await this.#session();
    // supabase-js takes the bare API key when it cannot refresh a session; that would be refused for good.
    if (session?.error) throw session.error;
    await this.supabase.realtime.setAuth();
    return this.supabase.realtime.accessTokenValue;
  }

  async #session() {
    try {
      return await this.supabase.auth.getSession();
    } catch {
      return undefined;
    }
  }

  async #untilOtherToken(refused: string | null): Promise<void> {
    while (!this.#closed && await this.#currentToken().catch(() => refused) === refused) {
      if (!this.#closed) await this.#pause(TOKEN_POLL);
    }
  }

  #tick(): void {
    const now = Date.now();
    const slept = now - this.#ticked > SLEPT;
    this.#ticked = now;
    if (slept) this.#connection.end(new Error("the device slept"));
    if (this.#state !== "live" || this.#connection.isOver) return;
    this.#good = this.#serverTime();
    if (this.#good - this.#checked > CHECK_EVERY && !this.#doubts) {
      this.#doubts = 1;
      this.#wake();
    }
  }

  #online = () => {
    this.#deaf = true;
    this.#connection.end(new Error("the network changed"));
    this.#hurry();
  };

  // Messages ----------------------------------------------------------------------------------------------------------

  /** Notes what a message asks for; false when it was known. */
  #receive({ event, payload, meta }: Message): boolean {
    const id = meta?.id ?? String(payload.id);
    if (this.#known.has(id)) return false;
    this.#known.add(id);
    if (this.#known.size > KNOWN) {
      const [oldest] = this.#known;
      this.#known.delete(oldest!);
    }

    const isReplayed = meta?.replayed === true;
    if (isReplayed && !this.#fetches) return true;
    if (event === "ticket_event") this.#heed(payload, isReplayed);
    else {
      const { id: _, ...told } = payload;
      if (event === "media_event") this.#tell(() => this.listeners.onMedia?.(told as unknown as MediaEvent));
      else if (event === "municipality_event") this.#tell(() => this.listeners.onEvent?.(told));
    }
    return true;
  }

  #heed(payload: unknown, isReplayed: boolean): void {
    const change = Change.safeParse(payload).data;
    const details = Details.safeParse(payload).data;
    if (!change) {
      const bulk = Bulk.safeParse(payload).data;
      for (const id of bulk?.left ?? []) {
        this.#dirty.add(id);
        this.#noteEvent(id);
      }
      if (!bulk) this.#doubts ||= 1;
      else if (isReplayed) this.#stale = true;
      else this.#fetchSoon();
      return this.#wake();
    }
    const { type, ticket_id: id } = change;
    if (!isReplayed) this.#noteEvent(id);
    // Of a replayed message it is not known what came after it. Of a sensitive ticket no more is told than that it changed.
    // Who hears both topics cannot tell a ticket that has gone from one that moved to the other.
    if (isReplayed || (type === "DELETE" ? this.sensitive : !details)) this.#dirty.add(id);
    else if (type === "DELETE") this.#queue.push(gone(id));
    else if (details) {
      // `updated_at` is the database's clock a moment ago, so the true skew is no more than this. (An INSERT may bear any.)
      if (type === "UPDATE") this.#skew = Math.min(this.#skew, clock() - Date.parse(details.updated_at));
      const ticket = {
        id,
        tenant_id: this.municipalityId,
        ...details,
        status: change.status as string,
        is_sensitive: false,
      };
      this.#queue.push([id, ticket]);
    }
    this.#wake();
  }

  #noteEvent(id: string): void {
    const now = clock();
    this.#told.delete(id); // to the end
    this.#told.set(id, now);
    for (const [oldest, time] of this.#told) {
      if (now - time < SETTLE) break;
      this.#told.delete(oldest);
    }
  }

  /** Of what was read from then on, what was too soon after its event. */
  #settle(readAt: number, ids: Iterable<string> = this.#told.keys()): void {
    for (const id of ids) if (this.#told.get(id)! > readAt - SETTLE) this.#unsettled.add(id);
    if (!this.#unsettled.size || this.#closed) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      for (const id of this.#unsettled) this.#dirty.add(id);
      this.#unsettled.clear();
      this.#wake();
    }, SETTLE);
  }

  #fetchSoon(): void {
    this.#bulk ??= setTimeout(() => {
      this.#bulk = undefined;
      this.#stale = true;
      this.#wake();
    }, BULK_DELAY * jitter());
  }

  // The list ----------------------------------------------------------------------------------------------------------

  /** Does what there is to do, one thing after the other, until the connection ends. */
  async #follow(connection: Connection, onLive: () => void): Promise<never> {
    for (;;) {
      if (this.#stale) await this.#fetch(connection);
      else if (this.#queue.length || this.#dirty.size) {
        if (this.#dirty.size) await connection.orEnd(this.#pause(GATHER));
        await this.#apply(connection);
      } else if (this.#doubts) await this.#compare(connection);
      else {
        connection.signal.throwIfAborted();
        if (this.#state !== "live") {
          this.#good = this.#serverTime();
          this.#mayLackMore = false;
          onLive();
          this.#setState("live");
        }
        await connection.orEnd(new Promise<void>((resolve) => this.#wake = resolve));
      }
    }
  }

  async #fetch(connection: Connection): Promise<void> {
    // What has been told up to now is in the list that is read from now on.
    this.#stale = false;
    this.#mayLackMore = false;
    this.#queue = [];
    this.#dirty.clear();
    const now = this.#serverTime();
    const readAt = clock();
    try {
      const rows = await this.#read(connection);
      this.#settle(readAt);
      this.#fetches++;
      this.#change([...[...this.#rows.keys()].map(gone), ...rows]);
      this.#checked = now;
      this.#doubts = 0;
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  async #apply(connection: Connection): Promise<void> {
    const queue = this.#queue;
    const ids = [...this.#dirty];
    this.#queue = [];
    this.#dirty.clear();
    const changed: Value[] = [...queue];
    const readAt = clock();
    try {
      // What the table says now is newer than all that has been told.
      for (let at = 0; at < ids.length; at += IDS) {
        const some = ids.slice(at, at + IDS);
        const rows = await this.#read(connection, (query) => query.in("id", some));
        changed.push(...some.map(gone), ...rows);
      }
    } catch (error) {
      this.#queue.unshift(...queue);
      for (const id of ids) this.#dirty.add(id);
      throw error;
    }
    this.#settle(readAt, ids);
    this.#change(changed);
  }

  /** Equal, if the rows changed of late are taken from the table and then there are as many. */
  async #compare(connection: Connection): Promise<void> {
    const doubts = this.#doubts;
    const now = this.#serverTime();
    const readAt = clock();
    const since = new Date(Math.max(0, this.#checked - OVERLAP)).toISOString();
    const { count } = await this.#ask(connection, this.#tickets("id", { count: "exact", head: true }));
    const rows = await this.#read(connection, (query) => query.gte("updated_at", since));
    this.#settle(readAt);
    this.#change(rows);
    if (count === this.#rows.size) {
      this.#doubts = 0;
      this.#checked = now;
    } else if (doubts === 1) {
      this.#doubts = 2; // perhaps a change has just been counted whose event is on its way
      await connection.orEnd(this.#pause(250));
    } else this.#stale = true;
  }

  /** Pages by id: whatever changes meanwhile, no row is lost or doubled. Until one is empty: the server may give less. */
  async #read(
    connection: Connection,
    narrow: (query: Query) => Query = (query) => query,
  ): Promise<Value[]> {
    const rows: Ticket[] = [];
    for (;;) {
      let query = narrow(this.#tickets(TICKET_COLUMNS)).order("id").limit(PAGE);
      if (rows.length) query = query.gt("id", rows.at(-1)!.id);
      const { data } = await this.#ask(connection, query);
      if (!data?.length) return rows.map((row) => [row.id, row]);
      rows.push(...data as unknown as Ticket[]);
    }
  }

  /** What the topics are about; row-level security narrows it to what the caller may see. */
  #tickets(columns: string, options?: { count: "exact"; head: true }): Query {
    const query = selectTickets(this.supabase, columns, options).eq("tenant_id", this.municipalityId);
    return this.sensitive ? query : query.eq("is_sensitive", false);
  }

  async #ask(connection: Connection, query: Query) {
    const timer = setTimeout(() => connection.end(new Error("the database did not answer")), REQUEST_TIMEOUT);
    try {
      // Not retried by postgrest-js: an error is an interruption, and that is retried as a whole.
      const answer = await query.abortSignal(connection.signal).retry(false);
      connection.signal.throwIfAborted();
      if (answer.error) throw new Error(answer.error.message, { cause: answer.error });
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Of several values for one id the last counts. */
  #change(values: Iterable<Value>): void {
    const changes: TicketChange[] = [];
    for (const [id, ticket] of new Map(values)) {
      const old = this.#rows.get(id);
      if (ticket) {
        if (old && isSame(old, ticket)) continue;
        this.#rows.set(id, ticket);
        changes.push({ type: old ? "UPDATE" : "INSERT", ticket });
      } else if (old) {
        this.#rows.delete(id);
        changes.push({ type: "DELETE", ticket: old });
      }
    }
    if (!changes.length) return;
    if (this.#mayLackMore) this.#stale = true;
    this.#sorted = undefined;
    this.#tell(() => this.listeners.onChange?.(changes, this.tickets));
  }

  /** Access to a topic was lost, and with it to the tickets that it is about. */
  #forget(sensitive: boolean): void {
    const rows = [...this.#rows.values()].filter((row) => row.is_sensitive === sensitive);
    this.#stale = true;
    this.#change(rows.map(({ id }) => gone(id)));
  }

  // Sundry ------------------------------------------------------------------------------------------------------------

  /** The server's time is this or later. By a clock that nobody sets, and that at most stands still while a device sleeps. */
  #serverTime(): number {
    return clock() - this.#skew;
  }

  #setState(state: ConnectionState): void {
    if (state === this.#state || this.#closed) return;
    this.#state = state;
    this.#tell(() => this.listeners.onState?.(state));
  }

  #tell(listener: () => void): void {
    if (this.#closed) return;
    try {
      listener();
    } catch (error) {
      console.error(error); // the dashboard's own; it must not break the list
    }
  }

  /** One at a time; `#hurry` ends it early. */
  #pause(ms: number): Promise<void> {
    this.#hurry();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** From its joins to the interruption that ends it. */
class Connection {
  readonly #controller = new AbortController();
  readonly channels: RealtimeChannel[] = [];
  token: string | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.signal.aborted;
  }

  /** The first reason stays. */
  end(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** What the promise gives, or the connection's end if that is first. */
  async orEnd<T>(promise: Promise<T>): Promise<T> {
    let onEnd!: () => void;
    const end = new Promise<never>((_, reject) => {
      onEnd = () => reject(this.signal.reason);
      this.signal.addEventListener("abort", onEnd);
    });
    try {
      if (this.isOver) onEnd();
      return await Promise.race([end, promise]);
    } finally {
      this.signal.removeEventListener("abort", onEnd);
    }
  }
}

type Query = ReturnType<typeof selectTickets>;

function selectTickets(supabase: AnyClient, columns: string, options?: { count: "exact"; head: true }) {
  return supabase.from("tickets").select(columns, options);
}

const columns = TICKET_COLUMNS.split(", ") as (keyof Ticket)[];

function isSame(one: Ticket, other: Ticket): boolean {
  return columns.every((column) => one[column] === other[column]);
}

/** The database writes times in UTC and leaves trailing zeros out, so that their text sorts as they do. */
function newestFirst(one: Ticket, other: Ticket): number {
  if (one.updated_at !== other.updated_at) return one.updated_at < other.updated_at ? 1 : -1;
  return one.id < other.id ? -1 : 1;
}

function clock(): number {
  return performance.timeOrigin + performance.now();
}

function jitter(): number {
  return 0.5 + Math.random();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
