/**
 * `npm run bench`: measures the bundle against what a user would pick instead and against the limit, in one run on one
 * machine. `npm run bench -- NAME …` runs some suites and prints only; all of them write RESULTS.md and its plots. `--size N` is
 * for scale: how many tickets it goes up to.
 * The last line is `bench: N ratios, M beyond their goals`; the exit status is 1 when M is not 0 or something failed.
 */
import { parseArgs } from "node:util";
import { suite as coldStart } from "./cold-start.ts";
import { suite as courtBundle } from "./court-bundle.ts";
import { suite as custody } from "./custody.ts";
import { suite as custodyLog } from "./custody-log.ts";
import { compare, grow, type Result } from "./harness/measure.ts";
import { resultLines } from "./harness/print.ts";
import { isRemote, open } from "./harness/target.ts";
import type { Suite } from "./harness/types.ts";
import { type SuiteResults, writeResults } from "./harness/report.ts";
import { suite as reading } from "./reading.ts";
import { suite as scale } from "./scale.ts";
import { suite as screen } from "./screen.ts";
import { suite as signedUrl } from "./signed-url.ts";
import { suite as takeIn } from "./take-in.ts";
import { suite as tickets } from "./tickets.ts";
import { suite as webhook } from "./webhook.ts";

const SUITES = [
  coldStart,
  signedUrl,
  webhook,
  takeIn,
  custody,
  custodyLog,
  courtBundle,
  tickets,
  screen,
  reading,
  scale,
];

const begun = performance.now();

function say(line: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(0).padStart(4);
  console.log(`${seconds} s  ${line}`);
}

async function runSuite(suite: Suite, size?: number): Promise<Result[]> {
  const target = await open(suite, (text) => say(`      ${text}`));
  try {
    const prepared = await suite.prepare({ ...target, size });
    const results: Result[] = [];
    const show = (result: Result) => {
      for (const line of resultLines(result)) say(`  ${line}`);
      results.push(result);
    };
    const announce = (name: string, seconds?: number) =>
      say(`  … ${name}${seconds ? `, about ${seconds} s` : ""}`);
    try {
      for (const comparison of prepared.comparisons) {
        announce(comparison.name, comparison.seconds);
        show(await compare(comparison));
      }
      for (const growth of prepared.growths) {
        announce(growth.name, growth.seconds);
        show(await grow(growth));
      }
    } finally {
      await prepared.close();
    }
    return results;
  } finally {
    await target.close();
  }
}

async function main(): Promise<number> {
  const names = SUITES.map(({ name }) => name);
  const { values, positionals } = parseArgs({
    options: { size: { type: "string" } },
    allowPositionals: true,
  });
  const size = values.size === undefined ? undefined : Number(values.size);
  if (size !== undefined && !(Number.isInteger(size) && size >= 10_000)) {
    console.error("--size is a number of tickets, 10000 or more");
    return 2;
  }
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length) {
    console.error(`There is no ${unknown.join(", ")}. Choose from: ${names.join(", ")}`);
    return 2;
  }
  const asked = SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

  const all: SuiteResults[] = [];
  let failures = 0;
  for (const suite of asked) {
    const { name } = suite;
    if (isRemote && suite.localOnly) {
      say(`${name}: left out on a real project. ${suite.localOnly}`);
      continue;
    }
    say(`${name}: ${suite.about}`);
    try {
      all.push({ suite, results: await runSuite(suite, size) });
    } catch (error) {
      failures++;
      console.error(`${name} failed:`, error);
    }
  }

  const results = all.flatMap((one) => one.results);
  const beyond = results.filter((result) => !result.met);
  if (failures === 0 && asked.length === SUITES.length && size === undefined && !isRemote) {
    say(`written: ${(await writeResults(all, performance.now() - begun)).join(", ")}`);
  }
  for (const { name } of beyond) console.log(`beyond its goal: ${name}`);
  if (failures) console.log(`bench: ${failures} suites failed; what they say is above`);
  console.log(`bench: ${results.length} ratios, ${beyond.length} beyond their goals`);
  return beyond.length || failures ? 1 : 0;
}

Deno.exit(await main());
