/** What the pages say, for the OpenAPI document: a fact is written once, in docs/errors.md or on the function's page. */
const docs = new URL("../..", import.meta.url);

/** One row of docs/errors.md: a code, its status, when it is answered, and by which functions. */
export interface DocumentedError {
  code: string;
  status: number;
  when: string;
  functions: string[];
}

/** The first table of docs/errors.md. */
export function documentedErrors(): DocumentedError[] {
  const [head, ...rows] = tableAfter(read("errors.md"), /^\| code \|/m);
  const functions = head!.slice(3);
  return rows.map(([code, status, when, ...marks]) => ({
    code: unquote(code!),
    status: Number(status),
    when: when!,
    functions: functions.filter((_, column) => marks[column] === "x"),
  }));
}

/** The codes that a function's page lists. */
export function codesOnPage(name: string): string[] {
  const [, section] = /^## Errors\n([^:]*):/m.exec(read(`functions/${name}.md`)) ?? [];
  return [...(section ?? "").matchAll(/`(\w+)`/g)].map(([, code]) => code!);
}

/** What the page says of each field of its request or response. */
export function fieldsOnPage(name: string, section: "Request" | "Response"): Map<string, string> {
  const page = read(`functions/${name}.md`);
  const start = page.indexOf(`\n## ${section}\n`);
  const text = page.slice(start, page.indexOf("\n## ", start + 1));
  if (!/^\| field \|/m.test(text)) return new Map();
  const [, ...rows] = tableAfter(text, /^\| field \|/m);
  return new Map(rows.map((cells) => [unquote(cells[0]!), cells.at(-1)!]));
}

/** The first paragraph of the page: what the function is for. */
export function purposeOnPage(name: string): string {
  return read(`functions/${name}.md`).split("\n\n")[1]!.replaceAll("\n", " ");
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, docs));
}

/** A table's rows but for the line below its head, as cells. */
function tableAfter(text: string, head: RegExp): string[][] {
  const lines = text.slice(text.search(head)).split("\n");
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end < 0 ? undefined : end)
    .filter((_, index) => index !== 1)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function unquote(cell: string): string {
  return cell.replaceAll("`", "");
}
