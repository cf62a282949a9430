// What every npm script starts with: our programs run on Deno, which comes as an npm package.
//   node run.mjs [--stack] FILE.ts [ARGUMENT…]      runs a program
//   node run.mjs [--stack] test FOLDER [NAME…]      runs the tests of a folder, or those named: FOLDER/NAME.test.ts
//   node run.mjs fmt
// --stack gives it a local Supabase of its own, with no worker that runs by itself.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const deno = `${root}node_modules/deno-newest/deno`;
/** npm and the Supabase CLI need it; everything else runs on Deno, so that packages' own wish for 22 does not matter. */
const NODE = 20;

if (Number(process.versions.node.split(".")[0]) < NODE) {
  stop(`Node ${process.versions.node} is too old: install Node ${NODE} or newer, then npm ci.`);
}
if (process.platform !== "linux") console.error("Only Linux is tested; elsewhere this may not work.");
if (!existsSync(deno)) stop("Packages are missing: npm ci");

const words = process.argv.slice(2);
const inStack = words[0] === "--stack" && words.shift() !== undefined;
const [what, ...rest] = words;
if (!what) stop("What to run? See the scripts of package.json.");
const own = commandOf(what, rest);
const args = inStack ? ["run", "-A", "local/main.ts", "run", "--", deno, ...own] : own;
const env = inStack ? { LOCAL_WORKER_SECONDS: "0", ...process.env } : process.env;

const child = spawn(deno, args, { stdio: "inherit", env: { DENO_NO_UPDATE_CHECK: "1", ...env } });
process.on("SIGINT", () => {}); // a terminal sends it to the child, too
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : code ?? 1));

function commandOf(what, rest) {
  if (what === "fmt") return ["fmt", ...rest];
  if (what !== "test") return ["run", "-A", what, ...rest];
  const [folder, ...names] = rest;
  const options = names.filter((name) => name.startsWith("-"));
  const files = names.filter((name) => !name.startsWith("-")).map((name) => `${folder}/${name}.test.ts`);
  const missing = files.filter((file) => !existsSync(root + file));
  if (missing.length > 0) stop(`There is no ${missing.join(", ")}.`);
  return ["test", "-A", "--no-check", ...options, ...(files.length > 0 ? files : [folder])];
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
