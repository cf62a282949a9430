// `npm run contract`: a new project is asked, and one that anybody uses is left alone.
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

Deno.test({
  name: "a new project is asked once; one in use, another project or nobody to ask changes nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const supabase = await startSupabase({ seed: false });
    try {
      const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = supabase.env;
      const env = { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } as Record<
        string,
        string
      >;
      const sql = supabase.connect("supabase_admin");
      const nothing = async () => assertEquals((await sql`select from public.municipalities`).length, 0);

      assertStringIncludes((await contract(env)).text, "npm run contract -- --project-ref REF");
      const other = await contract(env, "--project-ref", "abcdefghijklmnopqrst", "--yes");
      assertEquals(other.code, 2);
      assertStringIncludes(other.text, "not of project abcdefghijklmnopqrst");
      assertStringIncludes((await contract(env, "--project-ref", "local")).text, "Nothing was changed");
      await nothing();

      const asked = await contract(env, "--project-ref", "local", "--yes");
      assertEquals(asked.code, 0, asked.text);
      assert(/ok \| \d{2,} passed/.test(asked.text), asked.text);
      assertStringIncludes(asked.text, "Throw it away");

      const again = await contract(env, "--project-ref", "local", "--yes");
      assertEquals(again.code, 2);
      assertStringIncludes(again.text, "This project is in use: public.municipalities, public.tickets");
    } finally {
      await supabase.stop();
    }
  },
});

Deno.test({
  name: "a project that refuses uploads with a user's own token is found out",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const supabase = await startSupabase({ seed: false });
    try {
      const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = supabase.env;
      const env = { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } as Record<
        string,
        string
      >;
      await supabase.connect("supabase_admin")`
        create policy "of this project" on storage.objects as restrictive for insert to authenticated with check (false)`;
      const { code, text } = await contract(env, "--project-ref", "local", "--yes");
      assertEquals(code, 1, text);
      assertStringIncludes(text, "Do not let residents write to one like it");
    } finally {
      await supabase.stop();
    }
  },
});
