/** One WebSocket and the channels joined over it, as Phoenix runs them. */
import { Channel, type Line, TOPIC_PREFIX } from "./channel.ts";
import type { Hub, Peer } from "./hub.ts";
import { decode, encode, type Frame, type Version } from "./wire.ts";

export class Connection implements Line, Peer {
  readonly #channels = new Map<string, Channel>();

  constructor(
    readonly hub: Hub,
    readonly socket: WebSocket,
    readonly version: Version,
    /** The token that the API key stands for. */
    readonly keyToken: string,
  ) {
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = () => {}; // onclose follows
    socket.onclose = () => this.#end();
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  close(code: number, reason: string): void {
    // A peer that no longer reads never answers: do not wait for it.
    this.#end();
    try {
      this.socket.close(code, reason);
    } catch {
      // It has not opened yet, or is gone.
    }
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (!this.isOpen) return;
    if (this.socket.bufferedAmount > this.hub.options.maxBufferedBytes) {
      return this.close(4008, "too slow");
    }
    this.socket.send(data);
  }

  push(frame: Omit<Frame, "payload"> & { payload: unknown }): void {
    this.send(encode(this.version, frame));
  }

  reply({ joinRef, ref, topic }: Frame, status: "ok" | "error", response: unknown = {}): void {
    this.push({ joinRef, ref, topic, event: "phx_reply", payload: { status, response } });
  }

  leave(channel: Channel): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic);
  }

  #end(): void {
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
    this.hub.disconnected(this);
  }

  #receive(data: string | ArrayBuffer): void {
    let frame: Frame;
    try {
      frame = decode(this.version, data);
    } catch {
      return this.close(4000, "unreadable frame");
    }
    const { topic, event, joinRef } = frame;
    const channel = this.#channels.get(topic);
    if (topic === "phoenix") {
      if (event === "heartbeat") this.reply(frame, "ok");
    } else if (event === "phx_join") {
      if (!topic.startsWith(TOPIC_PREFIX)) return this.reply(frame, "error", { reason: "unmatched topic" });
      channel?.close(); // a second join of a topic replaces the first
      const joining = new Channel(this, frame);
      this.#channels.set(topic, joining);
      joining.run(() => joining.join(frame));
    } else if (!channel) {
      if (event === "phx_leave") this.reply(frame, "ok");
      else this.reply(frame, "error", { reason: "unmatched topic" });
    } else if (joinRef === null || joinRef === channel.joinRef) {
      channel.run(() => channel.receive(frame));
    }
  }
}
