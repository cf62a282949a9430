// @ts-self-types="./concat.d.ts"
// deno-std/bytes/concat.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
// node_modules/deno-std/bytes/concat.js
/**
* Concatenate an array of byte slices into a single slice.
*
* @param buffers Array of byte slices to concatenate.
* @returns A new byte slice containing all the input slices concatenated.
*
* @example Basic usage
* ```ts
* import { concat } from "concat.js";
* import { assertEquals } from "../assert/mod.js";
*
* const a = new Uint8Array([0, 1, 2]);
* const b = new Uint8Array([3, 4, 5]);
*
* assertEquals(concat([a, b]), new Uint8Array([0, 1, 2, 3, 4, 5]));
* ```
*/
function concat(buffers) {
	let length = 0;
	for (const buffer of buffers) length += buffer.length;
	const output = new Uint8Array(length);
	let index = 0;
	for (const buffer of buffers) {
		output.set(buffer, index);
		index += buffer.length;
	}
	return output;
}
export { concat };
