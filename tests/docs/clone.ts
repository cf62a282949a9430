/** A directory that looks like a fresh clone, to run examples in: what they write stays in it. */
import { root } from "./markdown.ts";

/** Makes it; the caller removes it. Everything in it but deno.json is a link into the repository. */
export async function makeClone(): Promise<string> {
  // the local stack's own scratch directory, where there is one: it goes with the stack
  const dir = Deno.env.get("LOCAL_SUPABASE_RUN");
  const clone = await Deno.makeTempDir({ dir, prefix: "docs-" });
  for await (const { name } of Deno.readDir(root)) {
    if (name === ".git" || name === "deno.json") continue;
    await Deno.symlink(`${root}${name}`, `${clone}/${name}`);
  }
  const config = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  // an example shows what one gets, and need not use it
  config.compilerOptions = { ...config.compilerOptions, noUnusedLocals: false, noUnusedParameters: false };
  await Deno.writeTextFile(`${clone}/deno.json`, JSON.stringify(config));
  return clone;
}
