// `npm run types`: shared/database.types.ts, the types of schema `public`, as the real CLI reads them off the migrated database.
const root = new URL("../..", import.meta.url).pathname;

/** Where the types stand in the repository. */
export const FILE = `${root}shared/database.types.ts`;

/** The file's text for a database, formatted as the repository is. Throws with what the CLI said. */
export async function databaseTypes(databaseUrl: string): Promise<string> {
  const types = await output(`${root}node_modules/.bin/supabase`, [
    "gen",
    "types",
    "typescript",
    `--remote=${databaseUrl}`,
    "--schema=public",
  ]);
  // before them the CLI tells how it connected
  const source = `// Made by \`npm run types\`.\n${types.slice(types.indexOf("export "))}`;
  return await output(Deno.execPath(), ["fmt", "--ext=ts", "-"], source);
}

async function output(program: string, args: string[], input?: string): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    cwd: root,
    env: { SUPABASE_TELEMETRY_DISABLED: "1" },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) await new Blob([input]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`${program} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  await Deno.writeTextFile(FILE, await databaseTypes(Deno.env.get("SUPABASE_DB_URL")!));
  console.log("shared/database.types.ts is written");
}
