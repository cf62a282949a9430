/**
 * `npm run worlds -- --traces N --steps M --seed S`: plays N random traces, each twice on fresh stacks, with GBV reports beside it
 * and without, and says what any actor could tell the two worlds apart by. Ends with 1 if there is anything.
 */
import { isDeepStrictEqual, parseArgs } from "node:util";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    traces: { type: "string", default: "10" },
    steps: { type: "string", default: "40" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});
const [traces, steps, seed] = [values.traces, values.steps, values.seed].map(Number);
if (![traces, steps, seed].every(Number.isInteger)) {
  console.error("Usage: npm run worlds -- --traces N --steps M --seed S");
  Deno.exit(2);
}

interface Answered {
  step: Record<string, unknown>;
  answer: unknown;
}

async function play(seed: number, world: "with" | "without"): Promise<Answered[]> {
  const player = new URL("play.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", player, String(seed), String(steps), world],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) {
    throw new Error(`trace ${seed}, world ${world}: ${new TextDecoder().decode(stderr).slice(-3000)}`);
  }
  return JSON.parse(text.slice(text.lastIndexOf("\n[", text.length - 2) + 1));
}

/** Where two answers differ, in words. */
function differences(left: unknown, right: unknown, path = ""): string[] {
  if (isDeepStrictEqual(left, right)) return [];
  const isPart = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null;
  if (isPart(left) && isPart(right)) {
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    return keys.flatMap((key) => differences(left[key], right[key], `${path}.${key}`));
  }
  return [
    `${path}: ${JSON.stringify(left)?.slice(0, 400)} with GBV beside, ${
      JSON.stringify(right)?.slice(0, 400)
    } without`,
  ];
}

let told = 0;
let unplayed = 0;
let compared = 0;
const begun = performance.now();
for (let trace = 0; trace < traces!; trace++) {
  const both = [play(seed! + trace, "with"), play(seed! + trace, "without")] as const;
  const [withGbv, without] = await Promise.all(both).catch(async (error) => {
    await Promise.allSettled(both);
    unplayed++;
    console.log(error.message);
    return [[], []];
  });
  for (const [index, { step, answer }] of withGbv.entries()) {
    compared++;
    const other = without[index]!.answer;
    if ([answer, other].includes("full")) continue; // more was sent than Realtime replays: the rest is not comparable
    const found = differences(answer, other);
    if (found.length === 0) continue;
    told++;
    console.log(`trace ${seed! + trace}, step ${index}: ${JSON.stringify(step)}`);
    for (const line of found.slice(0, 10)) console.log(`    ${line}`);
  }
}
const seconds = Math.round((performance.now() - begun) / 1000);
console.log(
  `${traces} traces from seed ${seed}, ${compared} answers compared in ${seconds} s: ${told} tell the worlds apart` +
    (unplayed > 0 ? `, ${unplayed} traces could not be played` : ""),
);
Deno.exit(told + unplayed > 0 ? 1 : 0);
