/** Frames of the WebSocket: version 1.0.0 is JSON objects, 2.0.0 JSON arrays and, for broadcasts, binary. */

export type Version = "1.0.0" | "2.0.0";

/** What a client sends. */
export interface Frame {
  joinRef: string | null;
  ref: string | null;
  topic: string;
  event: string;
  payload: Record<string, unknown> | Broadcast;
}

/** A message on its way to the members of a topic. */
export class Broadcast {
  constructor(
    readonly event: string,
    /** JSON, unless `binary`. */
    readonly payload: Uint8Array,
    readonly binary: boolean,
    readonly meta?: { id: string; replayed?: true },
  ) {}
}

/** A broadcast that a client sent as JSON text is passed on as it is. */
export class TextBroadcast {
  constructor(readonly payload: unknown) {}
}

const pushKind = 3;
const broadcastKind = 4;
const jsonEncoding = 1;

const utf8 = new TextEncoder();
const fromUtf8 = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Throws on a frame that no client sends. */
export function decode(version: Version, data: string | ArrayBuffer): Frame {
  if (typeof data !== "string") {
    if (version === "1.0.0") throw new TypeError("a binary frame in version 1");
    return decodePush(new Uint8Array(data));
  }
  const parsed = JSON.parse(data);
  const [joinRef, ref, topic, event, payload] = version === "1.0.0"
    ? [parsed.join_ref, parsed.ref, parsed.topic, parsed.event, parsed.payload]
    : parsed;
  if (typeof topic !== "string" || typeof event !== "string") throw new TypeError("no topic or event");
  return { joinRef: joinRef ?? null, ref: ref ?? null, topic, event, payload: payload ?? {} };
}

/** Kind, lengths of join_ref, ref, topic, event and metadata, encoding, then those five and the payload. */
function decodePush(bytes: Uint8Array): Frame {
  const [kind, ...lengths] = bytes.subarray(0, 6);
  if (kind !== pushKind || lengths.length < 5) throw new TypeError("an unknown binary frame");
  let at = 7;
  const [joinRef, ref, topic, event] = lengths.map((length) =>
    fromUtf8(bytes.subarray(at, at += length))
  ) as [string, string, string, string];
  const payload = new Broadcast(event, bytes.slice(at), bytes[6] !== jsonEncoding);
  return { joinRef: joinRef || null, ref: ref || null, topic, event: "broadcast", payload };
}

export function encode(
  version: Version,
  { joinRef, ref, topic, event, payload }: Omit<Frame, "payload"> & { payload: unknown },
): string {
  return JSON.stringify(
    version === "1.0.0" ? { topic, event, payload, ref } : [joinRef, ref, topic, event, payload],
  );
}

/** Undefined when this version cannot carry it. */
export function encodeBroadcast(
  version: Version,
  topic: string,
  broadcast: Broadcast | TextBroadcast,
): string | Uint8Array<ArrayBuffer> | undefined {
  if (broadcast instanceof TextBroadcast) {
    return encode(version, {
      joinRef: null,
      ref: null,
      topic,
      event: "broadcast",
      payload: broadcast.payload,
    });
  }
  const { event, payload, binary, meta } = broadcast;
  if (version === "2.0.0") {
    const head = [topic, event, meta ? JSON.stringify(meta) : ""].map((part) => utf8.encode(part));
    if (head.some((part) => part.length > 255)) return undefined;
    const lengths = Uint8Array.from([
      broadcastKind,
      ...head.map((part) => part.length),
      binary ? 0 : jsonEncoding,
    ]);
    return joined(lengths, ...head, payload);
  }
  const text = fromUtf8(payload);
  if (binary || !isJson(text)) return undefined;
  // The text goes in unchanged: what has been parsed may have lost digits of large numbers.
  const inner = [
    `"event":${JSON.stringify(event)}`,
    `"payload":${text}`,
    '"type":"broadcast"',
    ...(meta ? [`"meta":${JSON.stringify(meta)}`] : []),
  ];
  return `{"topic":${JSON.stringify(topic)},"event":"broadcast","payload":{${inner}},"ref":null}`;
}

/** A client's own frame may claim to be. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
