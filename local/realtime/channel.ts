/** One channel of one client: joined, heard, authorized again with each new token, left. */
import {
  type Caller,
  type Extension,
  MissingPartition,
  readable,
  TokenError,
  type VerifiedClaims,
  verifyToken,
  writable,
} from "./authorization.ts";
import type { Hub, Member } from "./hub.ts";
import { replay } from "./replay.ts";
import { Broadcast, encodeBroadcast, type Frame, TextBroadcast, type Version } from "./wire.ts";

export const TOPIC_PREFIX = "realtime:";
const oneHour = 3_600_000;

/** A join that is refused, with the reason that the client is told. */
class Refusal extends Error {}

/** What a channel needs of the connection that it was joined over. */
export interface Line {
  readonly hub: Hub;
  readonly version: Version;
  /** The token that the API key stands for. */
  readonly keyToken: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  push(frame: Omit<Frame, "payload"> & { payload: unknown }): void;
  reply(frame: Frame, status: "ok" | "error", response?: unknown): void;
  leave(channel: Channel): void;
}

export class Channel implements Member {
  readonly topic: string;
  /** Without `realtime:`. */
  readonly name: string;
  readonly joinRef: string | null;

  #isPrivate = false;
  #self = false;
  #ack = false;
  #presence = false;
  #token = "";
  #caller: Caller | undefined;
  /** May the members' broadcasts be read? Decided at the join and at each new token. */
  #reads = true;
  /** May this client broadcast? Asked for when it first does. */
  #writes: boolean | undefined;
  /** Replayed already: live delivery leaves them out. */
  #replayed = new Set<string>();
  #ended = false;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #pending: { token: string; timer: ReturnType<typeof setTimeout> } | undefined;
  #lastTokenAt = -Infinity;
  /** What a client sends on one topic is handled in order. */
  #queue: Promise<void> = Promise.resolve();

  constructor(private readonly connection: Line, { topic, joinRef, ref }: Frame) {
    this.topic = topic;
    this.name = topic.slice(TOPIC_PREFIX.length);
    this.joinRef = joinRef ?? ref;
  }

