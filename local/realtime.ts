/** The Realtime service under `/realtime/v1`: broadcast over WebSockets, from clients and from the database. */
import { decodeJwt } from "jose";
import { writable } from "./realtime/authorization.ts";
import { Connection } from "./realtime/connection.ts";
import { Hub, type Options } from "./realtime/hub.ts";
import { Broadcast, type Version } from "./realtime/wire.ts";
import type { Claims, Context, Handler } from "./types.ts";

export interface Realtime {
  handle: Handler;
  /** An outage: closes every socket, ends the slot, refuses everything until `restore`. */
  cut(): Promise<void>;
  restore(): void;
  /** A network blip: closes every socket; the slot lives on and clients may come back at once. */
  dropSockets(): void;
  /** How many are open. */
  sockets(): number;
  stop(): Promise<void>;
}

const tenYears = 10 * 365 * 86400;
const oneHour = 3_600_000;

export async function makeRealtime(context: Context, options: Partial<Options> = {}): Promise<Realtime> {
  const { keys } = context;
  const sql = context.connect("supabase_realtime_admin");
  const hub = new Hub(sql, keys, {
    idleMs: 10_000,
    joinErrorDelayMs: 0,
    tokenThrottleMs: 10_000,
    readyTimeoutMs: 60_000,
    allowPublic: true,
    maxBufferedBytes: 64 * 1024 * 1024,
    ...options,
  });
  const tokens = new Map([
    [keys.publishable, await keys.sign({ role: "anon" }, tenYears)],
    [keys.secret, await keys.sign({ role: "service_role" }, tenYears)],
  ]);
  const makePartitions = () =>
    sql`select platform_realtime.make_partitions()`.catch((error) => console.error("realtime:", error));
  await makePartitions();
  const partitions = setInterval(makePartitions, oneHour);
  Deno.unrefTimer(partitions);

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.replace(/^\/realtime\/v1/, "");
    if (path === "/_control" && request.method === "POST") return await control(request);
    if (hub.isCut) return refuse(503, "Realtime has been cut off by a test");
    if (path === "/websocket") return await connect(request, url);
    const sent = /^\/api\/broadcast(?:\/([^/]+)\/events\/([^/]+))?\/?$/.exec(path);
    if (sent && request.method === "POST") return await broadcast(request, url, sent[1], sent[2]);
    return refuse(404, "Not Found");
  }

  async function connect(request: Request, url: URL): Promise<Response> {
    const version = versionOf(url.searchParams.get("vsn") ?? "1.0.0");
    const apikey = request.headers.get("x-api-key") ?? url.searchParams.get("apikey") ??
      request.headers.get("apikey") ?? "";
    const token = tokens.get(apikey) ?? apikey;
    if (!version || !await isValid(token)) return refuse(403, "Forbidden");
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return refuse(426, "Expected a WebSocket");
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const connection = new Connection(hub, socket, version, token);
    socket.onopen = () => hub.isCut ? socket.close(4001) : hub.connected(connection);
    return response;
  }

  /** Broadcasts without a socket: what realtime-js falls back to, and `httpSend`. */
  async function broadcast(
    request: Request,
    url: URL,
    topic: string | undefined,
    event: string | undefined,
  ): Promise<Response> {
    const claims = await callerOf(request);
    if (!claims) return refuse(401, "Unauthorized");
    const isBinary = request.headers.get("content-type") === "application/octet-stream";
    const body = new Uint8Array(await request.arrayBuffer());
    let messages: unknown;
    if (topic !== undefined && event !== undefined) {
      messages = [{
        topic: decodeURIComponent(topic),
        event: decodeURIComponent(event),
        payload: isBinary ? undefined : parse(body),
        binary: isBinary,
        private: url.searchParams.get("private") === "true",
      }];
    } else messages = (parse(body) as { messages?: unknown } | undefined)?.messages;
    if (!Array.isArray(messages) || !messages.every(isMessage)) {
      return refuse(422, "Each message needs a topic, an event and a payload");
    }
    for (const { topic, event, payload, binary, private: isPrivate = false } of messages) {
      if (isPrivate && !await writable(sql, { claims, topic })) continue; // dropped, and still 202
      const bytes = binary ? body : new TextEncoder().encode(JSON.stringify(payload));
      hub.broadcast(isPrivate, topic, new Broadcast(event, bytes, binary === true));
    }
    return new Response(null, { status: 202 });
  }

  /** Only in the stand-in, for tests in another process; needs the secret key. */
  async function control(request: Request): Promise<Response> {
    if ((await callerOf(request))?.role !== "service_role") return refuse(403, "Forbidden");
    const { action } = await request.json();
    if (action === "cut") await hub.cut();
    else if (action === "restore") hub.restore();
    else if (action === "drop_sockets") hub.dropSockets();
    else if (action === "drop_slot") await hub.dropSlot();
    else return refuse(400, `There is no action "${action}"`);
    return new Response(null, { status: 204 });
  }

  async function callerOf(request: Request): Promise<Claims | undefined> {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const credential = bearer ?? request.headers.get("apikey") ?? "";
    return await keys.verify(tokens.get(credential) ?? credential).catch(() => undefined);
  }

  async function isValid(token: string): Promise<boolean> {
    return await keys.verify(token).then(() => decodeJwt(token).exp !== undefined, () => false);
  }

  return {
    handle,
    cut: () => hub.cut(),
    restore: () => hub.restore(),
    dropSockets: () => hub.dropSockets(),
    sockets: () => hub.size,
    async stop() {
      clearInterval(partitions);
      await hub.cut();
    },
  };
}

interface Message {
  topic: string;
  event: string;
  payload?: unknown;
  binary?: boolean;
  private?: boolean;
}

function isMessage(value: unknown): value is Message {
  const { topic, event, payload, binary } = (value ?? {}) as Partial<Message>;
  return typeof topic === "string" && typeof event === "string" && (binary === true || payload !== undefined);
}

function versionOf(vsn: string): Version | undefined {
  return vsn === "1.0.0" || vsn === "2.0.0" ? vsn : undefined;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function refuse(status: number, message: string): Response {
  return Response.json({ message }, { status });
}
