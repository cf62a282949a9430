/** Messages taken in at once by so many connections, all for one municipality, each from another sender. They stay. */
import type postgres from "postgres";
import { claims } from "./place.ts";
import { within } from "./statements.ts";
import { type Filled, inbound } from "./writes.ts";

export const WRITERS = [1, 4, 16];
const MESSAGES = 160;

const pools = new WeakMap<Filled, Map<number, postgres.Sql>>();

/** Milliseconds a message. */
async function takeIn(filled: Filled, writers: number): Promise<number> {
  const known = pools.get(filled) ?? new Map<number, postgres.Sql>();
  pools.set(filled, known);
  const pool = known.get(writers) ?? filled.connect(writers);
  known.set(writers, pool);
  let left = MESSAGES;
  const begun = performance.now();
  await Promise.all(Array.from({ length: writers }, async () => {
    while (left-- > 0) {
      const { text, params } = inbound(crypto.randomUUID());
      await within(
        pool,
        claims("service_role", filled.place),
        undefined,
        (tx) => tx.unsafe(text, params as never[], { prepare: true }),
        { keep: true },
      );
    }
  }));
  return (performance.now() - begun) / MESSAGES;
}

export function writersGrowth(writers: number, at: (size: number) => Filled) {
  return {
    name: `messages taken in by ${writers} ${writers === 1 ? "connection" : "connections"}, each`,
    goal: { atMost: 0.1 },
    measure: (size: number) => takeIn(at(size), writers),
  };
}
