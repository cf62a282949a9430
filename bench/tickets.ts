/**
 * What it costs the writer of tickets that dashboards are told: our statement-level trigger, and the row-level ones of the
 * guides, over none. Everything else on the table (prepare_ticket, policies, indexes) is there on every side.
 *
 * The writers are two connections of postgres.js as service_role in this process. No dashboard is connected, so no slot
 * reads the WAL. Commits wait for the disk (fsync, full_page_writes and synchronous_commit on), as on hosted; what the
 * trigger costs where nothing waits for a disk, all of it then CPU, is reported beside it.
 */
import { delay } from "deno-std/async/delay.js";
import type postgres from "postgres";
import { connectDatabase } from "../operate/database.ts";
import { quantile } from "./harness/statistics.ts";
import type { BenchContext, Prepared, Side, Suite } from "./harness/types.ts";

/** Rows of one UPDATE; for each a municipality that has just so many tickets. */
const SIZES: [number, number, number] = [100, 1000, 10_000];
const LARGEST = SIZES[2];
/** One-row updates: short and many slices, so that what else the machine does hits all sides alike. */
const SLICE_MS = 300;
const SLICES = 15;
/** Unrecorded updates of each client before a slice: exchanged triggers make it plan anew. */
const FIRST_UPDATES = 20;
const OUR_TRIGGERS = ["tickets_announce_insert", "tickets_announce_update", "tickets_announce_delete"];
/** Each rival's file makes a trigger `bench_…`, its dashes as underscores. */
const RIVALS = ["send-per-row", "broadcast-changes"];
const ALL_TRIGGERS = [...OUR_TRIGGERS, ...RIVALS.map(triggerOf)];

export const suite: Suite = {
  name: "tickets",
  about: "writing tickets with the trigger that tells dashboards, over no trigger",
  localOnly: "It switches the triggers of the tickets table off and on.",
  stack: { functions: false },
  prepare,
};

