/**
 * A municipality's tickets, live. Realtime delivers at most once and does not say what it lost; the list equals the table
 * all the same.
 *
 * - First the channels, then the rows: whatever is committed once replication stands comes as an event.
 * - An event only says which ticket to look at. Tickets that change together are read together, under row-level security.
 * - After an interruption the window is read again. It has a limit, so that costs the same however many tickets there are.
 */
import { Connection, Known, type Message, Refusal, TOO_MUCH } from "./connection.ts";
import { TicketList, type Value } from "./list.ts";
import { readTickets, readWindow, type Source } from "./reading.ts";
import { currentToken, watchUser } from "./session.ts";
import { Settling } from "./settling.ts";
import type {
  AnyClient,
  ConnectionState,
  MediaEvent,
  MessageEvent,
  Ticket,
  TicketChange,
  TicketListeners,
  TicketSubscription,
  TicketWindow,
} from "./types.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** The window is read this often whatever happens: Realtime may lose its replication slot without telling anybody. */
const CHECK_EVERY = 5 * MINUTE;
/** Events that come together share a request. */
const GATHER = 30;
/** All dashboards hear of a bulk change, and lose a server, at the same moment: they spread what they ask then. */
const SPREAD = SECOND;
const TICK = 5 * SECOND;
/** Longer without a tick, and the device slept. Browsers let a hidden tab's timers run once a minute. */
const SLEPT = 90 * SECOND;
const TOKEN_POLL = 2 * SECOND;

/**
 * Keeps a window of a municipality's tickets; with `sensitive` also those on its GBV channel, for those who may see them.
 * One subscription per municipality and client. The client's session decides what may be seen: until somebody has signed
 * in the subscription waits, offline, and when they sign out it is empty at once.
 */
export function subscribeToTickets(
  supabase: AnyClient,
  municipalityId: string,
  listeners: TicketListeners,
  { sensitive = false, ...window }: { sensitive?: boolean } & TicketWindow = {},
): TicketSubscription {
  return new Subscription({ supabase, municipalityId, sensitive }, window, listeners);
}

/** Municipalities, by client. */
const subscribed = new WeakMap<AnyClient, Set<string>>();

class Subscription implements TicketSubscription {
  readonly #list = new TicketList();
  readonly #supabase: AnyClient;
  readonly #source: Source;
  readonly #listeners: TicketListeners;
  #window: TicketWindow;
  #state: ConnectionState = "connecting";
  #fetches = 0;

  // What is to be done. It outlives a connection: the next one finishes it.
  #isStale = true;
  readonly #dirty = new Set<string>();

