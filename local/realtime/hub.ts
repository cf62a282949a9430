/** Who listens to what, and the replication slot that feeds them. */
import type postgres from "postgres";
import type { Keys } from "../types.ts";
import { type Replication, type Row, startReplication } from "./replication.ts";
import { Broadcast, type TextBroadcast } from "./wire.ts";

export interface Options {
  /** How long the slot outlives the last client. Hosted: about 11 minutes. */
  idleMs: number;
  /** How long a refused join waits for its answer. Hosted: 5 seconds. */
  joinErrorDelayMs: number;
  /** Least time between two tokens that a channel looks at. Hosted: 10 seconds. */
  tokenThrottleMs: number;
  /** How long `replication_ready` waits for the slot. Hosted: 1 minute. */
  readyTimeoutMs: number;
  /** Whether a channel that is not private may be joined. Hosted allows it unless switched off. */
  allowPublic: boolean;
  /** A client that lets more than this pile up is disconnected. */
  maxBufferedBytes: number;
}

/** One open socket. */
export interface Peer {
  close(code: number, reason: string): void;
}

/** One who listens to a topic. `encoded` keeps what was made of the message, by protocol version, for the next. */
export interface Member {
  deliver(
    message: Broadcast | TextBroadcast,
    encoded: Map<string, string | Uint8Array<ArrayBuffer> | undefined>,
  ): void;
}

const utf8 = new TextEncoder();
const retryMs = 1000;

export class Hub {
  readonly #members = new Map<string, Set<Member>>();
  readonly #connections = new Set<Peer>();
  #replication: Replication | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isCut = false;

  constructor(readonly sql: postgres.Sql, readonly keys: Keys, readonly options: Options) {}

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Open sockets. */
  get size(): number {
    return this.#connections.size;
  }

  connected(connection: Peer): void {
    this.#connections.add(connection);
    clearTimeout(this.#idle);
  }

  disconnected(connection: Peer): void {
    if (!this.#connections.delete(connection) || this.#connections.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stopReplication(), this.options.idleMs);
  }

  subscribe(isPrivate: boolean, topic: string, channel: Member): void {
    const key = memberKey(isPrivate, topic);
    const members = this.#members.get(key) ?? new Set();
    this.#members.set(key, members.add(channel));
  }

  unsubscribe(isPrivate: boolean, topic: string, channel: Member): void {
    const key = memberKey(isPrivate, topic);
    const members = this.#members.get(key);
    members?.delete(channel);
    if (members?.size === 0) this.#members.delete(key);
  }

  /** Public and private channels of one name are two: neither hears the other's messages. */
  broadcast(isPrivate: boolean, topic: string, message: Broadcast | TextBroadcast, except?: Member): void {
    const encoded = new Map();
    for (const channel of this.#members.get(memberKey(isPrivate, topic)) ?? []) {
      if (channel !== except) channel.deliver(message, encoded);
    }
  }

  /** The first join starts the slot; it is not waited for. */
  wakeReplication(): void {
    if (this.#replication || this.#isCut) return;
    const replication = startReplication(this.sql, (row) => this.#deliver(row), (error) => {
      if (error instanceof Error) console.error(`realtime: replication: ${error.message}`);
      if (this.#replication !== replication) return;
      this.#replication = undefined;
      this.#retryReplication();
    });
    this.#replication = replication;
  }

  /** Resolves when the slot streams, or nobody waits any more; rejects when it does not in time. */
  async replicationReady(isWanted: () => boolean): Promise<void> {
    const deadline = Date.now() + this.options.readyTimeoutMs;
    while (Date.now() < deadline) {
      if (!isWanted()) return;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), this.#replication ? deadline - Date.now() : 50);
      });
      const ready = this.#replication?.ready.then(() => true, () => false) ?? timeout;
      const isReady = await Promise.race([ready, timeout]);
      clearTimeout(timer);
      if (isReady) return;
    }
    throw new Error("The replication connection was not established in time");
  }

  /** The sockets go; the slot stays, as in a blip of a network. */
  dropSockets(): void {
    for (const connection of [...this.#connections]) connection.close(4001, "dropped");
  }

  /** The slot goes and is made again a moment later; clients hear nothing of it, and miss what commits in between. */
  async dropSlot(): Promise<void> {
    await this.#stopReplication();
    this.#retryReplication();
  }

  /** Sockets and slot go, and nobody gets in. */
  async cut(): Promise<void> {
    this.#isCut = true;
    this.dropSockets();
    await this.#stopReplication();
  }

  restore(): void {
    this.#isCut = false;
  }

  async #stopReplication(): Promise<void> {
    clearTimeout(this.#idle);
    clearTimeout(this.#retry);
    const ending = this.#replication;
    this.#replication = undefined;
    await ending?.stop();
  }

  #retryReplication(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (this.#connections.size) this.wakeReplication();
    }, retryMs);
  }

  #deliver({ topic, event, payload, binary_payload: binary, private: isPrivate, id }: Row): void {
    if (topic == null || event == null || isPrivate == null || id == null) return;
    if ((payload?.length ?? 0) > MAX_PAYLOAD) {
      console.error(`realtime: a message of ${payload!.length} characters is dropped`);
      return;
    }
    if (binary != null) {
      const bytes = Uint8Array.fromHex(binary.slice(2)); // `\x…`
      this.broadcast(isPrivate === "t", topic, new Broadcast(event, bytes, true, { id }));
    } else if (payload?.startsWith("{")) {
      this.broadcast(isPrivate === "t", topic, new Broadcast(event, utf8.encode(payload), false, { id }));
    }
  }
}

/** Characters. On the free plan; what is larger the server logs and nobody hears. */
const MAX_PAYLOAD = 256_000;

function memberKey(isPrivate: boolean, topic: string): string {
  return `${isPrivate ? "private" : "public"} ${topic}`;
}
