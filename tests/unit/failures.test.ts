// docs/errors.md says of each failure what the catalogue says.
import { CODES, REASONS } from "../../shared/failures.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";

const page = await Deno.readTextFile(new URL("../../docs/errors.md", import.meta.url));

Deno.test("docs/errors.md lists every code as the catalogue describes it", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \| (.*?) \|/gm)].map(([, ...cells]) =>
    cells.join(" | ")
  );
  const known = Object.entries(CODES).map(([code, { status, when }]) => [code, status, when].join(" | "));
  assertEquals(rows, known);
});

Deno.test("docs/errors.md lists every reason as the catalogue describes it", () => {
  const rows = Object.entries(REASONS).map(([reason, { means, retry }]) =>
    `| \`${reason}\` | ${means} | ${retry} |\n`
  );
  assertStringIncludes(page, `| reason | what it means | another try |\n|---|---|---|\n${rows.join("")}`);
});
