// Makes the package that a dashboard installs: `npm run package` leaves dist/citizen-evidence-client-VERSION.tgz.
import { rolldown } from "rolldown";
import { isolatedDeclarationSync } from "rolldown/experimental";
import { verifyPage } from "../shared/bundle/verify-page.ts";

const root = new URL("../", import.meta.url);
const out = new URL("dist/client/", root);
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

await Deno.remove(out, { recursive: true }).catch(() => {});
await Deno.mkdir(out, { recursive: true });

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

const { success, stdout, stderr } = await new Deno.Command("npm", {
  args: ["pack", "--silent", "--pack-destination", new URL("dist", root).pathname, out.pathname],
  stdin: "null",
}).output();
if (!success) throw new Error(new TextDecoder().decode(stderr));
console.log(`dist/${new TextDecoder().decode(stdout).trim()}`);
