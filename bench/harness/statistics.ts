/** Quantiles and slopes. */

export interface Spread {
  min: number;
  q1: number;
  median: number;
  q3: number;
  max: number;
}

/** The value below which `share` (0 to 1) of the values lie, interpolated between neighbours. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) throw new Error("No values to take a quantile of");
  return low + (high - low) * (at - Math.floor(at));
}

export function spread(values: number[]): Spread {
  const [min, q1, median, q3, max] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(values, share)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { min, q1, median, q3, max };
}

/** Least-squares slope of log(cost) over log(size): 1 is linear, 0 is flat. */
export function logSlope(sizes: readonly number[], costs: readonly number[]): number {
  if (costs.some((cost) => !(cost > 0))) throw new Error(`A cost is not above nothing: ${costs.join(", ")}`);
  const xs = sizes.map(Math.log);
  const ys = costs.map(Math.log);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, index) => sum + (x - meanX) * (ys[index]! - meanY), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
}
