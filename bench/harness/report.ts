/** RESULTS.md and its plots, of a run of all suites. */
import { readMachine } from "./machine.ts";
import type { ComparisonResult, GrowthResult, Result } from "./measure.ts";
import { growthPlot, ratioPlot } from "./plots.ts";
import { figure, goal, ratio } from "./print.ts";
import type { Spread } from "./statistics.ts";
import type { Suite } from "./types.ts";

export interface SuiteResults {
  suite: Suite;
  results: Result[];
}

const directory = new URL("../", import.meta.url);

/** Writes them beside main.ts; returns their names. `ms` is how long the run took. */
export async function writeResults(all: SuiteResults[], ms: number): Promise<string[]> {
  const results = all.flatMap((one) => one.results);
  const growths = all.filter(({ suite }) => !suite.ownTable).flatMap((one) => one.results).filter(isGrowth);
  const reasons = await Deno.readTextFile(new URL("reasons.md", directory));
  const files: Record<string, string> = {
    "RESULTS.md": [
      "# What the benchmark measured",
      "",
      "Written by `npm run bench`; how it measures is in `harness/`. Every ratio is taken in one run, on one machine, round by",
      "round in turning order; the median is given, then the quartiles of the rounds. Only ratios travel to other machines.",
      "",
      ...machineTable({ ...await readMachine(), "the run took": `${Math.round(ms / 1000)} s` }),
      "",
      "![Each ratio over its goal](ratios.svg)",
      "",
      ...all.flatMap(suiteSection),
      "## How cost grows",
      "",
      "The slope of log(cost) over log(size): 0 is flat, 1 is linear; the goal is at most 1.",
      "",
      ...growthTable(growths),
      "",
      "![Cost by size](growth.svg)",
      "",
      "## What is not reached, and why",
      "",
      reasons.trim(),
      "",
    ].join("\n"),
    "ratios.svg": await ratioPlot(results.filter(isComparison)),
    "growth.svg": await growthPlot(growths),
  };
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(new URL(name, directory), text);
  return Object.keys(files).map((name) => `bench/${name}`);
}

function isComparison(result: Result): result is ComparisonResult {
  return result.kind === "comparison";
}

function isGrowth(result: Result): result is GrowthResult {
  return result.kind === "growth";
}

function machineTable(machine: Record<string, string>): string[] {
  return table(["", ""], Object.entries(machine).map(([name, value]) => [name, value]));
}

function suiteSection({ suite, results }: SuiteResults): string[] {
  const comparisons = results.filter(isComparison);
  const growths = suite.ownTable ? results.filter(isGrowth) : [];
  if (comparisons.length + growths.length === 0) return [];
  const rows = comparisons.flatMap(({ name, unit, ours, against, others, goal: wanted, met }) => [
    [
      name,
      `${ours.label}: ${figure(ours.figure)} ${unit}`,
      `${against.label}: ${figure(against.figure)} ${unit}`,
      ratios(ours.ratio),
      goal(wanted),
      wanted ? (met ? "met" : "**not met**") : "",
    ],
    ...others.map((other) => [
      "",
      `${other.label}: ${figure(other.figure)} ${unit}`,
      "",
      ratios(other.ratio),
      "",
      "",
    ]),
  ]);
  return [
    `## ${suite.name}`,
    "",
    `${suite.about[0]!.toUpperCase()}${suite.about.slice(1)}.`,
    "",
    ...(rows.length ? [...table(["what", "measured", "against", "ratio", "goal", ""], rows), ""] : []),
    ...(growths.length ? [...ownGrowthTable(growths), ""] : []),
  ];
}

function growthTable(growths: GrowthResult[]): string[] {
  return table(
    ["what", "by", "cost", "slope", ""],
    growths.map(({ name, unit, of, sizes, costs, slope, met }) => [
      name,
      of,
      sizes.map((size, index) => `${figure(size)}: ${figure(costs[index]!)} ${unit}`).join(", "),
      ratios(slope),
      met ? "met" : "**not met**",
    ]),
  );
}

/** Of growths that have their sizes in common. */
function ownGrowthTable(growths: GrowthResult[]): string[] {
  const { sizes, of } = growths[0]!;
  return table(
    ["what", ...sizes.map((size) => `${figure(size)} ${of}`), "pages read", "slope", "goal", ""],
    growths.map(({ name, unit, costs, pages, slope, goal: wanted, beyondLimit, met }) => [
      name,
      ...costs.map((cost) => `${figure(cost)} ${unit}`),
      pages ? pages.map((each) => Number.isNaN(each) ? "?" : figure(each)).join(", ") : "",
      ratios(slope),
      goal(wanted),
      beyondLimit ? "**over the limit**" : met ? "met" : "**not met**",
    ]),
  );
}

function ratios({ median, q1, q3 }: Spread): string {
  return `${ratio(median)} [${ratio(q1)}–${ratio(q3)}]`;
}

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
