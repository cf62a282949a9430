/**
 * What grows with what is stored: each thing that people, the webhook and the media worker ask of the database, in a municipality
 * of 10,000 tickets and in one of 100,000 (`--size N`: of N / 10 and of N), each in a stand-in of its own. As PostgREST and
 * Storage send it: prepared, in a transaction with the caller's role and claims, ended after 8 s. Times are the statement's.
 */
import postgres from "postgres";
import { startSupabase, type Supabase } from "../local/supabase.ts";
import type { BenchContext, Growth, Prepared, Suite } from "./harness/types.ts";
import { claims, type Place, readPlace } from "./scale/place.ts";
import { type Operation, READS } from "./scale/reads.ts";
import { seedScale } from "./scale/seed.ts";
import { medianTime, pages, TIMEOUT } from "./scale/statements.ts";
import { ACTS, type Filled, WRITES } from "./scale/writes.ts";
import { WORK } from "./scale/work.ts";
import { WRITERS, writersGrowth } from "./scale/writers.ts";

const SIZE = 100_000;

export const suite: Suite = {
  name: "scale",
  about: "what grows with what is stored",
  localOnly: "It fills the database as a superuser.",
  stack: { functions: false },
  ownTable: true,
  prepare,
};

async function prepare({ supabase, size: asked, progress }: BenchContext): Promise<Prepared> {
  const largest = asked ?? SIZE;
  const sizes: [number, number] = [Math.round(largest / 10), largest];
  const other = await startSupabase({ functions: false });
  const filled = new Map<number, Filled>();
  const close = async () => {
    for (const one of filled.values()) await one.close();
    await other.stop();
  };
  try {
    for (const size of sizes) {
      filled.set(size, await fill(size === largest ? supabase! : other, size, progress));
    }
    const at = (size: number) => filled.get(size)!;
    const common = { unit: "ms", of: "tickets", sizes, limit: TIMEOUT };
    return {
      comparisons: [],
      growths: [
        ...[...READS, ...ACTS].map((asking): Growth => ({
          ...common,
          name: `${asking.name} (${asking.as})`,
          goal: { atMost: asking.goal },
          measure: (size) => timeOf(at(size), asking),
          pages: (size) => pagesOf(at(size), asking),
        })),
        ...[...WRITES, ...WORK].map(({ name, goal, measure }): Growth => ({
          ...common,
          name,
          goal: { atMost: goal },
          measure: (size) => measure(at(size)),
        })),
        ...WRITERS.map((count): Growth => ({ ...common, ...writersGrowth(count, at) })),
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function fill(supabase: Supabase, size: number, progress: (text: string) => void): Promise<Filled> {
  const superuser = supabase.connect("supabase_admin");
  await seedScale(superuser, size, progress);
  const made: postgres.Sql[] = [];
  const connect = (max: number) => {
    const url = new URL(supabase.env.SUPABASE_DB_URL!);
    url.username = "authenticator";
    const sql = postgres(url.href, { max, onnotice: () => {} });
    made.push(sql);
    return sql;
  };
  return {
    place: await readPlace(superuser, size),
    superuser,
    api: connect(1),
    connect,
    turn: 0,
    async close() {
      for (const sql of made) await sql.end();
    },
  };
}

async function timeOf(filled: Filled, asking: Operation): Promise<number> {
  const { api, place } = filled;
  return await medianTime(api, async () => {
    const turn = filled.turn++;
    return [callerOf(asking, place, turn), await asking.statement(place, turn)];
  }, asking.plans);
}

async function pagesOf({ api, place }: Filled, asking: Operation): Promise<number> {
  return await pages(api, callerOf(asking, place, 0), await asking.statement(place, 0), asking.plans);
}

function callerOf(asking: Operation, place: Place, turn: number) {
  return claims(asking.as, place, asking.sub?.(place, turn));
}