  readonly #settling = new Settling((ids) => {
    for (const id of ids) this.#dirty.add(id);
    this.#wake();
  });
  /** Tickets that left while a request was under way: its answer may still hold them. */
  readonly #left = new Set<string>();
  readonly #known = new Known();
  /** When the window was last read. */
  #readAt = 0;

  #connection = new Connection();
  #isClosed = false;
  #isLater = false;
  #isDeaf = false;
  #ticked = Date.now();
  #wake = () => {};
  #hurry = () => {};
  #bulk: ReturnType<typeof setTimeout> | undefined;
  readonly #ticks: ReturnType<typeof setInterval>;
  readonly #stopWatching: () => void;
  readonly #running: Promise<void>;

  constructor(source: Source, window: TicketWindow, listeners: TicketListeners) {
    const { supabase, municipalityId } = source;
    const others = subscribed.get(supabase) ?? new Set();
    // realtime-js has one channel per topic, and gives it to all who ask.
    if (others.has(municipalityId)) {
      throw new Error("Subscribed to this municipality already: close that one first");
    }
    subscribed.set(supabase, others.add(municipalityId));
    this.#supabase = supabase;
    this.#source = source;
    this.#listeners = listeners;
    this.#window = window;
    this.#ticks = setInterval(() => this.#tick(), TICK);
    globalThis.addEventListener?.("online", this.#online);
    globalThis.addEventListener?.("offline", this.#offline);
    this.#stopWatching = watchUser(supabase, (user, before) => this.#userChanged(user, before));
    this.#running = this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get fetches(): number {
    return this.#fetches;
  }

  get tickets(): Ticket[] {
    return this.#list.shown;
  }

  get hasMore(): boolean {
    return this.#list.hasMore;
  }

  show(window: TicketWindow): void {
    this.#window = window;
    this.#isStale = true;
    this.#wake();
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      subscribed.get(this.#supabase)!.delete(this.#source.municipalityId);
      clearInterval(this.#ticks);
      clearTimeout(this.#bulk);
      this.#settling.stop();
      globalThis.removeEventListener?.("online", this.#online);
      globalThis.removeEventListener?.("offline", this.#offline);
      this.#stopWatching();
      this.#connection.end(new Error("closed"));
      this.#leave();
      this.#list.drop(() => true);
    }
    await this.#running;
  }

  // The connection ----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isClosed; failures++) {
      this.#connection = new Connection();
      try {
        await this.#connect(this.#connection);
        await this.#follow(this.#connection, () => failures = 0);
      } catch (thrown) {
        const error = asError(thrown);
        this.#leave();
        if (this.#isClosed) break;
        this.#setState("offline");
        this.#tell(() => this.#listeners.onError?.(error));
        if (TOO_MUCH.test(error.message)) failures = Math.max(failures, 4);
        if (error instanceof Refusal) await this.#untilOtherToken(this.#connection.token);
        else await this.#pause(Math.min(SPREAD * 2 ** failures, 30 * SECOND) * Math.random());
      }
    }
  }

  async #connect(connection: Connection): Promise<void> {
    const { session, token } = await connection.orEnd(currentToken(this.#supabase));
    connection.token = token;
    if (session === null) throw new Refusal("nobody is signed in");
    const { realtime } = this.#supabase;
    // realtime-js opens a socket that was lost only after a delay of its own, and never one that it takes for open.
    const isLost = !realtime.isConnected() && !realtime.isConnecting() && this.#isLater;
    if (this.#isDeaf || isLost) await connection.orEnd(realtime.disconnect());
    this.#isDeaf = false;
    this.#isLater = true;

    const topics = this.#source.sensitive ? [false, true] : [false];
    const outcomes = await connection.orEnd(
      Promise.allSettled(topics.map((sensitive) => this.#join(connection, sensitive))),
    );
    const failures = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason] : []);
    const worst = failures.find((reason) => reason instanceof Refusal) ?? failures[0];
    if (worst) throw worst;
    // What was committed in the interruption is in no event.
    this.#isStale = true;
    this.#setState(this.#fetches ? "catching_up" : "connecting");
  }

  #join(connection: Connection, sensitive: boolean): Promise<void> {
    const topic = `municipality:${this.#source.municipalityId}${sensitive ? ":gbv" : ""}`;
    return connection.join(this.#supabase, topic, {
      onMessage: (message) => this.#receive(message),
      onRefusal: () => this.#forget((ticket) => !sensitive || ticket.is_sensitive),
    });
  }

  #leave(): void {
    this.#isDeaf ||= this.#connection.isDeaf;
    this.#connection.leave(this.#supabase);
    this.#hurry();
  }

  async #untilOtherToken(refused: string | null): Promise<void> {
    const isSame = () => currentToken(this.#supabase).then(({ token }) => token === refused, () => true);
    while (!this.#isClosed && await isSame()) {
      if (!this.#isClosed) await this.#pause(TOKEN_POLL);
    }
  }

  /** What one user was shown is not for the next, nor for whoever sits down after a sign-out. */
  #userChanged(user: string | null, before: string | null): void {
    if (this.#isClosed) return;
    if (before !== null) {
      this.#forget(() => true);
      this.#dirty.clear();
      this.#settling.forget();
      this.#setState("offline");
    }
    this.#connection.end(new Error(user ? "another user signed in" : "the user signed out"));
    this.#hurry();
  }

  #tick(): void {
    const now = Date.now();
    const slept = now - this.#ticked > SLEPT;
    this.#ticked = now;
    if (slept) this.#connection.end(new Error("the device slept"));
    if (this.#state !== "live" || this.#connection.isOver) return;
    this.#connection.probe(this.#supabase);
    if (performance.now() - this.#readAt > CHECK_EVERY) {
      this.#isStale = true;
      this.#wake();
    }
  }

  #online = () => this.#networkChanged("the network changed");
  #offline = () => this.#networkChanged("there is no network");

  #networkChanged(reason: string): void {
    this.#isDeaf = true;
    this.#connection.end(new Error(reason));
    this.#hurry();
  }

  // Messages ----------------------------------------------------------------------------------------------------------

  #receive({ event, payload, meta }: Message): void {
    // A replayed change is in the rows that are read after the join, or comes live as well: as that one it must not be known yet.
    if (meta?.replayed && event === "ticket_event") return;
    const id = meta?.id ?? String(payload.id);
    if (!this.#known.isNew(id)) return;
    // Replay before the first rows only tells which messages are old.
    if (meta?.replayed && !this.#fetches) return;
    const { id: _, ...told } = payload;
    if (event === "ticket_event") this.#heed(told);
    else if (event === "media_event") {
      this.#tell(() => this.#listeners.onMedia?.(told as unknown as MediaEvent));
    } else if (event === "message_event") {
      this.#tell(() => this.#listeners.onMessage?.(told as unknown as MessageEvent));
    } else if (event === "municipality_event") this.#tell(() => this.#listeners.onEvent?.(told));
  }

  #heed({ type, ticket_id: id, left }: Record<string, unknown>): void {
    // A sensitive topic cannot tell a ticket that has gone from one that moved to the other.
    if (type === "DELETE" && typeof id === "string" && !this.#source.sensitive) this.#drop([id]);
    if (typeof id === "string") {
      this.#settling.note(id);
      this.#dirty.add(id);
    } else {
      if (Array.isArray(left) && !this.#source.sensitive) this.#drop(left.map(String));
      this.#bulk ??= setTimeout(() => {
        this.#bulk = undefined;
        this.#isStale = true;
        this.#wake();
      }, SPREAD * (0.25 + Math.random()));
    }
    this.#wake();
    this.#tell(() => this.#listeners.onTouch?.(typeof id === "string" ? id : undefined));
  }

  #drop(ids: string[]): void {
    for (const id of ids) this.#left.add(id);
    this.#changed(this.#list.apply(ids.map((id): Value => [id, undefined])));
  }

  // The list ----------------------------------------------------------------------------------------------------------

  /** Does what there is to do, one thing after the other, until the connection ends. */
  async #follow(connection: Connection, onLive: () => void): Promise<never> {
    for (;;) {
      connection.signal.throwIfAborted();
      if (this.#isStale) await this.#fetch(connection);
      else if (this.#dirty.size) {
        await connection.orEnd(this.#pause(GATHER * (0.5 + Math.random())));
        await this.#look(connection);
      } else {
        if (this.#state !== "live") {
          onLive();
          this.#setState("live");
        }
        await connection.orEnd(new Promise<void>((resolve) => this.#wake = resolve));
      }
    }
  }

  async #fetch(connection: Connection): Promise<void> {
    const window = this.#window;
    const isFirst = !this.#fetches;
    const readAt = performance.now();
    this.#isStale = false;
    this.#dirty.clear();
    this.#left.clear();
    const replace = (rows: Ticket[], isAll: boolean) => {
      connection.signal.throwIfAborted();
      if (window !== this.#window) return;
      this.#changed(this.#list.replace(window, rows.filter(({ id }) => !this.#left.has(id)), isAll));
    };
    try {
      const { rows, isAll } = await readWindow(this.#source, connection, window, (rows) => {
        if (isFirst && rows.length) replace(rows, false);
        return window === this.#window;
      });
      this.#fetches++;
      replace(rows, isAll);
      this.#readAt = readAt;
      this.#settling.wasRead(readAt);
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  async #look(connection: Connection): Promise<void> {
    const window = this.#window;
    const ids = [...this.#dirty];
    const readAt = performance.now();
    this.#dirty.clear();
    this.#left.clear();
    try {
      const rows = await readTickets(this.#source, connection, window, ids);
      connection.signal.throwIfAborted();
      this.#settling.wasRead(readAt, ids);
      if (window !== this.#window) return; // it is read anew
      const now = new Map(rows.filter(({ id }) => !this.#left.has(id)).map((row) => [row.id, row]));
      this.#changed(this.#list.apply(ids.map((id): Value => [id, now.get(id)])));
      if (this.#list.isShort) this.#isStale = true;
    } catch (error) {
      for (const id of ids) this.#dirty.add(id);
      throw error;
    }
  }

  /** What may no longer be seen goes at once. */
  #forget(isHidden: (ticket: Ticket) => boolean): void {
    this.#isStale = true;
    this.#changed(this.#list.drop(isHidden));
  }

  // Sundry ------------------------------------------------------------------------------------------------------------

  #changed(changes: TicketChange[]): void {
    if (changes.length) this.#tell(() => this.#listeners.onChange?.(changes, this.tickets));
  }

  #setState(state: ConnectionState): void {
    if (state === this.#state || this.#isClosed) return;
    this.#state = state;
    this.#tell(() => this.#listeners.onState?.(state));
  }

  #tell(listener: () => void): void {
    if (this.#isClosed) return;
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
