/**
 * Runs work with a signal that aborts it after so many milliseconds. (`AbortSignal.timeout` leaves its timer behind when
 * the work is done, and the thousands of a busy worker slow down every request.)
 */
export async function inTime<Result>(
  ms: number,
  work: (signal: AbortSignal) => PromiseLike<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DOMException("Timed out.", "TimeoutError")), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
