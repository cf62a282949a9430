// Every relative link of every page leads somewhere, its anchor too.
import { dirname, join, normalize } from "node:path";
import { assertEquals } from "../support/assert.ts";
import { anchors, pages, parsePage, relativeLinks, root } from "./markdown.ts";

const all = await pages();
const byFile = new Map(all.map((page) => [page.file, page]));

for (const page of all) {
  Deno.test(`${page.file}: links lead somewhere`, async () => {
    const broken: string[] = [];
    for (const link of relativeLinks(page)) {
      const [path, anchor] = link.split("#") as [string, string | undefined];
      const target = path ? normalize(join(dirname(page.file), decodeURI(path))) : page.file;
      const found = !target.startsWith("..") && await Deno.stat(`${root}${target}`).catch(() => undefined);
      if (!found) broken.push(`${link}: there is no ${target} here`);
      else if (anchor !== undefined && byFile.has(target) && !anchors(byFile.get(target)!).has(anchor)) {
        broken.push(`${link}: ${target} has no heading #${anchor}`);
      }
    }
    assertEquals(broken, []);
  });
}

for (const page of all.filter(({ file }) => !file.startsWith("bench/"))) {
  Deno.test(`${page.file}: the files it names are there`, async () => {
    const text = await Deno.readTextFile(root + page.file);
    const named = text.matchAll(
      /`((?:functions|shared|client|operate|local|tests|docs|migrations|examples)\/[\w./-]*)`/g,
    );
    const missing: string[] = [];
    for (const [, path] of named) {
      if (path!.includes("NAME")) continue; // whichever it is
      if (!await Deno.stat(root + path).catch(() => undefined)) missing.push(path!);
    }
    assertEquals(missing, []);
  });
}

Deno.test("anchors are those that GitHub gives", () => {
  const page = parsePage(
    "x.md",
    '# Who may *do* what?\n## `npm test` & more\n## Same\n## Same\n<a id="here"></a>\n',
  );
  assertEquals([...anchors(page)], ["who-may-do-what", "npm-test--more", "same", "same-1", "here"]);
});

Deno.test("links and blocks are found where Markdown has them", () => {
  const page = parsePage(
    "x.md",
    "[a](b.md#c) ![i](i.png)\n[e](https://x.y) `[n](no.md)`\n\n```sh\n[n](no.md)\n```\n- x\n\n    [l](l.md)\n\nend\n\n    code\n",
  );
  assertEquals(relativeLinks(page), ["b.md#c", "i.png", "l.md"]);
  assertEquals(page.blocks.map(({ line, language, code }) => [line, language, code]), [[
    4,
    "sh",
    "[n](no.md)",
  ]]);
  assertEquals(page.indented, [13]);
  assertEquals(parsePage("x.md", "<!-- gate: run -->\n<!-- gate: run -->\n```sh\n```\n").stray, [1]);
});
