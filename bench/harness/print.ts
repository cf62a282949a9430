/** A result as lines for people. */
import type { Measured, Result } from "./measure.ts";
import type { Spread } from "./statistics.ts";
import type { Comparison } from "./types.ts";

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  return value.toLocaleString("en-GB", { maximumSignificantDigits: Math.abs(value) < 1000 ? 3 : 4 });
}

/** A ratio or slope. */
export function ratio(value: number): string {
  return value.toFixed(Math.abs(value) < 0.095 ? 3 : 2);
}

export function goal(of: Comparison["goal"]): string {
  if (!of) return "reported";
  return "atMost" in of ? `at most ${of.atMost}` : `at least ${of.atLeast}`;
}

export function spreadText({ median, q1, q3, min, max }: Spread): string {
  return `${ratio(median)} [${ratio(q1)}–${ratio(q3)}] (${ratio(min)}..${ratio(max)})`;
}

export function resultLines(result: Result): string[] {
  const verdict = result.met ? (result.goal ? "ok    " : "      ") : "BEYOND";
  const goalText = result.goal ? `, goal ${goal(result.goal)}` : "";
  if (result.kind === "growth") {
    const costs = result.sizes.map((size, index) => `${figure(size)}: ${figure(result.costs[index]!)}`).join(
      ", ",
    );
    const pages = result.pages ? `; pages ${result.pages.map(figure).join(", ")}` : "";
    const limit = result.beyondLimit ? "; OVER ITS LIMIT" : "";
    return [
      `${verdict} slope ${
        spreadText(result.slope)
      }${goalText}; ${result.unit} by ${result.of} ${costs}${pages}${limit}`,
    ];
  }
  const { ours, against, others, unit } = result;
  const line = (side: Measured) => `${spreadText(side.ratio)}  ${side.label} ${figure(side.figure)} ${unit}`;
  return [
    `${verdict} ${line(ours)} over ${against.label} ${figure(against.figure)}${goalText}`,
    ...others.map((side) => `       ${line(side)}`),
  ];
}
