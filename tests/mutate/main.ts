/**
 * `npm run mutate -- [--minutes N] [--only PATTERN] [--again survived] [--wide] [--list]`: takes one rule away at a time, in a copy
 * of this repository, and runs the tests of behaviour that should notice: those nearest to it, with --wide all. Goes on where it
 * stopped; prints the mutants that survive.
 */
import { parseArgs } from "node:util";
import { typescriptChanges } from "./conditions.ts";
import type { Mutant, Outcome } from "./mutant.ts";

const root = new URL("../../", import.meta.url).pathname;
const deno = Deno.execPath();
const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "60" },
    only: { type: "string", default: "" },
    again: { type: "string" },
    wide: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    results: { type: "string", default: `${root}dist/mutants.jsonl` },
  },
});
/** Seconds for the tests of one mutant: one that hangs is no rule that is tested. */
const PATIENCE = 300;
/** So many files of tests are run at first. */
const NEAREST = 3;
/** Mutants after which the stack is made anew: what a mutant lets through stays in it. */
const FRESH_AFTER = 25;

/** Files whose rules are taken away in TypeScript: callers, webhooks, media, sizes. */
const SOURCES = [
  ...[
    "request/caller",
    "request/webhook",
    "request/body",
    "request/system",
    "request/credentials",
    "request/auth-keys",
  ],
  ...["twilio/signature", "twilio/media", "twilio/message", "contracts", "file-types", "platform/fernet"],
  ...["storage/service", "storage/take-in", "storage/hash", "storage/media-type", "storage/object-name"],
  ...["evidence/reading", "evidence/report", "evidence/upload", "evidence/intake", "evidence/transfer"],
].map((name) => `shared/${name}.ts`);

/** Not among the tests that should notice: lists and copies of the schema, which whoever edits a migration makes anew. */
const LISTS =
  /schema\.test|missing-secrets|supabase-js|memory|kill\.test|faults|retries|sensitive-(races|moves)|checkpoints/;
/** Quick ones about the whole database, after those nearest. */
const CORE = [
  ...[
    "database/rules",
    "fuzz/claims",
    "database/wide-policies",
    "contract/tickets-access",
    "contract/storage-places",
  ],
  ...[
    "database/landing",
    "database/records",
    "database/announcing",
    "database/sensitive-files",
    "database/backlog",
    "database/realtime",
  ],
  ...["contract/storage-immutable", "functions/whatsapp/conversation"],
].map((name) => `tests/${name}.test.ts`);
/** Slow ones, for a wide run. */
const SLOW = /tests\/client|adoption|functions\/log|key-rotation/;

/** What may be lost first: the most dangerous mutants, as the run may end before all are done. */
const ORDER = ["policy", "condition", "trigger", "typescript", "grant", "check", "revoke"];

async function run(
  command: string[],
  cwd: string,
  seconds = 600,
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const child = new Deno.Command("timeout", {
    args: ["--kill-after=10", String(seconds), ...command],
    cwd,
    env: { LOCAL_WORKER_SECONDS: "0", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", FUZZ_RUNS: "1000", ...env },
    stdin: "null",
  });
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, output: text(stdout) + text(stderr) };
}

const inStack = [deno, "run", "-A", "local/main.ts", "run", "--"];

async function copy(): Promise<string> {
  const work = await Deno.makeTempDir({ prefix: "mutate-" });
  const { output } = await run(["git", "ls-files"], root);
  const list = `${work}/.files`;
  await Deno.writeTextFile(list, output);
  await run(["tar", "-cf", `${work}/.tar`, "-T", list], root);
  await run(["tar", "-xf", `${work}/.tar`], work);
  await Deno.remove(`${work}/.tar`);
  await Deno.symlink(`${root}node_modules`, `${work}/node_modules`);
  return work;
}

