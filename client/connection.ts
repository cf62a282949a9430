/** A connection to a municipality's topics, from its joins to the interruption that ends it. */
import type { RealtimeChannel } from "@supabase/supabase-js";
import type { AnyClient } from "./types.ts";

const HOUR = 3_600_000;
/** Most messages that Realtime replays, and how far back. The device's clock may be a day ahead. */
const REPLAY = { limit: 25, hours: 25 };
/** Realtime itself gives up on replication after a minute. */
const READY_TIMEOUT = 70_000;

export interface Message {
  event: string;
  payload: Record<string, unknown>;
  meta?: { id: string; replayed?: boolean };
}

/** This token may not receive that topic: trying again with it is no use. */
export class Refusal extends Error {
  override name: string = "Refusal";
}

/** Realtime's limits on messages and joins a second. */
export const TOO_MUCH: RegExp = /Too many|RateLimit/;
const REFUSED = /^Unauthorized|^MalformedJWT|^JwtSignatureError|have permission/;

export class Connection {
  readonly #controller = new AbortController();
  readonly #channels: RealtimeChannel[] = [];
  /** The socket may look open and be dead. */
  isDeaf = false;
  token: string | null = null;
  #unanswered: { ref: string; ticks: number } | undefined;

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

  /** Channels are left for good: realtime-js would rejoin them with the `since` of the first join. */
  leave(supabase: AnyClient): void {
    this.end(new Error("left"));
    for (const channel of this.#channels.splice(0)) void supabase.removeChannel(channel);
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

  /**
   * Asks the server for a sign of life, and ends the connection when the last question stays unanswered. realtime-js does
   * so itself, but takes up to 50 seconds. Called regularly.
   */
  probe(supabase: AnyClient): void {
    const { realtime } = supabase;
    const ref = realtime.pendingHeartbeatRef;
    if (!ref) {
      this.#unanswered = undefined;
      void realtime.sendHeartbeat();
    } else if (this.#unanswered?.ref !== ref) this.#unanswered = { ref, ticks: 1 };
    else if (++this.#unanswered.ticks > 1) {
      this.isDeaf = true;
      this.end(new Error("the server gave no sign of life"));
    }
  }

  /**
   * Resolves when the channel is joined, its replay here (Realtime sends it before) and replication established: whatever
   * is committed from then on comes as a message.
   */
  join(
    supabase: AnyClient,
    topic: string,
    { onMessage, onRefusal }: { onMessage: (message: Message) => void; onRefusal: () => void },
  ): Promise<void> {
    const since = Date.now() - REPLAY.hours * HOUR;
    const channel = supabase.channel(topic, {
      config: {
        private: true,
        broadcast: { self: false, replication_ready: true, replay: { since, limit: REPLAY.limit } },
      },
    });
    this.#channels.push(channel);
    let timer: ReturnType<typeof setTimeout>;
    let isReady = false;
    const joined = new Promise<void>((resolve, reject) => {
      const fail = (message: string, cause?: unknown) => {
        const error = new (REFUSED.test(message) ? Refusal : Error)(message, { cause });
        // What may no longer be seen goes at once; the next join tells whether that is final.
        if (error instanceof Refusal) onRefusal();
        if (isReady) this.end(error);
        else reject(error);
      };
      this.signal.addEventListener("abort", () => reject(this.signal.reason));
      timer = setTimeout(() => fail("Realtime's replication was not ready in time"), READY_TIMEOUT);
      channel.on("broadcast", { event: "*" }, (message: Message) => {
        if (!this.isOver) onMessage(message);
      });
      channel.on("system", {}, ({ extension, status, message }: Record<string, string>) => {
        if (this.isOver || extension !== "system") return;
        if (status !== "ok") return fail(message ?? "Realtime closed the channel");
        isReady = true;
        resolve();
      });
      channel.subscribe((status, error) => {
        if (this.isOver || status === "SUBSCRIBED") return;
        if (status === "TIMED_OUT") this.isDeaf = true;
        fail(error?.message ?? `the channel is ${status}`, error);
      });
    });
    return joined.finally(() => clearTimeout(timer));
  }
}

/** Ids of the latest messages: each message counts once, replayed or live. */
export class Known {
  static readonly #MOST = 5000;
  readonly #ids = new Set<string>();

  /** Whether it was not known; from now on it is. */
  isNew(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > Known.#MOST) this.#ids.delete(oldest!);
    return true;
  }
}
