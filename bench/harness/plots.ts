/** Plots as SVG: Vega-Lite, drawn without a browser. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { ComparisonResult, GrowthResult } from "./measure.ts";
import { ratio } from "./print.ts";

const MET = "#1a7f5a";
const MISSED = "#c2410c";
const config: TopLevelSpec["config"] = {
  background: "white",
  font: "sans-serif",
  axis: { labelFontSize: 11, titleFontSize: 12, labelLimit: 0, gridColor: "#e5e7eb" },
  legend: { labelFontSize: 11, titleFontSize: 12, labelLimit: 0 },
  title: { fontSize: 14, anchor: "start", frame: "group" },
};

/** Pixels of a text, about: without a browser Vega reckons with far more. */
const wide = (texts: string[]) => 20 + 6 * Math.max(...texts.map((text) => text.length));

async function draw(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile({ ...spec, config }).spec), { renderer: "none" });
  try {
    return await view.toSVG() + "\n";
  } finally {
    view.finalize();
  }
}

/**
 * Every ratio that has a goal, as a share of what the goal allows: left of the line is met. A goal of "at least" is
 * turned over, so that less is better for all. Dot: median; bar: quartiles; thin line: least to most.
 */
export function ratioPlot(results: ComparisonResult[]): Promise<string> {
  const values = results.flatMap(({ name, ours, goal, met }) => {
    if (!goal) return [];
    const { min, q1, median, q3, max } = ours.ratio;
    const used = (value: number) => "atMost" in goal ? value / goal.atMost : goal.atLeast / value;
    const wanted = "atMost" in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
    return [{
      name,
      text: `${ratio(median)} (${wanted})`,
      min: used(min),
      q1: used(q1),
      median: used(median),
      q3: used(q3),
      max: used(max),
      outcome: met ? "met" : "not met",
    }];
  });
  const y = { field: "name", type: "nominal" as const, sort: null, title: null };
  const color = {
    field: "outcome",
    type: "nominal" as const,
    title: null,
    scale: { domain: ["met", "not met"], range: [MET, MISSED] },
    legend: { orient: "top" as const, symbolOpacity: 1 },
  };
  const x = (field: string) => ({
    field,
    type: "quantitative" as const,
    scale: { type: "log" as const },
    title: "measured over what the goal allows (less is better)",
    axis: { values: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], format: "~g" },
  });
  return draw({
    title: "Each ratio over its goal",
    width: 420,
    height: { step: 24 },
    autosize: "none",
    padding: { left: wide(values.map(({ name }) => name)), right: 110, top: 60, bottom: 50 },
    data: { values },
    layer: [
      { mark: { type: "rule", strokeWidth: 1 }, encoding: { y, color, x: x("min"), x2: { field: "max" } } },
      {
        mark: { type: "rule", strokeWidth: 8, opacity: 0.45 },
        encoding: { y, color, x: x("q1"), x2: { field: "q3" } },
      },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { y, color, x: x("median") } },
      {
        mark: { type: "text", align: "left", x: 430, fontSize: 11 },
        encoding: { y, text: { field: "text", type: "nominal" } },
      },
      {
        data: { values: [{ goal: 1 }] },
        mark: { type: "rule", strokeDash: [4, 3], color: "#374151" },
        encoding: { x: { field: "goal", type: "quantitative" } },
      },
    ],
  });
}

/** Cost over size, each as a multiple of its own smallest; the dashed line is linear growth. */
export function growthPlot(growths: GrowthResult[]): Promise<string> {
  const values = growths.flatMap(({ name, of, sizes, costs, slope }) =>
    sizes.map((size, index) => ({
      label: `${name}, by ${of} (slope ${ratio(slope.median)})`,
      size: size / sizes[0]!,
      cost: costs[index]! / costs[0]!,
    }))
  );
  const largest = Math.max(...values.map(({ size }) => size), 10);
  const x = {
    field: "size",
    type: "quantitative" as const,
    scale: { type: "log" as const },
    title: "size, over the smallest measured",
  };
  const y = {
    field: "cost",
    type: "quantitative" as const,
    scale: { type: "log" as const },
    title: "cost, over that of the smallest",
  };
  return draw({
    title: "How cost grows (dashed: linear)",
    width: 420,
    height: 320,
    autosize: "none",
    padding: { left: 60, right: 30 + wide(values.map(({ label }) => label)), top: 30, bottom: 50 },
    layer: [
      {
        data: { values: [{ size: 1, cost: 1 }, { size: largest, cost: largest }] },
        mark: { type: "line", strokeDash: [4, 3], color: "#374151", clip: true },
        encoding: { x, y },
      },
      {
        data: { values },
        mark: { type: "line", point: { size: 40 } },
        encoding: {
          x,
          y,
          color: {
            field: "label",
            type: "nominal",
            sort: null,
            title: null,
            scale: { scheme: "tableau10" },
            legend: { symbolLimit: 0 },
          },
        },
      },
    ],
  });
}
