/** The project that is measured: a stand-in for each suite, or the one in the environment. */
import postgres from "postgres";
import { startSupabase } from "../../local/supabase.ts";
import type { BenchContext, Suite } from "./types.ts";

/** BENCH_TARGET=environment measures the project whose variables are set, not a stand-in. */
export const isRemote = Deno.env.get("BENCH_TARGET") === "environment";

function variable(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} is not set. BENCH_TARGET=environment needs it.`);
  return value;
}

/** Starts what a suite runs on; `close` ends it. */
export async function open(
  suite: Suite,
  progress: (text: string) => void,
): Promise<BenchContext & { close(): Promise<void> }> {
  const supabase = isRemote ? null : await startSupabase({ workerSeconds: 0, ...suite.stack });
  try {
    const valueOf = supabase ? (name: string) => supabase.env[name]! : variable;
    const url = valueOf("SUPABASE_URL");
    const publishableKey = valueOf("SUPABASE_PUBLISHABLE_KEY");
    const dbUrl = valueOf("SUPABASE_DB_URL");
    const password = valueOf("DEMO_PASSWORD");
    const sql = postgres(dbUrl, { max: 4, onnotice: () => {} });
    const tokens = new Map<string, Promise<string>>();
    return {
      supabase,
      url,
      publishableKey,
      secretKey: valueOf("SUPABASE_SECRET_KEY"),
      dbUrl,
      sql,
      progress,
      token(role, slug = "mbombela") {
        const email = `${role}@${slug}.test`;
        let token = tokens.get(email);
        if (!token) tokens.set(email, token = signIn(url, publishableKey, email, password));
        return token;
      },
      async close() {
        await sql.end({ timeout: 5 });
        await supabase?.stop();
      },
    };
  } catch (error) {
    await supabase?.stop();
    throw error;
  }
}

async function signIn(url: string, apikey: string, email: string, password: string): Promise<string> {
  const response = await fetch(`${url}/auth/v1/token?grant_type=password`, {
    method: "POST",
    headers: { apikey, "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(
      `${email} cannot sign in (${response.status}): run supabase/seed.sql and set DEMO_PASSWORD`,
    );
  }
  return answer.access_token;
}
