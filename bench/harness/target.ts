/** The project that is measured: a stand-in for each suite, or the one in the environment. */
import type postgres from "postgres";
import { startSupabase } from "../../local/supabase.ts";
import { connectDatabase } from "../../operate/database.ts";
import { MBOMBELA } from "./files.ts";
import type { BenchContext, Suite } from "./types.ts";

const POLOKWANE = "b0107a1e-0000-4000-8000-000000000002";

/** BENCH_TARGET=environment measures the project whose variables are set, not a stand-in. */
export const isRemote = Deno.env.get("BENCH_TARGET") === "environment";

function variable(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} is not set. BENCH_TARGET=environment needs it.`);
  return value;
}

/** Throws where a project has other municipalities than those of supabase/seed.sql: the bench leaves records in it. */
export async function refuseUnlessSeedOnly(sql: postgres.Sql): Promise<void> {
  const others = await sql`
    select slug from public.municipalities where id not in (${MBOMBELA}, ${POLOKWANE}) order by slug limit 3`;
  if (others.length === 0) return;
  const names = others.map(({ slug }) => slug).join(", ");
  throw new Error(
    `The project has municipalities of its own (${names}). What is measured leaves records in the custody log for ` +
      "ever: take a throwaway project that has supabase/seed.sql alone (CONTRIBUTING.md).",
  );
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
    const sql = connectDatabase(dbUrl, { max: 4 });
    if (!supabase) await refuseUnlessSeedOnly(sql);
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
