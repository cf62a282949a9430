// Marks say what they mean, and nothing gets past them by a slip of the pen.
import { assertEquals, assertThrows } from "../support/assert.ts";
import type { Block } from "./markdown.ts";
import { codeOf, fateOf } from "./marks.ts";

const block = (language: string, mark?: string, code = ""): Block => ({
  file: "x.md",
  line: 1,
  language,
  code,
  mark,
});

Deno.test("a mark is read", () => {
  assertEquals(fateOf(block("ts", "run as admin; holds: data.length > 0")), {
    kind: "run",
    role: "admin",
    holds: "data.length > 0",
  });
  assertEquals(fateOf(block("sh", "run; prints: done; with: A = B")), {
    kind: "run",
    role: undefined,
    prints: "done",
  });
  assertEquals(fateOf(block("json", "matches SignedUrl")), { kind: "matches", schema: "SignedUrl" });
  assertEquals(fateOf(block("")), { kind: "output" });
  assertEquals(fateOf(block("sh", "not run here: needs a project")), {
    kind: "not run",
    reason: "needs a project",
  });
});

for (
  const [story, wrong] of Object.entries({
    "no mark": block("sh"),
    "no mark on a drawing": block("mermaid"),
    "commands that name no language": block("", undefined, "npm test"),
    "no reason": block("sh", "not run here"),
    "a reason of one word": block("sh", "not run here: no"),
    "a role that is none": block("ts", "run as mayor"),
    "a language that nobody runs": block("yaml", "run"),
    "output that a ts block would print": block("ts", "run; prints: x"),
    "an expression in a shell": block("sh", "run; holds: x"),
    "a word that means nothing": block("sh", "run; expects: x"),
    "a typing error": block("sh", "rum"),
  })
) {
  Deno.test(`a mark is refused: ${story}`, () => void assertThrows(() => fateOf(wrong), Error, "x.md:1"));
}

Deno.test("words of an example are replaced, and must be there", () => {
  assertEquals(codeOf(block("sql", "run; with: A = 1, B = 2", "select A, B, A")), "select 1, 2, 1");
  assertThrows(() => codeOf(block("sql", "run; with: C = 1", "select A")), Error, "there is no C to replace");
});
