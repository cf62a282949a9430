/** What the tests of the pretend Realtime share: topics to hear and write, clients, bare sockets, a Realtime of a test's own. */
import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { makeKeys } from "../../../local/keys.ts";
import { makeRealtime } from "../../../local/realtime.ts";
import { assertEquals } from "../../support/assert.ts";
import { connect, person, PUBLISHABLE_KEY, SECRET_KEY, URL_BASE } from "../../support/stack.ts";

export let sql: postgres.Sql;
export const clients = new Set<SupabaseClient>();

/** Policies and tables for the topics `scratch:…`, before a file's tests and gone after them. */
export function useScratchTopics(): void {
  Deno.test.beforeAll(async () => {
    sql = connect();
    await sql.unsafe(`
    create policy "scratch topics are read" on realtime.messages for select to authenticated using (
      extension = 'broadcast' and realtime.topic() like 'scratch:%'
      and (realtime.topic() <> 'scratch:admins' or (select auth.jwt()) -> 'app_metadata' ->> 'role' = 'admin')
    );
    create policy "scratch topics are written" on realtime.messages for insert to authenticated with check (
      extension = 'broadcast' and realtime.topic() like 'scratch:open%'
    );
    create schema scratch;
    grant usage on schema scratch to authenticated;
    create table scratch.definer (n int);
    create table scratch.invoker (n int);
    grant insert, select on scratch.definer, scratch.invoker to authenticated;
    create function scratch.tell_as_definer() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      perform realtime.send(jsonb_build_object('n', new.n), 'row', 'scratch:rows');
      return null;
    end $$;
    create function scratch.tell_as_invoker() returns trigger language plpgsql set search_path = '' as $$
    begin
      perform realtime.send(jsonb_build_object('n', new.n), 'row', 'scratch:rows');
      return null;
    end $$;
    create trigger tell after insert on scratch.definer for each row execute function scratch.tell_as_definer();
    create trigger tell after insert on scratch.invoker for each row execute function scratch.tell_as_invoker();
  `);
  });
  Deno.test.afterEach(async () => {
    for (const client of clients) await client.removeAllChannels();
    clients.clear();
  });
  Deno.test.afterAll(async () => {
    await control("restore");
    await sql.unsafe(`
    drop schema scratch cascade;
    drop policy "scratch topics are read" on realtime.messages;
    drop policy "scratch topics are written" on realtime.messages;
  `);
    await sql.end();
  });
}

export interface Message {
  type: string;
  event: string;
  payload: unknown;
  meta?: { id: string; replayed?: boolean };
}

export interface Heard {
  channel: RealtimeChannel;
  /** The first state that the subscription came to. */
  state: string;
  reason: string;
  messages: Message[];
  systems: Record<string, unknown>[];
  errored: Promise<void>;
  closed: Promise<void>;
  /** Waits until there are so many messages; or until a state, or `ready`, has come so many times. */
  until(count: number, what?: string): Promise<Message[]>;
}

/** Subscribes and waits until the slot streams, or the join is refused. */
export async function listen(
  supabase: SupabaseClient,
  topic: string,
  { private: isPrivate = true, broadcast = {} }: { private?: boolean; broadcast?: Record<string, unknown> } =
    {},
): Promise<Heard> {
  const config = { private: isPrivate, broadcast: { replication_ready: true, ...broadcast } };
  const channel = supabase.channel(topic, { config });
  const messages: Message[] = [];
  const systems: Record<string, unknown>[] = [];
  const seen: Record<string, number> = {};
  const [errored, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const started = Promise.withResolvers<{ state: string; reason: string }>();
  const wakers = new Set<() => void>();
  const count = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
    for (const wake of wakers) wake();
  };
  channel.on("broadcast", { event: "*" }, (message) => {
    messages.push(message as Message);
    count("message");
  });
  channel.on("system", {}, (payload) => {
    systems.push(payload);
    if (payload.message !== "Replication connection established") return;
    started.resolve({ state: "SUBSCRIBED", reason: "" });
    count("ready");
  });
  channel.subscribe((state, error) => {
    count(state);
    if (state === "CLOSED") closed.resolve();
    if (state !== "CHANNEL_ERROR") return;
    started.resolve({ state, reason: error?.message ?? "" });
    errored.resolve();
  });
  const { state, reason } = await started.promise;
  return {
    channel,
    state,
    reason,
    messages,
    systems,
    errored: errored.promise,
    closed: closed.promise,
    async until(wanted, what = "message") {
      const reached = Promise.withResolvers<void>();
      const wake = () => (seen[what] ?? 0) >= wanted && reached.resolve();
      wakers.add(wake);
      wake();
      const late = setTimeout(
        () => reached.reject(new Error(`${seen[what] ?? 0} of ${wanted} ${what}`)),
        8000,
      );
      await reached.promise.finally(() => clearTimeout(late));
      wakers.delete(wake);
      return messages;
    },
  };
}

