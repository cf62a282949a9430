/** Conditions found in SQL and TypeScript by their text: enough to take one out, and what that breaks outright is no mutant. */

/** A text with one part of it changed, and what was changed. */
export interface Change {
  what: string;
  text: string;
}

interface Token {
  text: string;
  start: number;
  end: number;
  depth: number;
}

/** Words, signs and brackets of SQL, without comments; a text in quotes is one token. */
function sqlTokens(text: string): Token[] {
  const pattern = /--[^\n]*|'(?:[^']|'')*'|"[^"]*"|\$\w*\$|:=|[A-Za-z_][\w.]*|\d[\w.]*|[()[\];,]|\S/g;
  const tokens: Token[] = [];
  let depth = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (found.startsWith("--")) continue;
    if (found === ")" || found === "]") depth--;
    tokens.push({ text: found.toLowerCase(), start: index, end: index + found.length, depth });
    if (found === "(" || found === "[") depth++;
  }
  return tokens;
}

const BEGINS = new Set([
  ...["and", "or", "where", "on", "when", "if", "elsif", "having", "return", ":=", "(", "check"],
]);
const ENDS = new Set([
  ...[
    "and",
    "or",
    "then",
    "order",
    "group",
    "limit",
    "for",
    "returning",
    "union",
    "else",
    "end",
    "loop",
    "join",
  ],
  ...["left", "right", "full", "inner", "cross", "where", "when", ";", ")", ",", "on", "into", "is"],
]);

/** Each part of an AND taken for true, at any depth. */
export function withoutEachAnd(sql: string): Change[] {
  const tokens = sqlTokens(sql);
  const changes: Change[] = [];
  const seen = new Set<string>();
  tokens.forEach((and, at) => {
    if (and.text !== "and" || isBetween(tokens, at)) return;
    for (const [from, to] of [before(tokens, at), after(tokens, at)]) {
      if (from === undefined || to === undefined) continue;
      const [start, end] = [tokens[from]!.start, tokens[to]!.end];
      if (seen.has(`${start} ${end}`)) continue;
      seen.add(`${start} ${end}`);
      const part = sql.slice(start, end);
      changes.push({ what: `true for: ${part}`, text: `${sql.slice(0, start)}true${sql.slice(end)}` });
    }
  });
  return changes;
}

function isBetween(tokens: Token[], at: number): boolean {
  for (let i = at - 1; i >= 0 && tokens[i]!.depth >= tokens[at]!.depth; i--) {
    if (tokens[i]!.depth > tokens[at]!.depth) continue;
    if (tokens[i]!.text === "between") return true;
    if (["and", "or", "where"].includes(tokens[i]!.text)) return false;
  }
  return false;
}

/** The operand before a token: back to what begins one. */
function before(tokens: Token[], at: number): [number?, number?] {
  const { depth } = tokens[at]!;
  for (let i = at - 1; i >= 0; i--) {
    const begins = tokens[i]!.depth < depth || (tokens[i]!.depth === depth && BEGINS.has(tokens[i]!.text) &&
      tokens[i]!.text !== "(");
    if (begins && tokens[i]!.text === "and" && isBetween(tokens, i)) continue;
    if (begins) return i + 1 < at ? [i + 1, at - 1] : [];
  }
  return at > 0 ? [0, at - 1] : [];
}

function after(tokens: Token[], at: number): [number?, number?] {
  const { depth } = tokens[at]!;
  let i = at + 1;
  for (; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.depth < depth) break;
    if (token.depth !== depth || !ENDS.has(token.text)) continue;
    if (token.text === "and" && isBetween(tokens, i)) continue;
    if (token.text === "is" || (token.text === ")" && i > at + 1)) continue;
    break;
  }
  return i > at + 1 ? [at + 1, i - 1] : [];
}

/** Each refusal of a function never made: the condition before a `raise exception` is false. */
export function withoutEachRefusal(sql: string): Change[] {
  const tokens = sqlTokens(sql);
  return tokens.flatMap((token, at) => {
    if ((token.text !== "if" && token.text !== "elsif") || tokens[at - 1]?.text === "end") return [];
    const then = tokens.findIndex((other, index) =>
      index > at && other.text === "then" && other.depth === token.depth
    );
    if (then < 0 || tokens[then + 1]?.text !== "raise" || tokens[then + 2]?.text !== "exception") return [];
    const [start, end] = [tokens[at + 1]!.start, tokens[then - 1]!.end];
    return [{
      what: `never: ${sql.slice(start, end)}`,
      text: `${sql.slice(0, start)}false${sql.slice(end)}`,
    }];
  });
}