async function allMutants(work: string): Promise<Mutant[]> {
  const { code, output } = await run(
    [...inStack, deno, "run", "-A", "--no-check", "tests/mutate/list.ts"],
    work,
  );
  const line = output.split("\n").find((line) => line.startsWith("[{"));
  if (code !== 0 || !line) throw new Error(output);
  const mutants: Mutant[] = JSON.parse(line);
  for (const path of SOURCES) {
    const source = await Deno.readTextFile(work + "/" + path);
    for (const { what, text } of typescriptChanges(source)) {
      mutants.push({
        kind: "typescript",
        on: path,
        what: what.replaceAll(/\s+/g, " "),
        file: { path, text },
      });
    }
  }
  return mutants.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

const nameOf = ({ kind, on, what }: Mutant) => `${kind} | ${on} | ${what}`;

/** Each file of tests and what it says. */
async function allTests(work: string): Promise<Map<string, string>> {
  const tests = new Map<string, string>();
  const folders = [
    "unit",
    "contract",
    "database",
    "functions",
    "functions/whatsapp",
    "worker",
    "fuzz",
    "client",
  ];
  for (const folder of folders) {
    for await (const { name } of Deno.readDir(`${work}/tests/${folder}`)) {
      if (!name.endsWith(".test.ts") || LISTS.test(name)) continue;
      const file = `tests/${folder}/${name}`;
      tests.set(file, await Deno.readTextFile(`${work}/${file}`));
    }
  }
  return tests;
}

/** Those that should notice, first those that did so before, then those that speak of what was changed in words that few use. */
function testsFor(tests: Map<string, string>, mutant: Mutant, noticed: Map<string, number>): string[] {
  const words = [...new Set(`${mutant.on} ${mutant.what}`.match(/[A-Za-z_-]{4,}/g) ?? [])];
  const weight = new Map(words.map((word) => {
    const users = [...tests.values()].filter((text) => text.includes(word)).length;
    return [word, users === 0 ? 0 : Math.log(tests.size / users)];
  }));
  const score = ([file, text]: [string, string]) =>
    words.filter((word) => text.includes(word)).reduce((sum, word) => sum + weight.get(word)!, 0) +
    5 * (noticed.get(`${mutant.on} ${file}`) ?? 0) +
    // every policy's rule is in it
    (mutant.kind === "policy" && file.includes("claims") ? 3 : 0);
  const inOrder = [...tests]
    // what has no stack, or one of its own, does not see the mutant
    .filter(([file, text]) => mutant.file || !(file.startsWith("tests/unit") || text.includes("ownStack(")))
    .filter(([file]) => options.wide || !SLOW.test(file))
    .toSorted((a, b) => score(b) - score(a)).map(([file]) => file);
  if (options.wide) return inOrder;
  const nearest = inOrder.slice(0, NEAREST);
  return [
    ...new Set([...nearest, ...(mutant.file ? inOrder.filter((file) => file.includes("/unit/")) : CORE)]),
  ];
}

/** The stack of all mutants of the database; those of a source file have one of their own each. */
async function startStack(work: string) {
  const { startSupabase } = await import(
    `${work}/local/supabase.ts`
  ) as typeof import("../../local/supabase.ts");
  const supabase = await startSupabase({});
  const sql = supabase.connect("supabase_admin");
  return {
    env: { ...supabase.env, ...supabase.mark },
    sql,
    used: 0,
    /** Tests that failed on it without a mutant: such as run once only, or what a mutant before has let through. */
    spoiled: new Set<string>(),
    async stop() {
      await sql.end();
      await supabase.stop();
    },
  };
}
type Stack = Awaited<ReturnType<typeof startStack>>;
let stack: Stack | undefined;

async function freshStack(work: string, nearest: string[]): Promise<Stack> {
  if (stack && ++stack.used <= FRESH_AFTER && !nearest.some((file) => stack!.spoiled.has(file))) return stack;
  await stack?.stop();
  return stack = await startStack(work);
}

function outcomeOf({ code, output }: { code: number; output: string }): [Outcome, string] {
  if (code === 0) return ["survived", ""];
  if (code === 124 || code === 137) {
    return [
      "hung",
      output.split("\n").findLast((line) => line.endsWith("...")) ?? "",
    ];
  }
  const failed = /^(.+) => \.\/(\S+?):\d+/m.exec(output);
  return failed ? ["noticed", `${failed[2]}: ${failed[1]}`] : ["invalid", output.slice(-300)];
}

/** Runs the nearest, and then the others. */
function commandOf(files: string[]): string[] {
  const test = (files: string[]) => `"${deno}" test -A --no-check --fail-fast ${files.join(" ")}`;
  const halves = [files.slice(0, NEAREST), files.slice(NEAREST)].filter((half) => half.length > 0);
  return ["sh", "-c", halves.map(test).join(" && ")];
}

async function tryOut(work: string, mutant: Mutant, files: string[]): Promise<[Outcome, string]> {
  if (mutant.file) {
    const path = `${work}/${mutant.file.path}`;
    const original = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, mutant.file.text);
    const result = await run([...inStack, ...commandOf(files)], work, PATIENCE);
    await Deno.writeTextFile(path, original);
    return outcomeOf(result);
  }
  await freshStack(work, files.slice(0, NEAREST));
  for (;;) {
    const result = await tryIn(stack!, work, mutant, files.filter((file) => !stack!.spoiled.has(file)));
    const [outcome, by] = result;
    const file = by.split(": ")[0]!;
    if (outcome !== "noticed") return result;
    // Was it the mutant? A test that fails without it too may have been spoiled by it: on a fresh stack it tells.
    if ((await run(commandOf([file]), work, PATIENCE, stack!.env)).code === 0) return result;
    stack!.used = FRESH_AFTER;
    await freshStack(work, []);
    if ((await tryIn(stack!, work, mutant, [file]))[0] === "noticed") return result;
    stack!.spoiled.add(file);
  }
}

