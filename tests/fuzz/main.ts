/** `npm run fuzz -- --runs N --seed S [NAME…]`: fuzzes for longer than the gate does, from another seed each time unless told. */
import { parseArgs } from "node:util";

const { values: { runs, seed }, positionals: names } = parseArgs({
  args: Deno.args,
  options: { runs: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});
const chosen = { FUZZ_RUNS: Number(runs ?? 10_000), FUZZ_SEED: Number(seed ?? Date.now() % 2 ** 31) };
for (const [name, value] of Object.entries(chosen)) {
  if (!Number.isInteger(value)) {
    console.error(`${name} is no whole number. Usage: npm run fuzz -- --runs N --seed S [NAME…]`);
    Deno.exit(2);
  }
}
const files = names.map((name) => new URL(`${name}.test.ts`, import.meta.url).pathname);
const test = new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "-A",
    "--no-check",
    ...(files.length > 0 ? files : [new URL(".", import.meta.url).pathname]),
  ],
  env: Object.fromEntries(Object.entries(chosen).map(([name, value]) => [name, String(value)])),
});
console.log(`${chosen.FUZZ_RUNS} runs, seed ${chosen.FUZZ_SEED}`);
Deno.exit((await test.spawn().status).code);
