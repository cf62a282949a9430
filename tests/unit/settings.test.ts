// Settings are described once: README's table, and what a function says of one that is missing or malformed.
import {
  DESCRIPTIONS,
  formProblem,
  optional,
  required,
  REQUIRED_SECRETS,
  SECRET_NAMES,
} from "../../shared/platform/settings.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { environmentOf, failureOf } from "./tools.ts";

Deno.test("README's table lists every secret as settings.ts describes it", async () => {
  const rows = SECRET_NAMES.map((name) => {
    const { about, neededBy } = DESCRIPTIONS[name];
    return `| \`${name}\` | ${about} | ${neededBy.join(", ") || "optional"} |\n`;
  });
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  assertStringIncludes(readme, `| variable | what it is | needed by |\n|---|---|---|\n${rows.join("")}\n`);
});

Deno.test("a required secret tells an operator where to find it", () => {
  for (const name of REQUIRED_SECRETS) assert(DESCRIPTIONS[name].where, name);
});

Deno.test("a setting that is missing, empty or malformed is named to the log and not to the caller", async () => {
  for (
    const [name, value, code] of [
      ["SUPABASE_URL", undefined, "storage_not_configured"],
      ["SUPABASE_SECRET_KEYS", "sb_secret_x", "storage_not_configured"],
      ["SUPABASE_SECRET_KEYS", '{"default":7}', "storage_not_configured"],
      ["SUPABASE_JWKS", "secret words", "not_configured"],
      ["SENDER_HASH_KEY", "", "not_configured"],
      ["ENCRYPTION_KEY_CURRENT", "%".repeat(44), "not_configured"],
    ] as const
  ) {
    const error = await failureOf(() => required(environmentOf({ [name]: value }), name));
    assertEquals([error.code, error.log], [code, name]);
    assert(!error.message.includes(name), name);
    if (value) assert(!Deno.inspect(error).includes(value), `${name}: the value is shown`);
  }
});

Deno.test("an optional setting may be absent, and is refused when malformed", async () => {
  assertEquals(optional(environmentOf({}), "ENCRYPTION_KEY_PREVIOUS"), undefined);
  const error = await failureOf(() =>
    optional(environmentOf({ ENCRYPTION_KEY_PREVIOUS: "short" }), "ENCRYPTION_KEY_PREVIOUS")
  );
  assertEquals(error.code, "not_configured");
  assertEquals(formProblem("SENDER_HASH_KEY", "short"), "it must have at least 32 characters");
});

Deno.test("keys of the project come as an object with its keys or as the bare list", () => {
  const keys = [{ kty: "EC", kid: "a" }];
  for (const value of [{ keys }, keys]) {
    assertEquals(required(environmentOf({ SUPABASE_JWKS: JSON.stringify(value) }), "SUPABASE_JWKS"), {
      keys,
    });
  }
});