  get #hub() {
    return this.connection.hub;
  }

  run(work: () => Promise<void> | void): void {
    this.#queue = this.#queue.then(async () => {
      if (!this.#ended) await work();
    }).catch((error) => {
      console.error(`realtime: ${this.topic}:`, error);
      this.#push("phx_error", {});
      this.end();
    });
  }

  async join(frame: Frame): Promise<void> {
    try {
      const response = await this.#join(frame.payload as Record<string, unknown>);
      if (!response || this.#ended) return;
      this.connection.reply(frame, "ok", response.reply);
      response.after();
    } catch (error) {
      const reason = joinRefusal(error);
      if (reason === undefined) console.error(`realtime: joining ${this.topic}:`, error);
      await new Promise((resolve) => setTimeout(resolve, this.#hub.options.joinErrorDelayMs));
      if (!this.#ended) {
        this.connection.reply(frame, "error", { reason: reason ?? "Unknown Error on Channel" });
      }
      this.end();
    }
  }

  async #join(payload: Record<string, unknown>): Promise<{ reply: unknown; after(): void } | undefined> {
    if (this.name === "") throw new Refusal("TopicNameRequired: You must provide a topic name");
    const config = record(payload.config);
    const broadcast = record(config.broadcast);
    this.#isPrivate = config.private === true;
    this.#self = broadcast.self === true;
    this.#ack = broadcast.ack === true;
    this.#presence = payload.config === undefined || record(config.presence).enabled === true;
    if (!this.#isPrivate && !this.#hub.options.allowPublic) {
      throw new Refusal("PrivateOnly: This project only allows private channels");
    }
    this.#hub.wakeReplication();

    const given = payload.access_token ?? payload.user_token;
    const usesKey = typeof given !== "string" || given.startsWith("sb_");
    await this.#accept(usesKey ? this.connection.keyToken : given);
    if (this.#isPrivate && !await this.#authorize()) {
      throw new Refusal(`Unauthorized: ${this.#noPermission}`);
    }
    const replayed = "replay" in broadcast ? await this.#replay(broadcast.replay) : [];
    if (this.#ended) return undefined;
    this.#hub.subscribe(this.#isPrivate, this.name, this);

    const changes = Array.isArray(config.postgres_changes) ? config.postgres_changes : [];
    return {
      reply: { postgres_changes: changes.map((change, id) => ({ ...record(change), id })) },
      after: () => {
        for (const payload of replayed) this.#push("broadcast", payload);
        if (broadcast.replication_ready === true) this.#tellWhenReady();
        if (this.#presence) this.#push("presence_state", {});
        if (changes.length) {
          this.#system("error", "postgres_changes is not part of this stand-in", "postgres_changes");
        }
      },
    };
  }

  async #replay(parameters: unknown) {
    if (!this.#isPrivate) {
      throw new Refusal("UnableToReplayMessages: Replay is not allowed for public channels");
    }
    if (!this.#reads) throw new Refusal(`Unauthorized: ${this.#noPermission}`);
    const { since = 0, limit = 10 } = record(parameters);
    if (!Number.isInteger(since) || !Number.isInteger(limit)) {
      throw new Refusal("UnableToReplayMessages: Replay params are not valid");
    }
    const messages = await replay(this.#hub.sql, this.name, since as number, limit as number);
    this.#replayed = new Set(messages.map(({ meta }) => meta.id));
    return messages;
  }

  async receive(frame: Frame): Promise<void> {
    const { event, payload } = frame;
    if (event === "phx_leave") {
      this.connection.reply(frame, "ok");
      this.close();
    } else if (event === "access_token") {
      const token = (payload as Record<string, unknown>).access_token;
      if (typeof token === "string" && !token.startsWith("sb_")) await this.#newToken(token);
    } else if (event === "broadcast") {
      if (!await this.#mayWrite()) return; // without a word, as on hosted
      const message = payload instanceof Broadcast ? payload : new TextBroadcast(payload);
      this.#hub.broadcast(this.#isPrivate, this.name, message, this.#self ? undefined : this);
      if (this.#ack) this.connection.reply(frame, "ok");
    } else if (event === "presence") {
      this.connection.reply(frame, "ok"); // the stand-in keeps no presence
    }
  }

  /** A message of the topic, for this client. */
  deliver(
    message: Broadcast | TextBroadcast,
    encoded: Map<string, string | Uint8Array<ArrayBuffer> | undefined>,
  ) {
    if (!this.#reads) return;
    if (message instanceof Broadcast && message.meta && this.#replayed.has(message.meta.id)) return;
    const { version } = this.connection;
    // The same bytes go to all members.
    if (!encoded.has(version)) encoded.set(version, encodeBroadcast(version, this.topic, message));
    const data = encoded.get(version);
    if (data !== undefined) this.connection.send(data);
  }

  /** Ends it on the server's initiative or after a leave: the client hears phx_close. */
  close(): void {
    if (this.#ended) return;
    this.connection.push({
      joinRef: this.joinRef,
      ref: this.joinRef,
      topic: this.topic,
      event: "phx_close",
      payload: {},
    });
    this.end();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#expiry);
    clearTimeout(this.#pending?.timer);
    this.#hub.unsubscribe(this.#isPrivate, this.name, this);
    this.connection.leave(this);
  }

  get #noPermission() {
    return `You do not have permissions to read from this Channel topic: ${this.name}`;
  }

  /** Takes a token as this channel's own, until it expires. */
  async #accept(token: string): Promise<void> {
    this.#token = token;
    const claims: VerifiedClaims = await verifyToken(this.#hub.keys, token);
    this.#caller = { claims, topic: this.name };
    clearTimeout(this.#expiry);
    if (this.#ended) return;
    const left = claims.exp * 1000 - Math.floor(Date.now() / 1000) * 1000;
    this.#expiry = setTimeout(() => this.run(() => this.#checkExpiry()), Math.min(left, oneHour));
  }

  async #checkExpiry(): Promise<void> {
    await this.#orShutDown(() => this.#accept(this.#pending ? this.#pending.token : this.#token));
  }

  /** Asks the policies; false when nothing of the topic may be read. */
  async #authorize(): Promise<boolean> {
    const extensions: Extension[] = this.#presence ? ["broadcast", "presence"] : ["broadcast"];
    const allowed = await readable(this.#hub.sql, this.#caller!, extensions);
    this.#reads = allowed.broadcast;
    this.#writes = undefined;
    return Object.values(allowed).includes(true);
  }

  async #mayWrite(): Promise<boolean> {
    if (!this.#isPrivate) return true;
    try {
      return this.#writes ??= await writable(this.#hub.sql, this.#caller!);
    } catch (error) {
      console.error(`realtime: broadcast on ${this.topic}:`, error);
      return false;
    }
  }

  /** The first new token counts at once, further ones at most every ten seconds. */
  async #newToken(token: string): Promise<void> {
    if (token === this.#token || token === this.#pending?.token) return;
    const wait = this.#lastTokenAt + this.#hub.options.tokenThrottleMs - Date.now();
    if (wait <= 0) return await this.#applyToken(token);
    if (this.#pending) this.#pending.token = token;
    else {
      const timer = setTimeout(() => this.run(() => this.#applyToken(this.#pending!.token)), wait);
      this.#pending = { token, timer };
    }
  }

  async #applyToken(token: string): Promise<void> {
    clearTimeout(this.#pending?.timer);
    this.#pending = undefined;
    this.#lastTokenAt = Date.now();
    await this.#orShutDown(async () => {
      const couldRead = this.#reads;
      await this.#accept(token);
      if (!this.#isPrivate) return;
      if (!await this.#authorize()) throw new Refusal(this.#noPermission);
      if (couldRead && !this.#reads) {
        throw new Refusal(
          `You no longer have permission to read from this Channel topic: ${this.name}`,
        );
      }
    });
  }

  /** What goes wrong with an open channel's token ends the channel, with a system message before. */
  async #orShutDown(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof TokenError) this.#shutDown(error.toChannel);
      else if (error instanceof Refusal) this.#shutDown(error.message);
      else this.#shutDown("Realtime was unable to connect to the project database");
    }
  }

  #shutDown(message: string): void {
    if (this.#ended) return;
    this.#system("error", message);
    this.close();
  }

  #tellWhenReady(): void {
    this.#hub.replicationReady(() => !this.#ended).then(
      () => this.#system("ok", "Replication connection established"),
      () => this.#shutDown("Replication connection was not established in time"),
    );
  }

  #system(status: "ok" | "error", message: string, extension = "system"): void {
    if (!this.#ended) this.#push("system", { extension, status, message, channel: this.name });
  }

  #push(event: string, payload: unknown): void {
    this.connection.push({ joinRef: this.joinRef, ref: null, topic: this.topic, event, payload });
  }
}

function joinRefusal(error: unknown): string | undefined {
  if (error instanceof Refusal) return error.message;
  if (error instanceof TokenError) return `${error.code}: ${error.message}`;
  if (error instanceof MissingPartition) {
    return "MissingPartition: Realtime was unable to find the expected messages partition";
  }
  return undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
