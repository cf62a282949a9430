/** A stack of a test file's own, in this process: for tests that kill, cut off or crash parts of it. */
import type postgres from "postgres";
import { startSupabase, type Supabase } from "../../local/supabase.ts";

type Options = Parameters<typeof startSupabase>[0];

export interface OwnStack {
  supabase: Supabase;
  /** The database as superuser. */
  superuser: postgres.Sql;
  /** The helpers of this directory, bound to this stack: import only their types elsewhere. */
  stack: typeof import("./stack.ts");
  files: typeof import("./files.ts");
  functions: typeof import("./functions.ts");
  whatsapp: typeof import("./whatsapp.ts");
}

/** Starts it; the caller stops it. The helpers read the environment once, as they are loaded. */
export async function ownStack(options: Options = {}): Promise<OwnStack> {
  const supabase = await startSupabase(options);
  const before = new Map(Object.keys(supabase.env).map((name) => [name, Deno.env.get(name)]));
  for (const [name, value] of Object.entries(supabase.env)) Deno.env.set(name, value);
  try {
    const [stack, files, functions, whatsapp] = await Promise.all([
      import("./stack.ts"),
      import("./files.ts"),
      import("./functions.ts"),
      import("./whatsapp.ts"),
    ]);
    return { supabase, superuser: supabase.connect("supabase_admin"), stack, files, functions, whatsapp };
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

/** Kills a function's process as soon as it has one; false if it had none for three seconds. */
export async function killFunction({ functions }: Supabase, name: string): Promise<boolean> {
  for (let waited = 0; waited < 3000; waited += 10) {
    const pid = functions!.pids()[name];
    if (pid !== undefined) {
      try {
        Deno.kill(pid, "SIGKILL");
        return true;
      } catch {
        // it has ended by itself
      }
    }
    await pause(10);
  }
  return false;
}

/** Waits until the function answers. */
export async function isUp({ url }: Supabase, name: string): Promise<void> {
  const response = await fetch(`${url}/functions/v1/${name}`, { method: "OPTIONS" });
  await response.body?.cancel();
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A whole number from `low` to `high`. */
export function between(low: number, high: number): number {
  return low + Math.floor(Math.random() * (high - low + 1));
}
