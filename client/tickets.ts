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
import { Connection, Refusal, REPLAY } from "./connection.ts";
import { KnownMessages, type Message, ticketNews } from "./messages.ts";
import { currentToken } from "./session.ts";
import { Settling } from "./settling.ts";
import { gone, TicketList, type Value } from "./ticket-list.ts";
import { TicketTable } from "./ticket-table.ts";
import { clock, HOUR, jitter, MINUTE, SECOND } from "./time.ts";
import type {
  AnyClient,
  ConnectionState,
  MediaEvent,
  Ticket,
  TicketListeners,
  TicketSubscription,
} from "./types.ts";

/**
 * How far before the last good moment to look again. Covers a dead connection that nobody noticed yet (two heartbeats of
 * 25 s) and writes that took long: rows and messages bear the time at which their transaction began.
 */
const OVERLAP = 5 * MINUTE;
/** A live list is checked this often too: Realtime may lose its replication slot without a word to anybody. */
const CHECK_EVERY = 5 * MINUTE;
/** Events that need a look at the table and come together share a request. */
const GATHER = 50;
/** Everybody is told of a bulk change at the same moment; nobody should ask for the list at the same moment. */
const BULK_DELAY = 500;
const TICK = 5 * SECOND;
/** Longer without a tick, and the device slept. Browsers let a hidden tab's timers run once a minute. */
const SLEPT = 90 * SECOND;
const TOKEN_POLL = 2 * SECOND;
/** How far ahead of the server a device's clock may be until an event has told better. */
const WORST_SKEW = 24 * HOUR;

/** Realtime's limits on messages and joins a second. */
const TOO_MUCH = /Too many|RateLimit/;

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
  readonly #list = new TicketList();
  readonly #table: TicketTable;
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
  /** The list is to be compared with the table: attempt number, 0 for none. */
  #doubts = 0;

  readonly #settling = new Settling((ids) => {
    for (const id of ids) this.#dirty.add(id);
    this.#wake();
  });
  readonly #known = new KnownMessages();
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
    this.#table = new TicketTable(supabase, municipalityId, sensitive);
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
    return this.#list.tickets;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      subscribed.get(this.supabase)!.delete(this.municipalityId);
      clearInterval(this.#ticks);
      clearTimeout(this.#bulk);
      this.#settling.close();
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
    connection.token = await connection.orEnd(currentToken(this.supabase));
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

  #join(connection: Connection, sensitive: boolean): Promise<void> {
    // The first list holds all that was before; the replay asked then is for the messages' ids alone.
    const since = this.#fetches ? Math.max(0, Math.floor(this.#good - OVERLAP)) : 0;
    const channel = this.supabase.channel(`municipality:${this.municipalityId}${sensitive ? ":gbv" : ""}`, {
      config: {
        private: true,
        broadcast: { self: false, replication_ready: true, replay: { since, limit: REPLAY } },
      },
    });
    return connection.join(channel, {
      onMessage: (message) => this.#receive(message),
      onFullReplay: () => this.#mayLackMore = true,
      onRefused: () => this.#forget(sensitive),
      onTimedOut: () => this.#deaf = true,
    });
  }

  #leave(): void {
    const channels = this.#connection.leave();
    this.#hurry();
    for (const channel of channels) void this.supabase.removeChannel(channel);
  }

  async #untilOtherToken(refused: string | null): Promise<void> {
    while (!this.#closed && await currentToken(this.supabase).catch(() => refused) === refused) {
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
  #receive(message: Message): boolean {
    if (!this.#known.add(message)) return false;
    const { event, payload, meta } = message;
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
    const news = ticketNews(payload);
    if (news?.of !== "one") {
      for (const id of news?.left ?? []) {
        this.#dirty.add(id);
        this.#settling.noteEvent(id);
      }
      if (!news) this.#doubts ||= 1;
      else if (isReplayed) this.#stale = true;
      else this.#fetchSoon();
      return this.#wake();
    }
    const { change, details } = news;
    const { type, ticket_id: id } = change;
    if (!isReplayed) this.#settling.noteEvent(id);
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
      const rows = await this.#table.all(connection);
      this.#settling.wereRead(readAt);
      this.#fetches++;
      this.#change([...this.#list.ids().map(gone), ...rows]);
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
    const readAt = clock();
    let rows: Value[];
    try {
      // What the table says now is newer than all that has been told.
      rows = await this.#table.withIds(connection, ids);
    } catch (error) {
      this.#queue.unshift(...queue);
      for (const id of ids) this.#dirty.add(id);
      throw error;
    }
    this.#settling.wereRead(readAt, ids);
    this.#change([...queue, ...ids.map(gone), ...rows]);
  }

  /** Equal, if the rows changed of late are taken from the table and then there are as many. */
  async #compare(connection: Connection): Promise<void> {
    const doubts = this.#doubts;
    const now = this.#serverTime();
    const readAt = clock();
    const count = await this.#table.count(connection);
    const rows = await this.#table.changedSince(connection, Math.max(0, this.#checked - OVERLAP));
    this.#settling.wereRead(readAt);
    this.#change(rows);
    if (count === this.#list.size) {
      this.#doubts = 0;
      this.#checked = now;
    } else if (doubts === 1) {
      this.#doubts = 2; // perhaps a change has just been counted whose event is on its way
      await connection.orEnd(this.#pause(250));
    } else this.#stale = true;
  }

  #change(values: Iterable<Value>): void {
    const changes = this.#list.change(values);
    if (!changes.length) return;
    if (this.#mayLackMore) this.#stale = true;
    this.#tell(() => this.listeners.onChange?.(changes, this.tickets));
  }

  /** Access to a topic was lost, and with it to the tickets that it is about. */
  #forget(sensitive: boolean): void {
    this.#stale = true;
    this.#change(this.#list.ids(sensitive).map(gone));
  }

  // Sundry ------------------------------------------------------------------------------------------------------------

  /** The server's time is this or later. */
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

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
