// Makes this folder: each library that functions import as one file, with only what they use: npm run vendor
// A worker then starts by reading a few files instead of some 200, and what is deployed needs no package of npm's but types. With --check it
// only compares. Exit status: 0 all is as npm has it, 1 it is not.
import { join } from "node:path";
import { rolldown } from "rolldown";

/** What functions use of each library; `deno check` finds a name that is missing here. */
const LIBRARIES: Record<string, { values: string[]; types?: string[] }> = {
  "zod/mini": {
    values: (
      "_default array boolean coerce config enum extend guid int maximum maxLength minimum minLength object " +
      "optional positive refine regex strictObject string union"
    ).split(" "),
    types: ["core", "infer", "ZodMiniType"],
  },
  "zod/v4/locales/en.js": { values: ["default"] },
  "jose": {
    values: ["createLocalJWKSet", "decodeJwt", "decodeProtectedHeader", "errors", "jwtVerify"],
    types: ["JWTPayload"],
  },
  "@supabase/storage-js": { values: ["StorageClient"], types: ["StorageError"] },
  "@supabase/postgrest-js": { values: ["PostgrestClient"] },
  "file-type": { values: ["fileTypeFromBuffer"] },
  "p-limit": { values: ["default"] },
  "deno-std/async/delay.js": { values: ["delay"] },
  "deno-std/async/retry.js": { values: ["retry", "RetryError"] },
  "deno-std/bytes/concat.js": { values: ["concat"] },
  "deno-std/crypto/timing_safe_equal.js": { values: ["timingSafeEqual"] },
  "deno-std/encoding/base64.js": { values: ["decodeBase64", "encodeBase64"] },
  "deno-std/encoding/base64url.js": { values: ["decodeBase64Url", "encodeBase64Url"] },
  "deno-std/encoding/hex.js": { values: ["encodeHex"] },
  "deno-std/html/entities.js": { values: ["escape"] },
};

const root = new URL("../..", import.meta.url).pathname;
const folder = join(root, "shared/vendor");

interface Package {
  name: string;
  version: string;
  license: string;
}

/** The files of this folder, by name. */
async function make(): Promise<Map<string, string>> {
  const { imports } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const files = new Map<string, string>();
  const packages = new Map<string, string>(); // folder of a package whose code is in here → what its licence says
  for (const [library, { values, types }] of Object.entries(LIBRARIES)) {
    const entry = `export { ${values.join(", ")} } from "${library}";\n`;
    const { code, modules } = await bundle(entry);
    for (const module of modules) {
      const [home] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(module) ?? [];
      if (home && !packages.has(home)) packages.set(home, await licence(home));
    }
    const file = library.replace(/^@[^/]+\//, "").replace(/(\.js)?$/, ".js");
    const declarations = file.replace(/\.js$/, ".d.ts");
    const head = `// ${library}, made by \`npm run vendor\`; see vendor.ts. Licences: LICENSES.txt.`;
    files.set(file, `// @ts-self-types="./${declarations.split("/").at(-1)}"\n${head}\n${code}`);
    const name = Object.keys(imports).find((name) =>
      library === name || library.startsWith(`${name}/`.replace("//", "/"))
    )!;
    const specifier = imports[name] + library.slice(name.length);
    files.set(
      declarations,
      `${head}\n${entry.replace(library, specifier)}` +
        (types ? `export type { ${types.join(", ")} } from "${specifier}";\n` : ""),
    );
  }
  files.set("LICENSES.txt", [...packages.values()].sort().join(`\n${"-".repeat(80)}\n\n`));
  return files;
}

/** One module with all that the entry needs, its paths told from the root, where node_modules may be a link. */
async function bundle(entry: string): Promise<{ code: string; modules: string[] }> {
  const virtual = join(root, "entry.js");
  const build = await rolldown({
    cwd: root,
    input: virtual,
    platform: "browser", // no Node modules, as in Deno and the dashboard
    external: /^node:/,
    resolve: { conditionNames: ["import"], symlinks: false },
    plugins: [{
      name: "entry",
      resolveId: (id) => id === virtual ? id : null,
      load: (id) => id === virtual ? entry : null,
    }],
  });
  const { output: [chunk, ...others] } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  if (others.length) throw new Error(`More than one file came of ${entry}`);
  return { code: chunk.code, modules: chunk.moduleIds };
}

/** A package's name, version and licence text. Throws if it has none. */
async function licence(home: string): Promise<string> {
  const { name, version, license }: Package = JSON.parse(await Deno.readTextFile(join(home, "package.json")));
  for await (const { name: file } of Deno.readDir(home)) {
    if (!/^licen[cs]e/i.test(file)) continue;
    return `${name} ${version} (${license})\n\n${(await Deno.readTextFile(join(home, file))).trim()}\n`;
  }
  return `${name} ${version} (${license})\n`;
}

const files = await make();
const wrong: string[] = [];
for (const [file, text] of files) {
  const path = join(folder, file);
  if (await Deno.readTextFile(path).catch(() => null) === text) continue;
  wrong.push(file);
  if (Deno.args.includes("--check")) continue;
  await Deno.mkdir(join(path, ".."), { recursive: true });
  await Deno.writeTextFile(path, text);
}
if (!Deno.args.includes("--check")) {
  console.log(`${files.size} files in shared/vendor, ${wrong.length} of them changed`);
} else if (wrong.length) {
  console.error(`not as npm has it: ${wrong.join(", ")}. Run: npm run vendor`);
  Deno.exit(1);
}
