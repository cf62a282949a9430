// The one gate, `npm test` (`npm run check`: only what needs no stack): format, lint, types, then every test, on the Deno of Edge Runtime and on the newest one.
// Shows a line per step as it ends; what a step printed is shown when it fails. Ends with `gate: N passed, N failed`.

const root = new URL("..", import.meta.url).pathname;
const newest = Deno.execPath();
/** Edge Runtime's version. It cannot type-check deno-std, which comes without types. */
const edge = `${root}node_modules/deno/deno`;
/** Folders with TypeScript in them. */
const code = ["functions", "shared", "client", "operate", "local", "tests", "examples", "docs", "bench"];
/** Steps at a time: each mostly waits, for a process, a timer or a browser. */
const AT_ONCE = 3;

const inStack = [newest, "run", "-A", "local/main.ts", "run", "--"];
const test = (deno: string, ...paths: string[]) => [deno, "test", "-A", "--no-check", ...paths];
const worker = (...names: string[]) => names.map((name) => `tests/worker/${name}.test.ts`);

interface Step {
  name: string;
  command: string[];
  env?: Record<string, string>;
}

/** Those that need no stack, and tell at once what is wrong. */
const quick: Step[] = [
  { name: "format", command: [newest, "fmt", "--check", "--quiet"] },
  { name: "lint", command: [newest, "lint", "--quiet"] },
  {
    name: "types",
    command: [newest, "check", "--quiet", ...code],
  },
  { name: "unit, Edge Runtime's Deno", command: test(edge, "tests/unit") },
  { name: "unit, newest Deno", command: test(newest, "tests/unit") },
];

/** The longest first, so that both ends of the queue come out even. Each has a stack of its own. */
const inStacks: Step[] = [
  {
    name: "worker, killed",
    command: [...inStack, ...test(newest, ...worker("kill", "sensitive-races", "sensitive-moves"))],
  },
  { name: "the local stack", command: [...inStack, ...test(newest, "tests/local")] },
  { name: "client", command: [...inStack, ...test(newest, "tests/client")] },
  { name: "functions, Edge Runtime's Deno", command: [...inStack, ...test(edge, "tests/functions")] },
  {
    name: "functions, newest Deno",
    command: [...inStack, ...test(newest, "tests/functions")],
    env: { LOCAL_FUNCTIONS_DENO: newest },
  },
  {
    name: "worker and custody",
    command: [
      ...inStack,
      ...test(
        newest,
        ...worker("custody", "custody-rights", "custody-certificate", "custody-log", "custody-checkpoints"),
        ...worker("faults", "retries", "memory", "worker"),
      ),
    ],
  },
  {
    name: "canaries and key rotation",
    command: test(newest, ...worker("canaries", "any-text", "key-rotation")),
  },
  { name: "operators' commands", command: [...inStack, ...test(newest, "tests/operate")] },
  { name: "browser", command: [...inStack, ...test(newest, "tests/browser")] },
  {
    name: "database and contract",
    command: [...inStack, ...test(newest, "tests/database", "tests/contract")],
  },
  {
    name: "demo",
    command: [...inStack, newest, "run", "-A", "examples/demo/main.ts"],
    env: { LOCAL_WORKER_SECONDS: "2" },
  },
  {
    name: "docs, OpenAPI, database types",
    command: [...inStack, ...test(newest, "tests/docs", "tests/openapi")],
  },
  { name: "fuzzing", command: [...inStack, ...test(newest, "tests/fuzz")] },
  {
    name: "two worlds",
    command: [newest, "run", "-A", "tests/worlds/main.ts", "--traces", "2", "--seed", "1"],
  },
  { name: "the package", command: [...inStack, ...test(newest, "tests/package")] },
  { name: "deploy check", command: [...inStack, ...test(newest, "tests/deploy/bundle.test.ts")] },
  {
    name: "deploy command",
    command: test(newest, ...["command", "probe", "settings"].map((name) => `tests/deploy/${name}.test.ts`)),
  },
  { name: "adopting", command: test(newest, "--parallel", "tests/adopt") },
  { name: "doctor", command: test(newest, "tests/doctor") },
  { name: "the CLI's advisors", command: [...inStack, newest, "run", "-A", "tests/advisors.ts"] },
];

/** Debian's, where it is installed: hosted projects of before 2026 have it. */
const POSTGRES_15 = "/usr/lib/postgresql/15";
const has15 = await Deno.stat(`${POSTGRES_15}/bin/postgres`).then(() => true, () => false);
if (has15) {
  inStacks.unshift({
    name: "Postgres 15: migrations, database, contract, doctor, pg_cron",
    command: [
      ...inStack,
      ...test(newest, "tests/postgres15", "tests/contract", "tests/database", "tests/doctor"),
    ],
    env: { LOCAL_POSTGRES: POSTGRES_15 },
  });
}

let passed = 0;
let failed = 0;
const begun = performance.now();
const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1).padStart(6);

async function run({ name, command, env }: Step): Promise<void> {
  const started = performance.now();
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args,
    cwd: root,
    stdin: "null",
    // the tests call the worker when they want it
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LOCAL_WORKER_SECONDS: "0", ...env },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counted = /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/m.exec(output);
  const [ok, bad] = counted ? [Number(counted[1]), Number(counted[2])] : code === 0 ? [1, 0] : [0, 1];
  passed += ok;
  failed += code === 0 ? bad : Math.max(bad, 1);
  console.log(
    `${code === 0 ? "ok    " : "FAILED"} ${seconds(started)} s  ${name}${counted ? `: ${ok} passed` : ""}`,
  );
  if (code !== 0) console.log(output.replaceAll(/^/gm, "    | "));
  for (const [, note] of output.matchAll(/^note: (.+)/gm)) console.log(`                 ${note}`);
  for (const [, ignored] of output.matchAll(/^(.+) \.\.\. ignored/gm)) {
    console.log(`                 ignored: ${ignored}`);
  }
}

for (const step of quick) await run(step);
const queue = Deno.args.includes("--quick") ? [] : [...inStacks];
if (queue.length > 0 && !has15) {
  console.log(`Postgres 15 is not in ${POSTGRES_15}: left out (Debian: postgresql-15, postgresql-15-cron)`);
}
if (queue.length > 0) console.log(`${queue.length} steps with a local Supabase each, ${AT_ONCE} at a time`);
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let step = queue.shift(); step; step = queue.shift()) await run(step);
}));

console.log(`${seconds(begun).trim()} s in all`);
console.log(`gate: ${passed} passed, ${failed} failed`);
Deno.exit(failed ? 1 : 0);