export function events(heard: Heard): string[] {
  return heard.messages.map(({ event }) => event);
}

/** Sends as a trigger of the migrations' role does; gives the message's id. */
export async function send(
  topic: string,
  event: string,
  payload: postgres.JSONValue = {},
  isPrivate = true,
): Promise<string> {
  return await sql.begin(async (tx) => {
    await tx`select realtime.send(${tx.json(payload)}, ${event}, ${topic}, ${isPrivate})`;
    const [row] = await tx<{ id: string }[]>`
      select id from realtime.messages where topic = ${topic} and inserted_at = now() at time zone 'utc'`;
    return row!.id;
  });
}

export async function clientOf(role: "admin" | "manager", vsn = "2.0.0"): Promise<SupabaseClient> {
  const { token } = await person(role);
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
    accessToken: () => Promise.resolve(token),
    realtime: { vsn, reconnectAfterMs: () => 200 },
  });
  clients.add(supabase);
  await supabase.realtime.setAuth();
  return supabase;
}

export function anonymousClient(vsn = "2.0.0"): SupabaseClient {
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { vsn },
  });
  clients.add(supabase);
  return supabase;
}

/** A bare WebSocket whose frames are looked at one by one. */
export class Raw {
  readonly #frames: unknown[] = [];
  #wake = () => {};

  private constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#frames.push(typeof data === "string" ? JSON.parse(data) : new Uint8Array(data));
      this.#wake();
    };
  }

  static async open(vsn = "2.0.0", key = PUBLISHABLE_KEY, base = URL_BASE): Promise<Raw> {
    const url = `${base.replace("http", "ws")}/realtime/v1/websocket?apikey=${
      encodeURIComponent(key)
    }&vsn=${vsn}`;
    const raw = new Raw(new WebSocket(url));
    await new Promise<void>((resolve, reject) => {
      raw.socket.onopen = () => resolve();
      raw.socket.onerror = () => reject(new Error("refused"));
    });
    raw.socket.onerror = null;
    return raw;
  }

  get waiting(): number {
    return this.#frames.length;
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Joins in version 2; gives the reply's response. */
  async join(topic: string, config: unknown, access_token: string): Promise<unknown> {
    this.send(["1", "1", `realtime:${topic}`, "phx_join", { config, access_token }]);
    const [, , , event, payload] = await this.next() as unknown[];
    assertEquals(event, "phx_reply");
    return (payload as { response: unknown }).response;
  }

  async next(): Promise<unknown> {
    if (this.#frames.length === 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const late = setTimeout(() => reject(new Error("no frame came")), 8000);
      await promise.finally(() => clearTimeout(late));
    }
    return this.#frames.shift();
  }

  close(): void {
    this.socket.close();
  }
}

/** A Realtime of its own on the same database, whose keys this process holds. */
export async function startOwn(options: Parameters<typeof makeRealtime>[1] = {}) {
  const keys = await makeKeys("http://own.test/auth/v1");
  const pool = postgres(urlOf("supabase_realtime_admin"), { max: 5, onnotice: () => {} });
  const context = { url: "", keys, connect: () => pool, directory: "" };
  const realtime = await makeRealtime(context, options);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, realtime.handle);
  return {
    port: server.addr.port,
    key: keys.publishable,
    sockets: () => realtime.sockets(),
    open: () => Raw.open("2.0.0", keys.publishable, `http://127.0.0.1:${server.addr.port}`),
    token: (seconds: number, role = "manager") =>
      keys.sign({ role: "authenticated", sub: crypto.randomUUID(), app_metadata: { role } }, seconds),
    async [Symbol.asyncDispose]() {
      await realtime.stop();
      await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, 100))]);
      await pool.end({ timeout: 0 });
    },
  };
}

export async function slotNames(): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select slot_name as name from pg_replication_slots order by 1`;
  return rows.map(({ name }) => name);
}

export async function control(action: string): Promise<void> {
  const response = await fetch(`${URL_BASE}/realtime/v1/_control`, posting({ action }));
  assertEquals(response.status, 204);
}

export function posting(body: unknown, apikey = SECRET_KEY): RequestInit {
  return {
    method: "POST",
    headers: { apikey, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

export async function eventually(check: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + 5000;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

export function urlOf(role: string): string {
  return Deno.env.get("SUPABASE_DB_URL")!.replace(/\/\/[^:@/]+/, `//${role}`);
}
