// Imports run downwards only, as docs/architecture.md says.
import { assert, assertEquals } from "../support/assert.ts";

const root = new URL("../../", import.meta.url);

/** Which layers each may import, beside itself. */
const MAY_IMPORT: Record<string, string[]> = {
  "functions": ["request", "evidence", "twilio", "platform", "contracts.ts", "failures.ts"],
  "request": ["twilio", "platform", "contracts.ts", "failures.ts"],
  "evidence": ["storage", "twilio", "platform", "contracts.ts", "failures.ts"],
  "storage": ["platform", "contracts.ts", "failures.ts"],
  "twilio": ["platform", "contracts.ts", "failures.ts"],
  "platform": ["database.types.ts", "failures.ts"],
  "client": ["contracts.ts", "failures.ts", "database.types.ts"],
  "responses.ts": ["contracts.ts"],
  "contracts.ts": ["responses.ts"],
  "operate": ["evidence", "storage", "twilio", "platform", "contracts.ts", "failures.ts"],
};

/** Every TypeScript file below a directory of the repository. */
function* sources(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(directory, root))) {
    if (isDirectory) yield* sources(`${directory}${name}/`);
    else if (name.endsWith(".ts")) yield directory + name;
  }
}

/** `shared/twilio/media.ts` is of the layer twilio, `functions/x/index.ts` of functions. */
function layerOf(path: string): string {
  const [top, second] = path.split("/");
  return top === "shared" ? second! : top!;
}

Deno.test("layers: nothing imports upwards, and neither functions nor shared know local, tests or examples", () => {
  const upwards: string[] = [];
  let imports = 0;
  for (const file of ["functions/", "shared/", "client/", "operate/"].flatMap((room) => [...sources(room)])) {
    const from = layerOf(file);
    const text = Deno.readTextFileSync(new URL(file, root));
    for (const [, target] of text.matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g)) {
      imports++;
      const to = layerOf(new URL(target!, new URL(file, root)).href.slice(root.href.length));
      if (from !== to && !MAY_IMPORT[from]?.includes(to)) upwards.push(`${file} imports ${target}`);
    }
  }
  assertEquals(upwards, []);
  assert(imports > 50, "the imports were not found");
});