/** Each span of time a thousand times as long, and each limit of more than nine. */
export function withoutEachLimit(sql: string): Change[] {
  const spans = [...sql.matchAll(/interval '(\d+) (\w+)'/g)].map((
    { 0: found, 1: number, 2: unit, index },
  ) => ({
    what: `longer: ${found}`,
    text: sql.slice(0, index) + `interval '${number}000 ${unit}'` + sql.slice(index + found.length),
  }));
  const limits = [...sql.matchAll(/(>=|<=|>|<|limit|between 1 and) (\d{2,9})\b/g)].map((
    { 0: found, index },
  ) => ({
    what: `more: ${found}`,
    text: sql.slice(0, index) + `${found}000` + sql.slice(index + found.length),
  }));
  return [...spans, ...limits];
}

/** Of TypeScript: each `if (…) throw`, `return` or `continue` never taken, each part of its condition left out, each limit and pattern gone. */
export function typescriptChanges(source: string): Change[] {
  const changes: Change[] = [];
  for (const { index, 0: found } of source.matchAll(/\bif \(/g)) {
    const start = index + found.length;
    const end = closing(source, start);
    if (
      end === undefined ||
      !/^\)\s*(\{\s*(await [^;]*;\s*)?)?(throw|return|continue)\b/.test(source.slice(end))
    ) continue;
    const condition = source.slice(start, end);
    const at = `line ${source.slice(0, index).split("\n").length}`;
    const replace = (what: string, text: string) =>
      changes.push({ what: `${at}, ${what}`, text: source.slice(0, start) + text + source.slice(end) });
    replace(`never: ${condition.trim()}`, `false && (${condition})`);
    for (const sign of ["||", "&&"]) {
      const parts = split(condition, sign);
      if (parts.length < 2) continue;
      parts.forEach((part, n) => {
        const rest = parts.filter((_, index) => index !== n).map((one) => `(${one})`).join(` ${sign} `);
        replace(`without: ${part.trim()}`, rest);
      });
    }
  }
  const patterns: [RegExp, (found: string) => string][] = [
    [/z\.(maxLength|maximum)\([^)]*\)/g, (found) => found.replace(/\(.*\)/, "(1e12)")],
    [/z\.(minLength|minimum)\([^)]*\)/g, (found) => found.replace(/\(.*\)/, "(-1e12)")],
    [/z\.regex\((\/(?:[^/\\\n]|\\.)+\/[a-z]*)/g, () => "z.regex(/(?:)/"],
    [/z\.positive\(\)/g, () => "z.minimum(-1e12)"],
    [/z\.strictObject\(/g, () => "z.object("],
    [/^(export )?const [A-Z_]+ = [\d_]+( \* [\d_]+)*;/gm, (found) => found.replace(";", " * 1000;")],
  ];
  for (const [pattern, instead] of patterns) {
    for (const { index, 0: found } of source.matchAll(pattern)) {
      const at = `line ${source.slice(0, index).split("\n").length}`;
      changes.push({
        what: `${at}, opened: ${found}`,
        text: source.slice(0, index) + instead(found) + source.slice(index + found.length),
      });
    }
  }
  return changes;
}

/** Where the bracket that was opened before `start` is closed. */
function closing(source: string, start: number): number | undefined {
  let depth = 1;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "(") depth++;
    if (source[at] === ")" && --depth === 0) return at;
  }
}

function split(condition: string, sign: string): string[] {
  const parts = [""];
  let depth = 0;
  for (let at = 0; at < condition.length; at++) {
    if ("([{".includes(condition[at]!)) depth++;
    if (")]}".includes(condition[at]!)) depth--;
    if (depth === 0 && condition.startsWith(sign, at)) {
      parts.push("");
      at += sign.length - 1;
    } else parts.push(parts.pop()! + condition[at]);
  }
  return parts;
}
