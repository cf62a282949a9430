/**
 * From the commit of a ticket's change to the callback of a dashboard that subscribed to it (client), over the round
 * trip of an empty WebSocket message. The dashboards, the echo, and the stand-in's gateway and Realtime are one process; a
 * dashboard's time begins when COMMIT is sent.
 */
import { createClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { subscribeToTickets, type TicketSubscription } from "../client/mod.ts";
import { quantile } from "./harness/statistics.ts";
import type { BenchContext, Prepared, Suite } from "./harness/types.ts";

/** Dashboards of one municipality; for each number a municipality of its own. */
const DASHBOARDS: [number, number, number] = [1, 10, 50];
const SAMPLES = 200;
const PATIENCE_MS = 15_000;

export const suite: Suite = {
  name: "screen",
  about: "a ticket's change from its commit to dashboards' callbacks, over an empty WebSocket echo",
  localOnly: "What it is measured against, a WebSocket echo, is on this machine.",
  stack: { functions: false },
  prepare,
};

async function prepare(bench: BenchContext): Promise<Prepared> {
  const echo = await startEcho();
  const offices = new Map<number, Office>();
  const close = async () => {
    await Promise.all([...offices.values()].map((office) => office.close()));
    await echo.close();
  };
  try {
    for (const size of DASHBOARDS) {
      bench.progress(`${size} dashboards`);
      const office = new Office(bench);
      offices.set(size, office);
      await office.open(size);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const alone = offices.get(1)!;
  return {
    comparisons: [{
      name: "ticket to screen: commit to callback, one dashboard",
      unit: "ms, p95",
      ours: { label: "this bundle", measure: () => p95(() => alone.change()) },
      against: { label: "WebSocket echo", measure: () => p95(async () => [await echo.roundTrip()]) },
      rounds: 9,
      seconds: 10,
    }],
    growths: [{
      name: "ticket to screen: commit to the last callback, by dashboards",
      unit: "ms, p95",
      sizes: DASHBOARDS,
      of: "dashboards",
      measure: (size) => p95(async () => [Math.max(...await offices.get(size)!.change())]),
      seconds: 15,
    }],
    close,
  };
}

async function p95(sample: () => Promise<number[]>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < SAMPLES; i++) times.push(...await sample());
  return quantile(times, 0.95);
}

/** A municipality with one ticket, one member of staff, and so many dashboards of hers, each with a socket of its own. */
class Office {
  readonly #bench: BenchContext;
  readonly #subscriptions: TicketSubscription[] = [];
  /** Is told of each callback; the ticket's severity as that dashboard now has it. */
  #onTold: (severity: string | null) => void = () => {};
  #writer!: postgres.ReservedSql;
  #ticket!: string;
  #severity = "medium";

  constructor(bench: BenchContext) {
    this.#bench = bench;
  }

  async open(dashboards: number): Promise<void> {
    const { sql, url, publishableKey, secretKey } = this.#bench;
    const [municipality] = await sql<{ id: string }[]>`
      insert into public.municipalities (slug, name)
      values (${`bench-${dashboards}`}, ${`Bench ${dashboards}`}) returning id`;
    const tenant = municipality!.id;
    const [ticket] = await sql<{ id: string }[]>`
      insert into public.tickets (tenant_id, category) values (${tenant}, 'water') returning id`;
    this.#ticket = ticket!.id;
    this.#writer = await sql.reserve();

    const person = { email: `manager@bench-${dashboards}.test`, password: crypto.randomUUID() };
    const { error } = await newClient(url, secretKey).auth.admin.createUser({
      ...person,
      email_confirm: true,
      app_metadata: { tenant_id: tenant, role: "manager" },
    });
    if (error) throw error;
    await Promise.all(Array.from({ length: dashboards }, async () => {
      const client = newClient(url, publishableKey);
      const { error } = await client.auth.signInWithPassword(person);
      if (error) throw error;
      await this.#subscribe(client, tenant);
    }));
  }

  async #subscribe(client: ReturnType<typeof newClient>, tenant: string): Promise<void> {
    let settle = (_error?: Error) => {};
    const live = new Promise<void>((resolve, reject) =>
      settle = (error) => error ? reject(error) : resolve()
    );
    const timer = setTimeout(() => settle(new Error("A dashboard did not get live")), PATIENCE_MS);
    this.#subscriptions.push(subscribeToTickets(client, tenant, {
      onState: (state) => state === "live" && settle(),
      onChange: (changes) => changes.forEach(({ ticket }) => this.#onTold(ticket.severity)),
    }));
    await live.finally(() => clearTimeout(timer));
  }

  /** Changes the ticket; milliseconds from the commit to each dashboard's callback. */
  async change(): Promise<number[]> {
    this.#severity = this.#severity === "high" ? "low" : "high";
    const times: number[] = [];
    let committed = Infinity;
    const told = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${times.length} of ${this.#subscriptions.length} dashboards were told`));
      }, PATIENCE_MS);
      this.#onTold = (severity) => {
        if (severity !== this.#severity) return;
        times.push(performance.now() - committed);
        if (times.length < this.#subscriptions.length) return;
        clearTimeout(timer);
        resolve();
      };
    });
    await this.#writer`begin`;
    await this.#writer`update public.tickets set severity = ${this.#severity} where id = ${this.#ticket}`;
    committed = performance.now();
    await Promise.all([this.#writer`commit`, told]);
    return times;
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
    this.#writer?.release();
  }
}

function newClient(url: string, key: string) {
  return createClient(url, key, {
    auth: { autoRefreshToken: false, persistSession: false, storageKey: crypto.randomUUID() },
  });
}

/** A WebSocket server that sends each message back, and one client of it. */
async function startEcho() {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}`);
  const next = (event: "open" | "message" | "close") =>
    new Promise<unknown>((resolve) => socket.addEventListener(event, resolve, { once: true }));
  await next("open");
  return {
    async roundTrip(): Promise<number> {
      const begun = performance.now();
      const answer = next("message");
      socket.send("");
      await answer;
      return performance.now() - begun;
    },
    async close(): Promise<void> {
      const closed = next("close");
      socket.close();
      await closed;
      await server.shutdown();
    },
  };
}
