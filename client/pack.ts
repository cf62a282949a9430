// Makes the package that a dashboard installs: `npm run package` leaves dist/citizen-evidence-client-VERSION.tgz, and in dist/jsr
// the same for JSR (`deno publish`).
import { rolldown } from "rolldown";
import { isolatedDeclarationSync } from "rolldown/experimental";
import { verifyPage } from "../shared/bundle/verify-page.ts";

const root = new URL("../", import.meta.url);
const out = new URL("dist/client/", root);
const jsr = new URL("dist/jsr/", root);
const { version, license } = JSON.parse(Deno.readTextFileSync(new URL("package.json", root)));
const text = (path: string) => Deno.readTextFileSync(new URL(path, root));

const manifest = {
  name: "citizen-evidence-client",
  version,
  license,
  description: "Live tickets, evidence uploads and signed URLs for dashboards on Supabase.",
  type: "module",
  sideEffects: false,
  exports: {
    ".": { types: "./mod.d.ts", default: "./mod.js" },
    "./react": { types: "./react.d.ts", default: "./react.js" },
    "./bundle": { types: "./bundle.d.ts", default: "./bundle.js" },
  },
  peerDependencies: { "@supabase/supabase-js": "^2.119.1", react: ">=18" },
  peerDependenciesMeta: { react: { optional: true } },
};

for (const folder of [out, jsr]) {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
}

const bundle = await rolldown({
  input: ["mod", "react", "bundle"].map((name) => new URL(`client/${name}.ts`, root).pathname),
  // client-zip is 3 kB: not worth a dependency
  external: (id) => id !== "client-zip" && !id.startsWith(".") && !id.startsWith("/"),
  transform: { define: { VERIFY_PAGE: JSON.stringify(await verifyPage()) } },
});
await bundle.write({ dir: out.pathname, format: "esm", sourcemap: true, chunkFileNames: "core.js" });
await bundle.close();

const sources = [...Deno.readDirSync(new URL("client/", root))].map(({ name }) => `client/${name}`)
  .filter((name) => name.endsWith(".ts") && !name.endsWith("/pack.ts"));
for (const source of [...sources, "shared/database.types.ts"]) {
  const { code, errors } = isolatedDeclarationSync(source, text(source), { stripInternal: true });
  if (errors.length) throw new Error(`${source}: ${errors[0]!.message}`);
  const name = source.split("/").pop()!.replace(/\.ts$/, ".d.ts");
  const moved = code.replaceAll(/(from |import\()"(?:\.\.?\/)(?:shared\/)?([\w.-]+)\.ts"/g, '$1"./$2.js"');
  Deno.writeTextFileSync(new URL(name, out), moved);
}
Deno.writeTextFileSync(new URL("package.json", out), JSON.stringify(manifest, null, 2));
for (const [from, to] of [["client/README.md", "README.md"], ["LICENSE", "LICENSE"]] as const) {
  Deno.copyFileSync(new URL(from, root), new URL(to, out));
}

// JSR finds types by the file's whole name, and an entry's by its first line.
for (const { name } of Deno.readDirSync(out)) {
  if (name === "package.json") continue;
  const [entry] = /^(mod|react|bundle)(?=\.js$)/.exec(name) ?? [];
  const file = Deno.readTextFileSync(new URL(name, out));
  Deno.writeTextFileSync(
    new URL(name, jsr),
    entry
      ? `/* @ts-self-types="./${entry}.d.ts" */ ${file}`
      : name.endsWith(".d.ts")
      ? file.replaceAll(/(from |import\()"\.\/([\w.-]+)\.js"/g, '$1"./$2.d.ts"')
      : file,
  );
}
Deno.writeTextFileSync(
  new URL("jsr.json", jsr),
  JSON.stringify({
    name: "@citizen-evidence/client",
    version,
    license,
    exports: { ".": "./mod.js", "./react": "./react.js", "./bundle": "./bundle.js" },
    imports: {
      "@supabase/supabase-js": `npm:@supabase/supabase-js@${
        manifest.peerDependencies["@supabase/supabase-js"]
      }`,
      react: "npm:react@^19", // a range of two versions is none there
    },
    exclude: ["!."], // though git ignores dist
  }),
);

const { success, stdout, stderr } = await new Deno.Command("npm", {
  args: ["pack", "--silent", "--pack-destination", new URL("dist", root).pathname, out.pathname],
  stdin: "null",
}).output();
if (!success) throw new Error(new TextDecoder().decode(stderr));
console.log(`dist/${new TextDecoder().decode(stdout).trim()}`);
