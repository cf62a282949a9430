export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** A clock that nobody sets, and that at most stands still while a device sleeps. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** Keeps many dashboards from acting at the same moment. */
export function jitter(): number {
  return 0.5 + Math.random();
}
