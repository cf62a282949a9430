// Imports run downwards only, as docs/architecture.md says.
import { assert, assertEquals } from "../support/assert.ts";

const root = new URL("../../", import.meta.url);

/** Which layers each may import, beside itself. */
const MAY_IMPORT: Record<string, string[]> = {
  "functions": ["request", "evidence", "twilio", "platform", "contracts.ts", "failures.ts"],
  "request": ["twilio", "platform", "contracts.ts", "failures.ts"],
  "evidence": ["storage", "twilio", "platform", "contracts.ts", "failures.ts", "file-types.ts"],
  "storage": ["platform", "contracts.ts", "failures.ts", "file-types.ts"],
  "twilio": ["platform", "contracts.ts", "failures.ts"],
  "platform": ["database.types.ts", "failures.ts"],
  "bundle": ["evidence"],
  "client": ["bundle", "database.types.ts", "file-types.ts"],
  "responses.ts": ["contracts.ts"],
  "contracts.ts": ["responses.ts"],
  "operate": ["bundle", "evidence", "storage", "twilio", "platform", "contracts.ts", "failures.ts"],
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

/** The modules of the repository that a file imports, types included, as paths from the root. */
function importsOf(file: string): string[] {
  const text = Deno.readTextFileSync(new URL(file, root));
  return Array.from(
    text.matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g),
    ([, target]) => new URL(target!, new URL(file, root)).href.slice(root.href.length),
  );
}

const PRODUCT = ["functions/", "shared/", "client/", "operate/"];
const filesOf = (...rooms: string[]) => rooms.flatMap((room) => [...sources(room)]);

Deno.test("layers: nothing imports upwards, and neither functions nor shared know local, tests or examples", () => {
  const upwards: string[] = [];
  let imports = 0;
  for (const file of filesOf(...PRODUCT)) {
    const from = layerOf(file);
    for (const target of importsOf(file)) {
      imports++;
      const to = layerOf(target);
      if (from !== to && !MAY_IMPORT[from]?.includes(to)) upwards.push(`${file} imports ${target}`);
    }
  }
  assertEquals(upwards, []);
  assert(imports > 50, "the imports were not found");
});

Deno.test("layers: the local stand-in is a tool of its own, which knows nothing of the product", () => {
  const known = filesOf("local/").flatMap((file) =>
    importsOf(file).filter((target) => !target.startsWith("local/")).map((target) =>
      `${file} imports ${target}`
    )
  );
  assertEquals(known, []);
});

Deno.test("layers: no two modules need each other", () => {
  // contracts.ts and responses.ts exchange types only: each request and answer has one type
  const allowed = new Set(["shared/contracts.ts shared/responses.ts"]);
  const files = filesOf(...PRODUCT, "local/");
  const edges = new Map(files.map((file) => [file, importsOf(file)]));
  const circles: string[] = [];
  for (const file of files) {
    const seen = new Set<string>();
    const next = [...edges.get(file)!];
    while (next.length > 0) {
      const at = next.pop()!;
      if (seen.has(at)) continue;
      seen.add(at);
      next.push(...edges.get(at) ?? []);
    }
    if (seen.has(file)) circles.push(file);
  }
  assertEquals([circles.sort().join(" ")].filter((circle) => !allowed.has(circle)), []);
});
