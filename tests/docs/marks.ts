/** What a page says of a block, in a comment above it that no reader sees. */
import type { Role } from "../support/stack.ts";
import type { Block } from "./markdown.ts";

const ROLES: Role[] = ["citizen", "field_worker", "ward_councillor", "manager", "admin", "saps_liaison"];

/** How to say what becomes of a block: for the message of a test that finds one unmarked. */
export const HOW = `put one of these on the line above it:
    <!-- gate: run -->                    run it: sh and ts as a manager, sql as postgres
    <!-- gate: run as admin -->           as somebody else: ${ROLES.join(", ")}
    <!-- gate: run as admin; holds: data.length > 0 -->      ts, sql: an expression that must become true (ts: in the block's scope)
    <!-- gate: run; prints: TEXT -->      sh: what it must print
    <!-- gate: run; with: YOUR_ID = b0107a1e-0000-4000-8000-000000000002 -->           with the example's words replaced
    <!-- gate: matches ErrorResponse -->  json: an example of a schema of shared/contracts.ts or shared/responses.ts
    <!-- gate: output -->                 what something prints or answers; also every block without a language
    <!-- gate: not run here: REASON -->   what does run it is named: step "demo" of the gate, or tests/adopt
  What a block has at hand stands in tests/docs/fixtures.ts and tests/docs/blocks.test.ts.`;

export type Fate =
  | { kind: "run"; role?: Role; prints?: string; holds?: string }
  | { kind: "matches"; schema: string }
  | { kind: "output" }
  | { kind: "not run"; reason: string };

/** Reads a block's mark. Throws where it has none or a wrong one. */
export function fateOf({ file, line, language, mark, code }: Block): Fate {
  const wrong = (problem: string) => new Error(`${file}:${line}: ${problem}`);
  if (mark === undefined) {
    if (language !== "") throw wrong(`this ${language} block is neither run nor listed as not run`);
    if (/^(\$ |(npm|npx|curl|deno|supabase|psql|git|cd) )/m.test(code)) {
      throw wrong("commands: name the language (sh)");
    }
    return { kind: "output" };
  }
  if (mark === "output") return { kind: "output" };
  const reason = /^not run here: (.{10,})$/.exec(mark)?.[1];
  if (reason) return { kind: "not run", reason };
  const schema = /^matches (\w+)$/.exec(mark)?.[1];
  if (schema) return { kind: "matches", schema };

  const [head, ...rest] = mark.split("; ");
  const run = /^run(?: as (\w+))?$/.exec(head!);
  if (!run) throw wrong(`what does "${mark}" mean`);
  if (!["sh", "ts", "sql"].includes(language)) throw wrong(`${language || "this"} cannot be run`);
  if (run[1] && !ROLES.includes(run[1] as Role)) throw wrong(`there is no role ${run[1]}`);
  const fate: Fate = { kind: "run", role: run[1] as Role | undefined };
  for (const option of rest) {
    const [, key, value] = /^(prints|holds|with): (.+)$/.exec(option) ?? [];
    if (key === "prints" && language === "sh") fate.prints = value;
    else if (key === "holds" && language !== "sh") fate.holds = value;
    else if (key !== "with") throw wrong(`what does "${option}" mean`);
  }
  return fate;
}

/** The block's code with the words of its mark's `with:` in place of the example's. */
export function codeOf({ file, line, mark = "", code }: Block): string {
  const list = /; with: ([^;]+)/.exec(mark)?.[1] ?? "";
  return list.split(", ").filter(Boolean).reduce((text, pair) => {
    const [word, value] = pair.split(" = ");
    if (!value || !text.includes(word!)) throw new Error(`${file}:${line}: there is no ${word} to replace`);
    return text.replaceAll(word!, value);
  }, code);
}
