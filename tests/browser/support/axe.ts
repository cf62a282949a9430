/// <reference lib="dom" />
/** axe-core's rules: WCAG 2.2 A and AA. */
import type { Page } from "playwright-core";

const axe = await Deno.readTextFile(new URL("../../../node_modules/axe-core/axe.min.js", import.meta.url));

/** What axe-core finds wrong with the page as it is. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { run } = Reflect.get(globalThis, "axe");
    const { violations } = await run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.flatMap(({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
      nodes.map(({ html }) => `${id}: ${html}`)
    );
  });
}
