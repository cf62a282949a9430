/** verify.html as one text, its script inside: made when the command runs, the dashboard is built or the client is packed. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export async function verifyPage(): Promise<string> {
  const build = await rolldown({
    cwd: pathOf("../.."),
    input: pathOf("page.ts"),
    platform: "browser",
    resolve: { conditionNames: ["import"], symlinks: false },
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  // nothing in the script may end it
  const script = output[0].code.replaceAll("</script", "<\\/script");
  return (await readFile(pathOf("page.html"), "utf8")).replace("SCRIPT", () => script);
}
