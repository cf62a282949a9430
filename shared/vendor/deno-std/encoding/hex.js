// @ts-self-types="./hex.d.ts"
// deno-std/encoding/hex.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
// node_modules/deno-std/encoding/_common16.js
const alphabet$1 = new TextEncoder().encode("0123456789abcdef");
const rAlphabet$1 = (/* @__PURE__ */ new Uint8Array(128)).fill(16);
alphabet$1.forEach((byte, i) => rAlphabet$1[byte] = i);
new TextEncoder().encode("ABCDEF").forEach((byte, i) => rAlphabet$1[byte] = i + 10);
/**
* Calculate the output size needed to encode a given input size for
* {@linkcode encodeIntoHex}.
*
* @param originalSize The size of the input buffer.
* @returns The size of the output buffer.
*
* @example Basic Usage
* ```ts
* import { assertEquals } from "../assert/mod.js";
* import { calcSizeHex } from "unstable_hex.js";
*
* assertEquals(calcSizeHex(1), 2);
* ```
*/
function calcSizeHex(originalSize) {
	return originalSize * 2;
}
function encode(buffer, i, o, alphabet) {
	for (; i < buffer.length; ++i) {
		const x = buffer[i];
		buffer[o++] = alphabet[x >> 4];
		buffer[o++] = alphabet[x & 15];
	}
	return o;
}
// node_modules/deno-std/encoding/_common_detach.js
function detach(buffer, maxSize) {
	const originalSize = buffer.length;
	if (buffer.byteOffset) {
		const b = new Uint8Array(buffer.buffer);
		b.set(buffer);
		buffer = b.subarray(0, originalSize);
	}
	buffer = new Uint8Array(buffer.buffer.transfer(maxSize));
	buffer.set(buffer.subarray(0, originalSize), maxSize - originalSize);
	return [buffer, maxSize - originalSize];
}
// node_modules/deno-std/encoding/hex.js
/**
* Port of the Go
* {@link https://github.com/golang/go/blob/go1.12.5/src/encoding/hex/hex.go | encoding/hex}
* library.
*
* ```ts
* import {
*   decodeHex,
*   encodeHex,
* } from "hex.js";
* import { assertEquals } from "../assert/mod.js";
*
* assertEquals(encodeHex("abc"), "616263");
*
* assertEquals(
*   decodeHex("616263"),
*   new TextEncoder().encode("abc"),
* );
* ```
*
* @module
*/
const alphabet = new TextEncoder().encode("0123456789abcdef");
const rAlphabet = (/* @__PURE__ */ new Uint8Array(128)).fill(16);
alphabet.forEach((byte, i) => rAlphabet[byte] = i);
new TextEncoder().encode("ABCDEF").forEach((byte, i) => rAlphabet[byte] = i + 10);
/**
* Converts data into a hex-encoded string.
*
* @param src The data to encode.
*
* @returns The hex-encoded string.
*
* @example Usage
* ```ts
* import { encodeHex } from "hex.js";
* import { assertEquals } from "../assert/mod.js";
*
* assertEquals(encodeHex("abc"), "616263");
* ```
*/
function encodeHex(src) {
	if (typeof src === "string") src = new TextEncoder().encode(src);
	else if (src instanceof ArrayBuffer) src = new Uint8Array(src).slice();
	else src = src.slice();
	const [output, i] = detach(src, calcSizeHex(src.length));
	encode(output, i, 0, alphabet);
	return new TextDecoder().decode(output);
}
export { encodeHex };
