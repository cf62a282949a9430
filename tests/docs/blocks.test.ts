// Every fenced block of every page is run, type-checked and run (ts), checked against a schema (json), or listed with the
// reason why not. tests/docs/marks.ts says how.
import { existsSync } from "node:fs";
import * as z from "zod";
import * as contracts from "../../shared/contracts.ts";
import * as responses from "../../shared/responses.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { claimsOf, database, until } from "../support/functions.ts";
import { person } from "../support/stack.ts";
import { makeClone } from "./clone.ts";
import { fixtures, ticketAndFile } from "./fixtures.ts";
import { type Block, pages, root } from "./markdown.ts";
import { codeOf, type Fate, fateOf, HOW } from "./marks.ts";

type Run = Extract<Fate, { kind: "run" }>;

const schemas: Record<string, unknown> = { ...contracts, ...responses };
const gate = await Deno.readTextFile(`${root}tests/gate.ts`);

const all = await pages();
const clone = await makeClone();
globalThis.addEventListener("unload", () => Deno.removeSync(clone, { recursive: true }));
/** An example may leave a subscription open. */
const untidy = { sanitizeOps: false, sanitizeResources: false };
const examples: string[] = [];
const problems: string[] = [];

for (const { file, blocks, indented, stray } of all) {
  for (const line of indented) problems.push(`${file}:${line}: code by indentation only: fence it`);
  for (const line of stray) problems.push(`${file}:${line}: a mark that has no block below it`);
  for (const block of blocks) {
    try {
      plan(`${file}:${block.line} ${block.language}`, block, fateOf(block));
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
}

Deno.test("every block of every page is run, or listed with the reason why not", () => {
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\nOf each block: ${HOW}`);
});

Deno.test({ name: `${examples.length} ts blocks type-check`, ...untidy }, async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...examples],
    cwd: clone,
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});

/** Makes the block's test. Throws where its mark cannot be followed. */
function plan(name: string, block: Block, fate: Fate): void {
  const at = `${block.file}:${block.line}`;
  if (fate.kind === "matches") {
    const schema = schemas[fate.schema];
    if (!(schema instanceof z.core.$ZodType)) throw new Error(`${at}: there is no schema ${fate.schema}`);
    Deno.test(`${name} is a ${fate.schema}`, () => void z.parse(schema, JSON.parse(block.code)));
  }
  if (fate.kind === "not run") assertTrue(at, fate.reason);
  if (fate.kind !== "run") return;
  const code = codeOf(block);
  if (block.language === "sh") Deno.test(name, () => runShell(code, fate));
  if (block.language === "sql") Deno.test(name, () => runSql(code, fate));
  if (block.language === "ts") {
    const module = `${clone}/${name.replaceAll(/[^\w]+/g, "-")}.ts`;
    Deno.writeTextFileSync(module, moduleOf(code, fate));
    examples.push(module);
    Deno.test({ name, ...untidy }, async () => (await import(`file://${module}`)).example(fixtures, until));
  }
}

/** A reason that names a step of the gate, or tests, names those that there are. */
function assertTrue(at: string, reason: string): void {
  for (const [, step] of reason.matchAll(/step "([^"]+)"/g)) {
    if (!gate.includes(`name: "${step}"`)) throw new Error(`${at}: the gate has no step "${step}"`);
  }
  for (const [path] of reason.matchAll(/tests\/[\w/.-]*\w/g)) {
    if (!existsSync(root + path)) throw new Error(`${at}: there is no ${path}`);
  }
}

/** The block as a function in a module of its own, its imports at the head, as from the repository's root. */
function moduleOf(block: string, { role = "manager", holds }: Run): string {
  const imports: string[] = [];
  const code = block.replaceAll(/^import [^;]+;$/gm, (statement) => {
    imports.push(statement);
    return "";
  });
  return `${imports.join("\n")}
import type { fixtures } from "./tests/docs/fixtures.ts";
import type { until } from "./tests/support/functions.ts";
export async function example(given: typeof fixtures, eventually: typeof until) {
  const { failures, supabase, service, municipalityId, ticket_id, file_id, path, file, render, rendered, show, shown } =
    await given(${JSON.stringify(role)});
  {
${code}
${holds ? `await eventually(${JSON.stringify(holds)}, () => Boolean(${holds}));` : ""}
  }
  if (failures.length > 0) throw new Error(failures.join("\\n"));
}
`;
}

/** In the clone, with the stack's variables, and of the role's: ACCESS_TOKEN, TICKET_ID, FILE_ID, and photo.jpg, that file. */
async function runShell(code: string, { role = "manager", prints }: Run): Promise<void> {
  const { ticket_id, file_id, bytes } = await ticketAndFile();
  await Deno.writeFile(`${clone}/photo.jpg`, await bytes.bytes());
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", code],
    cwd: clone,
    stdin: "null",
    env: {
      ACCESS_TOKEN: (await person(role)).token,
      TICKET_ID: ticket_id,
      FILE_ID: file_id,
      NO_COLOR: "1",
    },
    signal: AbortSignal.timeout(60_000),
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, output);
  if (prints) assertStringIncludes(output, prints);
}

/** In a transaction that is rolled back, as the SQL editor's postgres, or as a user. */
async function runSql(code: string, { role, holds }: Run): Promise<void> {
  const undone = new Error("rolled back");
  const claims = role && JSON.stringify(claimsOf((await person(role)).token));
  await database((sql) =>
    sql.begin(async (sql) => {
      if (claims) {
        await sql`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
      }
      await sql.unsafe(code);
      await sql`set constraints all immediate`;
      if (holds) {
        const [row] = await sql.unsafe(`select (${holds}) as holds`);
        assertEquals(row!.holds, true, holds);
      }
      throw undone;
    }).catch((error) => {
      if (error !== undone) throw error;
    })
  );
}
