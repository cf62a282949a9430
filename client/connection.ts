/** One connection to Realtime, from its joins to the interruption that ends it. */
import type { RealtimeChannel } from "@supabase/supabase-js";
import type { Message } from "./messages.ts";
import { SECOND } from "./time.ts";

/** Most messages that Realtime replays. */
export const REPLAY = 25;
/** Realtime itself gives up on replication after a minute. */
const READY_TIMEOUT = 70 * SECOND;

/** This token may not receive that topic: no use in trying again with it. */
export class Refusal extends Error {
  override name = "Refusal";
}
const REFUSED = /^Unauthorized|^MalformedJWT|^JwtSignatureError|have permission/;

/** What a channel tells while it is joined. */
export interface ChannelListeners {
  /** Returns whether the message is new. */
  onMessage(message: Message): boolean;
  /** As many messages were replayed as can be, and the oldest was new: there may be more before. */
  onFullReplay(): void;
  /** The topic may no longer be received. */
  onRefused(): void;
  /** The socket may look open and be dead. */
  onTimedOut(): void;
}

export class Connection {
  readonly #controller = new AbortController();
  readonly #channels: RealtimeChannel[] = [];
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

  /** Ends it and returns its channels, to be left for good: realtime-js would rejoin them with the `since` of the first join. */
  leave(): RealtimeChannel[] {
    this.end(new Error("left"));
    return this.#channels.splice(0);
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

  /** Resolves when the channel is joined, its replay here (Realtime sends it before) and replication established. */
  join(channel: RealtimeChannel, listeners: ChannelListeners): Promise<void> {
    this.#channels.push(channel);
    let timer: ReturnType<typeof setTimeout>;
    let isReady = false;
    const replayed: boolean[] = [];
    const joined = new Promise<void>((resolve, reject) => {
      const fail = (message: string, cause?: unknown) => {
        const error = new (REFUSED.test(message) ? Refusal : Error)(message, { cause });
        if (!isReady) return reject(error);
        // What may no longer be seen goes at once; whether that is final, the next join tells.
        if (error instanceof Refusal) listeners.onRefused();
        this.end(new Error(message, { cause }));
      };
      this.signal.addEventListener("abort", () => reject(this.signal.reason));
      timer = setTimeout(() => fail("Realtime's replication was not ready in time"), READY_TIMEOUT);
      channel.on("broadcast", { event: "*" }, (message: Message) => {
        if (this.isOver) return;
        const isNew = listeners.onMessage(message);
        if (!message.meta?.replayed) return;
        replayed.push(isNew);
        if (replayed.length === REPLAY && replayed[0]) listeners.onFullReplay();
      });
      channel.on("system", {}, ({ extension, status, message }: Record<string, string>) => {
        if (this.isOver || extension !== "system") return;
        if (status !== "ok") return fail(message ?? "Realtime closed the channel");
        isReady = true;
        resolve();
      });
      channel.subscribe((status, error) => {
        if (this.isOver) return;
        if (status === "SUBSCRIBED") return;
        if (status === "TIMED_OUT") listeners.onTimedOut();
        fail(error?.message ?? `the channel is ${status}`, error);
      });
    });
    return joined.finally(() => clearTimeout(timer));
  }
}
