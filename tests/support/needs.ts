/**
 * What only the stand-in has. On a stack that others started (local/given.ts) tests that need it are skipped and say why;
 * anywhere else its absence is an error.
 */
const VARIABLES = { "the pretend Twilio": "PRETEND_TWILIO_URL", "the functions' log": "LOCAL_SUPABASE_RUN" };

/** `Deno.test` for the tests of a file that need it. */
export function testsNeeding(what: keyof typeof VARIABLES, file: string) {
  const ignore = !Deno.env.get(VARIABLES[what]);
  if (ignore && !Deno.env.get("GIVEN_STACK")) {
    throw new Error(`${VARIABLES[what]} is not set: see docs/local.md`);
  }
  if (ignore) console.log(`skipped: ${file.split("/tests/").at(-1)} needs ${what}`);
  return (name: string, fn: (test: Deno.TestContext) => void | Promise<void>) =>
    Deno.test({ name, fn, ignore });
}
