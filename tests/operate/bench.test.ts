// The benchmark on a hosted project leaves records that nobody can remove: it may only be a throwaway one.
import { refuseUnlessSeedOnly } from "../../bench/harness/target.ts";
import { startSupabase } from "../../local/supabase.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";

const root = new URL("../..", import.meta.url).pathname;

Deno.test("the benchmark measures a project that has the seed alone, and no other; GBV evidence on none", async () => {
  const supabase = await startSupabase({ functions: false });
  try {
    const sql = supabase.connect("postgres");
    assertEquals(await refuseUnlessSeedOnly(sql), undefined);

    await sql`insert into public.municipalities (slug, name) values ('ethekwini', 'eThekwini')`;
    await assertRejects(() => refuseUnlessSeedOnly(sql), Error, "ethekwini");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${root}bench/main.ts`, "custody", "signed-url"],
      env: { ...supabase.env, BENCH_TARGET: "environment" },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 1, text);
    assertStringIncludes(text, "custody: left out on a real project");
    assertStringIncludes(text, "municipalities of its own (ethekwini)");
    assertEquals((await sql`select from storage.objects`).length, 0);
  } finally {
    await supabase.stop();
  }
});
