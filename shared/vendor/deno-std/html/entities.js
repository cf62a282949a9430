// @ts-self-types="./entities.d.ts"
// deno-std/html/entities.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
// node_modules/deno-std/html/entities.js
const rawToEntityEntries = [
	["&", "&amp;"],
	["<", "&lt;"],
	[">", "&gt;"],
	["\"", "&quot;"],
	["'", "&#39;"]
];
Object.fromEntries([
	...rawToEntityEntries.map(([raw, entity]) => [entity, raw]),
	["&apos;", "'"],
	["&nbsp;", "\xA0"]
]);
const rawToEntity = new Map(rawToEntityEntries);
const rawRe = new RegExp(`[${[...rawToEntity.keys()].join("")}]`, "g");
/**
* Escapes text for safe interpolation into HTML text content and quoted attributes.
*
* @example Usage
* ```ts
* import { escape } from "entities.js";
* import { assertEquals } from "../assert/mod.js";
*
* assertEquals(escape("<>'&AA"), "&lt;&gt;&#39;&amp;AA");
*
* // Characters that don't need to be escaped will be left alone,
* // even if named HTML entities exist for them.
* assertEquals(escape("þð"), "þð");
* ```
*
* @param str The string to escape.
* @returns The escaped string.
*/
function escape(str) {
	return str.replaceAll(rawRe, (m) => rawToEntity.get(m));
}
export { escape };
