/** Measures in rounds: every side once per round, in turning order, so that what the machine does meanwhile hits all. */
import { logSlope, quantile, type Spread, spread } from "./statistics.ts";
import type { Comparison, Growth, Side } from "./types.ts";

const LEAST_ROUNDS = 5;

export interface Measured {
  label: string;
  /** Median of the rounds' figures. */
  figure: number;
  /** Of the rounds' ratios to the side it is compared with. */
  ratio: Spread;
}

export interface ComparisonResult {
  kind: "comparison";
  name: string;
  unit: string;
  rounds: number;
  ours: Measured;
  against: { label: string; figure: number };
  others: Measured[];
  goal?: Comparison["goal"];
  met: boolean;
}

export interface GrowthResult {
  kind: "growth";
  name: string;
  unit: string;
  of: string;
  rounds: number;
  sizes: readonly number[];
  /** Median cost per size. */
  costs: number[];
  slope: Spread;
  goal: { atMost: number };
  /** Whether a cost reached the growth's limit. */
  beyondLimit: boolean;
  /** Of one at each size, NaN where it was ended. */
  pages?: number[];
  met: boolean;
}

export type Result = ComparisonResult | GrowthResult;

/** Runs a comparison's rounds. The median of the per-round ratios is what has to meet the goal. */
export async function compare(comparison: Comparison): Promise<ComparisonResult> {
  const { name, unit, ours, against, others = [], goal, rounds = 7, warmups = 1 } = comparison;
  const figures = await inRounds([ours, against, ...others], (side) => side.measure(), {
    name,
    rounds,
    warmups,
  });
  const [, base] = figures as [number[], number[]];
  const measured = (side: Side, index: number): Measured => ({
    label: side.label,
    figure: quantile(figures[index]!, 0.5),
    ratio: spread(figures[index]!.map((figure, round) => figure / base[round]!)),
  });
  const own = measured(ours, 0);
  return {
    kind: "comparison",
    name,
    unit,
    rounds,
    ours: own,
    against: { label: against.label, figure: quantile(base, 0.5) },
    others: others.map((side, index) => measured(side, index + 2)),
    goal,
    met: isMet(own.ratio.median, goal),
  };
}

/** Runs a growth's rounds; the median of the per-round slopes has to meet the goal. */
export async function grow(growth: Growth): Promise<GrowthResult> {
  const { name, unit, of, sizes, measure, rounds = 5, warmups = 1, goal = { atMost: 1 }, limit = Infinity } =
    growth;
  const costs = await inRounds(sizes, measure, { name, rounds, warmups });
  const slopes = costs[0]!.map((_, round) => logSlope(sizes, costs.map((ofSize) => ofSize[round]!)));
  const slope = spread(slopes);
  const medians = costs.map((ofSize) => quantile(ofSize, 0.5));
  const beyondLimit = medians.some((cost) => cost >= limit);
  const pages: number[] = [];
  if (growth.pages) { for (const size of sizes) pages.push(await growth.pages(size)); }
  return {
    kind: "growth",
    name,
    unit,
    of,
    rounds,
    sizes,
    costs: medians,
    slope,
    goal,
    beyondLimit,
    pages: growth.pages && pages,
    met: isMet(slope.median, goal) && !beyondLimit,
  };
}

function isMet(ratio: number, goal: Comparison["goal"]): boolean {
  if (!goal) return true;
  return "atMost" in goal ? ratio <= goal.atMost : ratio >= goal.atLeast;
}

/** Each subject's figures, round by round. Odd rounds go forwards, even ones backwards. */
async function inRounds<T>(
  subjects: readonly T[],
  measure: (subject: T) => Promise<number>,
  { name, rounds, warmups }: { name: string; rounds: number; warmups: number },
): Promise<number[][]> {
  if (rounds < LEAST_ROUNDS) throw new Error(`"${name}" needs at least ${LEAST_ROUNDS} rounds`);
  const figures = subjects.map((): number[] => []);
  for (let round = -warmups; round < rounds; round++) {
    const order = subjects.map((_, index) => index);
    if (round % 2) order.reverse();
    for (const index of order) {
      const figure = await measure(subjects[index]!);
      if (!Number.isFinite(figure)) throw new Error(`"${name}" gave ${figure}`);
      if (round >= 0) figures[index]!.push(figure);
    }
  }
  return figures;
}
