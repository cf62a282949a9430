// catalogue.json, the schema as the doctor knows it, is what the migrations make.
import type postgres from "postgres";
import { fromFile, readCatalogue, toFile } from "../../operate/doctor/catalogue.ts";
import { readMigrations, sourceOf } from "../../operate/doctor/schema.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { emptyProject } from "../adopt/support.ts";
import { ownStack } from "../support/own-stack.ts";

const root = new URL("../..", import.meta.url).pathname;
const { supabase, superuser } = await ownStack();

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

test("catalogue.json is what the migrations make", async () => {
  const entries = await superuser.begin((sql: postgres.TransactionSql) => readCatalogue(sql));
  const path = "operate/doctor/catalogue.json";
  assertEquals(
    toFile(entries),
    JSON.parse(await Deno.readTextFile(`${root}${path}`)),
    `A migration was changed: npm run catalogue writes ${path} anew`,
  );
});

test("the migration named is the one that makes the thing, for every entry of the catalogue", async () => {
  const empty = await emptyProject();
  try {
    const sql = empty.connect("postgres");
    const sources = await readMigrations();
    const made = new Map<string, string | undefined>();
    const note = async (source?: string) => {
      for (const { kind, parent, name } of await sql.begin((tx) => readCatalogue(tx))) {
        const key = JSON.stringify([kind, parent, name]);
        if (!made.has(key)) made.set(key, source);
      }
    };
    await note();
    for (const { name, text } of sources) {
      await sql.unsafe(text);
      await note(name);
    }
    const entries = fromFile(
      JSON.parse(await Deno.readTextFile(`${root}operate/doctor/catalogue.json`)),
    )
      .filter(({ kind }) => kind !== "grant" && kind !== "role");
    assert(entries.length > 150);
    assertEquals(
      entries.map((entry) => [entry.kind, entry.parent, entry.name, sourceOf(entry, sources)]),
      entries.map((
        { kind, parent, name },
      ) => [kind, parent, name, made.get(JSON.stringify([kind, parent, name]))]),
    );
  } finally {
    await empty.stop();
  }
});
