// What goes wrong in the demo, and how time passes in it. Only for a stack on this machine (Linux).
import postgres from "postgres";

/** Kills a function's process (SIGKILL) while it works. False where there is none. */
export async function killFunction(name: string): Promise<boolean> {
  const run = `LOCAL_SUPABASE_RUN=${Deno.env.get("LOCAL_SUPABASE_RUN")}`;
  for await (const { name: pid } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const command = await Deno.readTextFile(`/proc/${pid}/cmdline`);
      if (!command.includes("function-host.ts") || !command.includes(`functions/${name}/`)) continue;
      if (!(await Deno.readTextFile(`/proc/${pid}/environ`)).split("\0").includes(run)) continue;
      Deno.kill(Number(pid), "SIGKILL");
      return true;
    } catch {
      continue; // ended meanwhile, or somebody else's
    }
  }
  return false;
}

/** Seven minutes pass: leases held by now are over. */
export async function turnClockForward(): Promise<void> {
  const sql = postgres(Deno.env.get("SUPABASE_DB_URL")!, { max: 1 });
  await sql`update public.media_attachments set next_attempt_at = now() where status = 'pending' and source = 'whatsapp'`;
  await sql.end();
}
