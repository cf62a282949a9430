/** The running stand-in's scratch directory: whatever lies in it goes with the run, however that ends. */
function find(): string {
  const directory = Deno.env.get("LOCAL_SUPABASE_RUN");
  if (!directory) throw new Error("The browser tests need the stand-in: npm run local -- COMMAND");
  return directory;
}

export const SCRATCH = find();
