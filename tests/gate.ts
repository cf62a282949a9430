// The one gate, `npm test`: format, lint, types, then every test, on the Deno of Edge Runtime and on the newest one.
// Shows a line per step; what a step printed is shown when it fails. Ends with `gate: N passed, N failed`.

const root = new URL("..", import.meta.url).pathname;
const newest = Deno.execPath();
/** Edge Runtime's version. It cannot type-check deno-std, which comes without types. */
const edge = `${root}node_modules/deno/deno`;

const inStack = [newest, "run", "-A", "local/main.ts", "run", "--"];
const test = (deno: string, ...paths: string[]) => [deno, "test", "-A", "--no-check", ...paths];

interface Step {
  name: string;
  command: string[];
  env?: Record<string, string>;
}

const steps: Step[] = [
  { name: "format", command: [newest, "fmt", "--check", "--quiet"] },
  { name: "lint", command: [newest, "lint", "--quiet"] },
  {
    name: "types",
    command: [newest, "check", "--quiet", "functions", "shared", "local", "tests", "examples"],
  },
  { name: "unit, Edge Runtime's Deno", command: test(edge, "tests/unit") },
  { name: "unit, newest Deno", command: test(newest, "tests/unit") },
  {
    name: "database, contract and local, functions on Edge Runtime's Deno",
    command: [...inStack, ...test(newest, "tests/database", "tests/contract", "tests/local")],
  },
  {
    name: "functions, Edge Runtime's Deno",
    command: [...inStack, ...test(edge, "tests/functions")],
  },
  {
    name: "functions, newest Deno",
    command: [...inStack, ...test(newest, "tests/functions")],
    env: { LOCAL_FUNCTIONS_DENO: newest },
  },
  { name: "worker and custody", command: [...inStack, ...test(newest, "tests/worker", "tests/operate")] },
  { name: "client", command: [...inStack, ...test(newest, "tests/client")] },
  { name: "browser", command: [...inStack, ...test(newest, "tests/browser")] },
  { name: "the CLI's advisors", command: [...inStack, newest, "run", "-A", "tests/advisors.ts"] },
  { name: "demo", command: [...inStack, newest, "run", "-A", "examples/demo/main.ts"] },
];

let passed = 0;
let failed = 0;
const begun = performance.now();

for (const [index, { name, command, env }] of steps.entries()) {
  const label = `${String(index + 1).padStart(2)}/${steps.length}  ${name}`;
  const started = performance.now();
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args,
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LOCAL_WORKER_SECONDS: "0", ...env },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counted = /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/m.exec(output);
  const found = counted ? [Number(counted[1]), Number(counted[2])] : code === 0 ? [1, 0] : [0, 1];
  passed += found[0]!;
  failed += code === 0 ? found[1]! : Math.max(found[1]!, 1);
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  console.log(
    `${code === 0 ? "ok    " : "FAILED"} ${seconds} s  ${label}${counted ? `: ${found[0]} passed` : ""}`,
  );
  if (code !== 0) console.log(output.replaceAll(/^/gm, "    | "));
  const ignored = /(\d+) ignored/.exec(output)?.[1];
  if (ignored) {
    console.log(
      `                 ${ignored} ignored: ${
        [...output.matchAll(/^(.+) \.\.\. ignored/gm)].map((m) => m[1]).join("; ")
      }`,
    );
  }
}

console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s in all`);
console.log(`gate: ${passed} passed, ${failed} failed`);
Deno.exit(failed ? 1 : 0);