async function tryIn(
  { sql, env }: Stack,
  work: string,
  mutant: Mutant,
  files: string[],
): Promise<[Outcome, string]> {
  const { change, undo } = mutant.sql!;
  try {
    await sql.unsafe(change);
  } catch (error) {
    return ["invalid", String(error)];
  }
  const result = outcomeOf(await run(commandOf(files), work, PATIENCE, env));
  try {
    await sql.unsafe(undo);
  } catch {
    stack!.used = FRESH_AFTER;
  }
  return result;
}

interface Result {
  mutant: string;
  outcome: Outcome;
  by: string;
}

async function resultsSoFar(): Promise<Map<string, Result>> {
  const text = await Deno.readTextFile(options.results).catch(() => "");
  return new Map(
    text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Result).map((
      result,
    ) => [result.mutant, result]),
  );
}

await Deno.mkdir(options.results.replace(/[^/]*$/, ""), { recursive: true });
const work = await copy();
try {
  const mutants = (await allMutants(work)).filter((mutant) => new RegExp(options.only).test(nameOf(mutant)));
  if (options.list) {
    for (const mutant of mutants) console.log(nameOf(mutant));
    console.log(`${mutants.length} mutants`);
    Deno.exit(0);
  }
  const results = await resultsSoFar();
  const noticed = new Map<string, number>();
  const tests = await allTests(work);
  const end = Date.now() + Number(options.minutes) * 60_000;
  for (const mutant of mutants) {
    const known = results.get(nameOf(mutant));
    if (known && known.outcome !== options.again) continue;
    if (Date.now() > end) break;
    const begun = performance.now();
    const [outcome, by] = await tryOut(work, mutant, testsFor(tests, mutant, noticed));
    const key = `${mutant.on} ${by.split(": ")[0]}`;
    if (outcome === "noticed") noticed.set(key, (noticed.get(key) ?? 0) + 1);
    const result = { mutant: nameOf(mutant), outcome, by };
    results.set(nameOf(mutant), result);
    await Deno.writeTextFile(options.results, JSON.stringify(result) + "\n", { append: true });
    console.log(
      `${outcome.padEnd(8)} ${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${
        nameOf(mutant)
      }`,
    );
  }
  const count = { noticed: 0, survived: 0, hung: 0, invalid: 0, "not tried": 0 };
  for (const mutant of mutants) count[results.get(nameOf(mutant))?.outcome ?? "not tried"]++;
  console.log(
    `\n${mutants.length} mutants: ${Object.entries(count).map(([what, n]) => `${n} ${what}`).join(", ")}`,
  );
  for (const { mutant, outcome } of results.values()) {
    if (outcome === "survived" || outcome === "hung") console.log(`${outcome}: ${mutant}`);
  }
} finally {
  await stack?.stop();
  await Deno.remove(work, { recursive: true });
}
Deno.exit(0);
