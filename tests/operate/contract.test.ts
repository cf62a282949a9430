// `npm run contract`: a new project is asked, and one that anybody uses is left alone.
import type postgres from "postgres";
import { startSupabase } from "../../local/supabase.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const root = new URL("../..", import.meta.url).pathname;

async function contract(env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "operate/contract.ts", ...args],
    cwd: root,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** In a project with the migrations and nothing else; `run` is the command with its settings. */
function test(
  name: string,
  work: (run: (...args: string[]) => ReturnType<typeof contract>, sql: postgres.Sql) => Promise<void>,
): void {
  const fn = async () => {
    const supabase = await startSupabase({ seed: false });
    try {
      const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = supabase.env;
      const env = { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } as Record<
        string,
        string
      >;
      await work((...args) => contract(env, ...args), supabase.connect("supabase_admin"));
    } finally {
      await supabase.stop();
    }
  };
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

test(
  "a new project is asked once; one in use, another project or nobody to ask changes nothing",
  async (run, sql) => {
    assertStringIncludes((await run()).text, "npm run contract -- --project-ref REF");
    const other = await run("--project-ref", "abcdefghijklmnopqrst", "--yes");
    assertEquals(other.code, 2);
    assertStringIncludes(other.text, "not of project abcdefghijklmnopqrst");
    assertStringIncludes((await run("--project-ref", "local")).text, "Nothing was changed");
    assertEquals((await sql`select from public.municipalities`).length, 0);

    const asked = await run("--project-ref", "local", "--yes");
    assertEquals(asked.code, 0, asked.text);
    assert(/ok \| \d{2,} passed/.test(asked.text), asked.text);
    assertStringIncludes(asked.text, "Delete it now");

    const again = await run("--project-ref", "local", "--yes");
    assertEquals(again.code, 2);
    assertStringIncludes(again.text, "This project is in use: public.municipalities, public.tickets");
  },
);

test("a project that refuses uploads with a user's own token is found out", async (run, sql) => {
  await sql`create policy "of this project" on storage.objects as restrictive for insert to authenticated with check (false)`;
  const { code, text } = await run("--project-ref", "local", "--yes");
  assertEquals(code, 1, text);
  assertStringIncludes(text, "Do not let residents write to one like it");
});
