/** The repository's Markdown pages, as far as the tests look into them: fenced blocks with their marks, links, anchors. */

export const root = new URL("../..", import.meta.url).pathname;

/** One fenced block. */
export interface Block {
  /** The page's path in the repository, and the line of the fence. */
  file: string;
  line: number;
  language: string;
  code: string;
  /** What `<!-- gate: … -->` on the line above says. */
  mark?: string;
}

export interface Page {
  /** Path in the repository. */
  file: string;
  /** Lines, those of fenced blocks empty. */
  prose: string[];
  blocks: Block[];
  /** Lines that a reader sees as code though they are not fenced. */
  indented: number[];
  /** Lines of marks that have no block below them. */
  stray: number[];
}

/** Every page but those of packages. */
export async function pages(): Promise<Page[]> {
  const files = await markdownFiles("");
  return await Promise.all(
    files.sort().map(async (file) => parsePage(file, await Deno.readTextFile(root + file))),
  );
}

async function markdownFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(root + folder)) {
    if (isDirectory && !/^(node_modules|dist|\..*)$/.test(name)) {
      found.push(...await markdownFiles(`${folder}${name}/`));
    } else if (isFile && name.endsWith(".md")) found.push(folder + name);
  }
  return found;
}

const FENCE = /^( *)(`{3,}|~{3,}) *([\w-]*)/;
const MARK = /^ *<!-- gate: (.*?) -->$/;

/** Reads one page. Throws where a fence is not closed. */
export function parsePage(file: string, text: string): Page {
  const page: Page = { file, prose: [], blocks: [], indented: [], stray: [] };
  const lines = text.split("\n");
  let inList = false;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fence = FENCE.exec(line);
    if (fence) {
      const [, indent, ticks, language] = fence as unknown as [string, string, string, string];
      const end = lines.findIndex((other, index) => index > at && other.trim() === ticks);
      if (end < 0) throw new Error(`${file}:${at + 1}: the fence is not closed`);
      const body = lines.slice(at + 1, end).map((each) =>
        each.startsWith(indent) ? each.slice(indent.length) : each.trimStart()
      );
      const mark = MARK.exec(lines[at - 1] ?? "")?.[1];
      page.blocks.push({ file, line: at + 1, language, code: body.join("\n"), mark });
      page.prose.push(...Array(end - at + 1).fill(""));
      at = end;
      continue;
    }
    if (MARK.test(line) && !FENCE.test(lines[at + 1] ?? "")) page.stray.push(at + 1);
    if (/^\s*([-*+]|\d+\.) /.test(line)) inList = true;
    else if (/^\S/.test(line)) inList = false;
    if (!inList && /^ {4,}\S/.test(line) && (lines[at - 1] ?? "").trim() === "") page.indented.push(at + 1);
    page.prose.push(line);
  }
  return page;
}

/** Where a page's relative links go: `path#anchor` as written. */
export function relativeLinks({ prose }: Page): string[] {
  const text = prose.join("\n").replaceAll(/`[^`]*`/g, "");
  const targets = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g),
    ...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm),
    ...text.matchAll(/<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/g),
  ].map(([, target]) => target!);
  return targets.filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** The anchors that GitHub gives a page: of its headings, and those written as HTML. */
export function anchors({ prose }: Page): Set<string> {
  const found = new Set<string>();
  for (const line of prose) {
    const heading = /^#{1,6} (.+?)(?: #+)?$/.exec(line)?.[1];
    if (heading) {
      const slug = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-");
      let unique = slug;
      for (let n = 1; found.has(unique); n++) unique = `${slug}-${n}`;
      found.add(unique);
    }
    for (const [, id] of line.matchAll(/<\w+[^>]*?\s(?:id|name)="([^"]+)"/g)) found.add(id!);
  }
  return found;
}
