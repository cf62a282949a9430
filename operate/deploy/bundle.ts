/** Bundles the functions for a deploy: each with its packages in a file of its own, at the versions of package-lock.json. */
import { join } from "node:path";
import { rolldown } from "rolldown";

const root = new URL("../..", import.meta.url).pathname;

/** Where bundles go unless told otherwise; ignored by git. */
export const DIST = join(root, "dist", "deploy");

/**
 * Makes a directory that the Supabase CLI deploys as it deploys the repository: the functions bundled, with source maps
 * beside them, a config.toml that points at them, and an empty import map. Returns their names.
 */
export async function bundleFunctions(directory = DIST): Promise<string[]> {
  await Deno.remove(directory, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const config = await Deno.readTextFile(join(root, "supabase/config.toml"));
  const entrypoint = /^(entrypoint = "\.\.\/functions\/([a-z-]+)\/index)\.ts"$/gm;
  const names = Array.from(config.matchAll(entrypoint), ([, , name]) => name!);
  for (const name of names) await bundle(name, join(directory, "functions", name));

  await Deno.mkdir(join(directory, "supabase"), { recursive: true });
  await Deno.writeTextFile(join(directory, "supabase/config.toml"), config.replace(entrypoint, '$1.js"'));
  await Deno.writeTextFile(join(directory, "deno.json"), '{ "imports": {} }\n');
  return names;
}

async function bundle(name: string, directory: string): Promise<void> {
  const build = await rolldown({
    cwd: root,
    input: { index: join(root, "functions", name, "index.ts") },
    platform: "browser", // what is Node's is imported as node:
    external: /^node:/,
    // paths told from the root, where node_modules may be a link
    resolve: { conditionNames: ["import"], symlinks: false },
  });
  await build.write({ dir: directory, format: "esm", sourcemap: true, chunkFileNames: "[name].js" });
  await build.close();
}
