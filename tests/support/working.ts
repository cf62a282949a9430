/** The media worker called by hand, as the schedule calls it. */
import { type OwnStack, pause } from "./own-stack.ts";

interface Round {
  done: number;
  failed: number;
}

export function workerOf({ supabase }: OwnStack) {
  async function work(): Promise<Round> {
    const response = await fetch(`${supabase.url}/functions/v1/media-worker`, {
      method: "POST",
      headers: { apikey: supabase.keys.secret, prefer: "wait=120" },
      signal: AbortSignal.timeout(30_000),
    });
    return await response.json();
  }

  /** Calls the worker again and again while something goes on. */
  async function whileWorking<T>(task: () => Promise<T>): Promise<T> {
    let going = true;
    const timer = (async () => {
      while (going) {
        await work().catch(() => {});
        await pause(50);
      }
    })();
    try {
      return await task();
    } finally {
      going = false;
      await timer;
    }
  }

  return { work, whileWorking };
}
