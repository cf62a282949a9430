/** Fuzzing with a fixed seed and so many runs; `npm run fuzz -- --runs N --seed S` chooses others. */
import fc from "fast-check";

export { fc };

/** Webhooks of a run; the other properties take their share of it. */
export const RUNS = Number(Deno.env.get("FUZZ_RUNS") ?? 2000);
export const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 20261127);

/** Holds the property against `runs` inputs. What fails is shrunk, and printed with its seed and path. */
export async function holds<T>(
  runs: number,
  inputs: fc.Arbitrary<T>,
  rule: (input: T) => void | Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(inputs, async (input) => await rule(input)), {
    numRuns: Math.max(1, Math.round(runs)),
    seed: SEED,
    // shrinking asks a whole stack again and again
    endOnFailure: Deno.env.get("FUZZ_SHRINK") === "no",
  });
}

/** Any text: ASCII, every plane of Unicode, NUL, half characters, signs that mean something to SQL, JSON or XML. */
export const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 4, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) =>
      String.fromCharCode(...units)
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "\0",
      "\ud800",
      "\udc00\ud800",
      "\u202e\u2066",
      "null",
      "{}",
      "[]",
      "' or 1=1; --",
      "\\u0000",
      "]]>",
      "%00",
      "__proto__",
      "constructor",
      "NaN",
      "-0",
      "1e400",
      "\r\n",
    ),
  },
);