async function prepare({ supabase, sql, dbUrl, progress }: BenchContext): Promise<Prepared> {
  progress(`${SIZES.join(" + ")} tickets`);
  await sql`create schema bench`;
  for (const rival of RIVALS) {
    await sql.unsafe(await Deno.readTextFile(new URL(`rivals/${rival}.sql`, import.meta.url)));
  }
  // Dead rows are removed between the measurements, for all sides alike, and at no other time.
  await sql`alter table public.tickets set (autovacuum_enabled = off)`;
  const municipalities = new Map<number, string>();
  for (const size of SIZES) municipalities.set(size, await addTickets(sql, size));
  const ids = (await sql<{ id: string }[]>`
    select id from public.tickets where tenant_id = ${municipalities.get(LARGEST)!} order by id`).map((
    { id },
  ) => id);
  const admin = supabase!.connect("supabase_admin");
  const clients = await Promise.all([connectAsService(dbUrl), connectAsService(dbUrl)]);
  let turn = 0;
  const halves = [ids.slice(0, ids.length / 2), ids.slice(ids.length / 2)] as const;

  /** Whether commits wait for the disk; the stand-in starts without. */
  async function setDurable(durable: boolean): Promise<void> {
    const wanted = durable ? "on" : "off";
    const is = async () => (await admin<{ fsync: string }[]>`show fsync`)[0]!.fsync;
    if (await is() === wanted) return;
    await admin.unsafe(`alter system set fsync = ${wanted}`);
    await admin.unsafe(`alter system set full_page_writes = ${wanted}`);
    await admin`select pg_reload_conf()`;
    while (await is() !== wanted) await delay(20);
    await admin`checkpoint`;
  }

  /** The same start for every side: only these triggers on, no messages, no dead rows; `full` also packs the rows anew. */
  async function reset(triggers: string[], vacuum: "plain" | "full"): Promise<void> {
    const states = ALL_TRIGGERS.map((trigger) =>
      `${triggers.includes(trigger) ? "enable" : "disable"} trigger ${trigger}`
    );
    await sql.unsafe(`alter table public.tickets ${states.join(", ")}`);
    await sql`truncate realtime.messages`;
    await sql.unsafe(`vacuum ${vacuum === "full" ? "full" : ""} public.tickets`);
  }

  function sides(vacuum: "plain" | "full", durable: boolean, measure: () => Promise<number>) {
    const side = (label: string, triggers: string[]): Side => ({
      label,
      async measure() {
        await setDurable(durable);
        await reset(triggers, vacuum);
        return await measure();
      },
    });
    return {
      ours: side("this bundle", OUR_TRIGGERS),
      against: side("no trigger", []),
      others: [
        side("realtime.send per row", [triggerOf("send-per-row")]),
        side("realtime.broadcast_changes per row", [triggerOf("broadcast-changes")]),
      ],
    };
  }

  /** One-row updates a second, two clients at once, no two of them the same row. */
  async function oneRowUpdates(): Promise<number> {
    let updates = 0;
    const update = async (client: postgres.Sql, which: number) => {
      const half = halves[which]!;
      const at = updates++;
      const { count } = await client`
        update public.tickets set severity = ${
        at % 2 ? "low" : "high"
      } where id = ${half[at % half.length]!}`;
      if (count !== 1) throw new Error(`An UPDATE of one ticket changed ${count}`);
    };
    await Promise.all(clients.map(async (client, which) => {
      for (let i = 0; i < FIRST_UPDATES; i++) await update(client, which);
    }));
    updates = 0;
    const begun = performance.now();
    const end = begun + SLICE_MS;
    await Promise.all(clients.map(async (client, which) => {
      while (performance.now() < end) await update(client, which);
    }));
    return updates / (performance.now() - begun) * 1000;
  }

  /** Milliseconds of one UPDATE of so many rows. */
  async function bulkUpdate(size: number): Promise<number> {
    turn++;
    const begun = performance.now();
    const { count } = await clients[0]`
      update public.tickets set severity = ${turn % 2 ? "low" : "high"}
      where tenant_id = ${municipalities.get(size)!}`;
    const ms = performance.now() - begun;
    if (count !== size) throw new Error(`An UPDATE of ${size} tickets changed ${count}`);
    return ms;
  }

  return {
    comparisons: [
      {
        name: "ticket write: one-row updates, 2 clients",
        unit: "updates/s",
        ...sides("plain", true, oneRowUpdates),
        goal: { atLeast: 0.78 },
        rounds: SLICES,
        seconds: 45,
      },
      {
        name: "ticket write: one-row updates, 2 clients, no waiting for the disk",
        unit: "updates/s",
        ...sides("plain", false, oneRowUpdates),
        rounds: SLICES,
        seconds: 45,
      },
      {
        name: "ticket write: one UPDATE of 10,000 rows",
        unit: "ms",
        ...sides("full", true, () => bulkUpdate(LARGEST)),
        goal: { atMost: 1.25 },
        rounds: 9,
        seconds: 30,
      },
    ],
    growths: [{
      name: "ticket write: one UPDATE, by rows",
      unit: "ms",
      sizes: SIZES,
      of: "rows of one UPDATE",
      async measure(size) {
        const times: number[] = [];
        for (let i = 0; i < 5; i++) {
          await reset(OUR_TRIGGERS, "full");
          times.push(await bulkUpdate(size));
        }
        return quantile(times, 0.5);
      },
      seconds: 8,
    }],
    async close() {
      await Promise.all(clients.map((client) => client.end())); // the stack goes, and all that was made in it
    },
  };
}

function triggerOf(rival: string): string {
  return `bench_${rival.replaceAll("-", "_")}`;
}

/** A municipality with so many tickets; gives its id. */
async function addTickets(sql: postgres.Sql, size: number): Promise<string> {
  const [municipality] = await sql<{ id: string }[]>`
    insert into public.municipalities (slug, name) values (${`bench-${size}`}, ${`Bench ${size}`}) returning id`;
  await sql`
    insert into public.tickets (tenant_id, category, description)
    select ${municipality!.id}, 'water', 'Burst pipe at the corner, water runs down the road, number ' || n
    from generate_series(1, ${size}::integer) as n`;
  return municipality!.id;
}

async function connectAsService(dbUrl: string): Promise<postgres.Sql> {
  const client = connectDatabase(dbUrl);
  await client`set role service_role`;
  return client;
}
