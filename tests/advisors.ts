// The dashboard's security and performance lints, by the real CLI: nothing in public and private.
const { stdout, stderr } = await new Deno.Command("node_modules/.bin/supabase", {
  args: [
    "db",
    "advisors",
    `--remote=${Deno.env.get("SUPABASE_DB_URL")}`,
    "--level=info",
    "--fail-on=none",
    "--output=json",
  ],
  env: { SUPABASE_TELEMETRY_DISABLED: "1" },
}).output();
const text = new TextDecoder().decode(stdout);
const start = text.indexOf("[");
if (start < 0) throw new Error(`the advisors gave no list: ${text}${new TextDecoder().decode(stderr)}`);

interface Finding {
  name: string;
  detail: string;
  metadata: { schema?: string };
}
const findings = (JSON.parse(text.slice(start)) as Finding[])
  .filter(({ metadata }) => metadata.schema === "public" || metadata.schema === "private")
  // in a database an instant old no index has been used
  .filter(({ name }) => name !== "unused_index");
for (const { name, detail } of findings) console.log(`${name}: ${detail}`);
console.log(`advisors: ${findings.length} findings in public and private`);
Deno.exit(findings.length ? 1 : 0);
