/** What a suite of the benchmark gives, and what it gets. */
import type postgres from "postgres";
import type { Options, Supabase } from "../../local/supabase.ts";

/** One program under comparison. */
export interface Side {
  /** "this bundle", "the official template". */
  label: string;
  /** One run's figure, in the comparison's unit (ms, requests/s, MB/s, bytes). Warms up nothing: the harness does. */
  measure(): Promise<number>;
}

/**
 * Two programs measured in turns; in each round the ratio ours / against is taken, and the median of those is the
 * result. `against` may also be a limit: `{ label: "Twilio's limit", measure: () => Promise.resolve(15_000) }`.
 */
export interface Comparison {
  /** Stable, as it appears in RESULTS.md: "one signed URL: requests/s at 32 connections". */
  name: string;
  unit: string;
  ours: Side;
  against: Side;
  /** What the median ratio has to meet; without one it is only reported. */
  goal?: { atMost: number } | { atLeast: number };
  /** Measured in the same rounds, each as a ratio to `against`; only reported. */
  others?: Side[];
  /** Recorded rounds: default 7, at least 5. */
  rounds?: number;
  /** Rounds before them that are not recorded: default 1. */
  warmups?: number;
  /** About how long all of it takes, for the progress shown. */
  seconds?: number;
}

/** How a cost (time or bytes) grows: the slope of log(cost) over log(size), 0 where it is flat, 1 where it is linear. */
export interface Growth {
  name: string;
  unit: string;
  /** Ascending. */
  sizes: readonly [number, number, ...number[]];
  /** What grows: "files per call". */
  of: string;
  measure(size: number): Promise<number>;
  /** What the median slope may be; default 1. */
  goal?: { atMost: number };
  /** What no size's cost may reach. */
  limit?: number;
  /** Pages of 8 KB that Postgres looks at for one; only reported. */
  pages?(size: number): Promise<number>;
  /** Recorded rounds over all sizes: default 5, at least 5. */
  rounds?: number;
  warmups?: number;
  seconds?: number;
}

export interface Prepared {
  comparisons: Comparison[];
  growths: Growth[];
  /** Ends what `prepare` started and removes what it made; called also after a failure. */
  close(): Promise<void>;
}

/** Each suite's file, `bench/NAME.ts`, has `export const suite: Suite`. */
export interface Suite {
  /** As in `npm run bench -- NAME`. */
  name: string;
  /** One line: what is measured against what. */
  about: string;
  /** Why it has a meaning on the local stand-in only; it is left out on a real project, with this sentence. */
  localOnly?: string;
  /** Its growths are a table of its own in RESULTS.md. */
  ownTable?: boolean;
  /** How the stand-in is started for it; the media worker is never called by a timer. */
  stack?: Options;
  prepare(bench: BenchContext): Promise<Prepared>;
}

export interface BenchContext {
  /** The stand-in, started for this suite alone; null on a real project. */
  supabase: Supabase | null;
  url: string;
  publishableKey: string;
  secretKey: string;
  dbUrl: string;
  /** The database as `postgres` (on the stand-in `supabase.connect` gives other roles, too); closed by the harness. */
  sql: postgres.Sql;
  /** Signs in `{role}@mbombela.test` (or of another slug) and gives the access token. */
  token(role: string, slug?: string): Promise<string>;
  /** `--size`, where it was given. */
  size?: number;
  /** A line about what goes on. */
  progress(text: string): void;
}
