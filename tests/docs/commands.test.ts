// The CLI's own default is the local stack, or a project that nothing here links: a command that is told to somebody names one.
import { assertEquals } from "../support/assert.ts";
import { pages, root } from "./markdown.ts";

/** The commands that have no target, with the number of their line. */
function withoutTarget(text: string): string[] {
  return text.split("\n").flatMap((line, at) =>
    [...line.matchAll(/npx supabase (?:db push|secrets|functions(?! serve))\b[^`]*/g)]
      .filter(([command]) => !/--remote=\S|\$\{remote\}/.test(command))
      .map(([command]) => `${at + 1}: ${command.trim()}`)
  );
}

async function sources(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    if (isDirectory) found.push(...await sources(`${folder}${name}/`));
    else if (name.endsWith(".ts")) found.push(folder + name);
  }
  return found;
}

Deno.test("every command of the Supabase CLI that a page or a program tells somebody to type names its project", async () => {
  const files = [...(await pages()).map(({ file }) => file), ...await sources("operate/")];
  const found = await Promise.all(
    files.map(async (file) =>
      withoutTarget(await Deno.readTextFile(root + file)).map((command) => `${file}:${command}`)
    ),
  );
  assertEquals(found.flat(), []);
});

Deno.test("a command without a target is found wherever it stands in a line", () => {
  const text =
    "a\n`npx supabase secrets set A=1`, or `npx supabase functions list --remote=REF`\nnpx supabase db push --remote=\n";
  assertEquals(withoutTarget(text), ["2: npx supabase secrets set A=1", "3: npx supabase db push --remote="]);
});
