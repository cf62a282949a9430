// @ts-self-types="./base64.d.ts"
// deno-std/encoding/base64.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
"=".charCodeAt(0);
const alphabet$1 = {
	base64: new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
	base64url: new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
};
const rAlphabet$1 = {
	base64: (/* @__PURE__ */ new Uint8Array(128)).fill(64),
	base64url: (/* @__PURE__ */ new Uint8Array(128)).fill(64)
};
alphabet$1.base64.forEach((byte, i) => rAlphabet$1.base64[byte] = i);
alphabet$1.base64url.forEach((byte, i) => rAlphabet$1.base64url[byte] = i);
/**
* Calculate the output size needed to encode a given input size for
* {@linkcode encodeIntoBase64}.
*
* @param originalSize The size of the input buffer.
* @returns The size of the output buffer.
*
* @example Basic Usage
* ```ts
* import { assertEquals } from "../assert/mod.js";
* import { calcSizeBase64 } from "unstable_base64.js";
*
* assertEquals(calcSizeBase64(1), 4);
* ```
*/
function calcSizeBase64(originalSize) {
	return ((originalSize + 2) / 3 | 0) * 4;
}
function encode(buffer, i, o, alphabet, padding) {
	i += 2;
	for (; i < buffer.length; i += 3) {
		const x = buffer[i - 2] << 16 | buffer[i - 1] << 8 | buffer[i];
		buffer[o++] = alphabet[x >> 18];
		buffer[o++] = alphabet[x >> 12 & 63];
		buffer[o++] = alphabet[x >> 6 & 63];
		buffer[o++] = alphabet[x & 63];
	}
	switch (i) {
		case buffer.length + 1: {
			const x = buffer[i - 2] << 16;
			buffer[o++] = alphabet[x >> 18];
			buffer[o++] = alphabet[x >> 12 & 63];
			buffer[o++] = padding;
			buffer[o++] = padding;
			break;
		}
		case buffer.length: {
			const x = buffer[i - 2] << 16 | buffer[i - 1] << 8;
			buffer[o++] = alphabet[x >> 18];
			buffer[o++] = alphabet[x >> 12 & 63];
			buffer[o++] = alphabet[x >> 6 & 63];
			buffer[o++] = padding;
			break;
		}
	}
	return o;
}
function decode(buffer, i, o, alphabet, padding) {
	for (let x = buffer.length - 2; x < buffer.length; ++x) if (buffer[x] === padding) {
		for (let y = x + 1; y < buffer.length; ++y) if (buffer[y] !== padding) throw new TypeError(`Cannot decode input as base64: Invalid character (${String.fromCharCode(buffer[y])})`);
		buffer = buffer.subarray(0, x);
		break;
	}
	if ((buffer.length - o) % 4 === 1) throw new RangeError(`Cannot decode input as base64: Length (${buffer.length - o}), excluding padding, must not have a remainder of 1 when divided by 4`);
	i += 3;
	for (; i < buffer.length; i += 4) {
		const x = getByte(buffer[i - 3], alphabet) << 18 | getByte(buffer[i - 2], alphabet) << 12 | getByte(buffer[i - 1], alphabet) << 6 | getByte(buffer[i], alphabet);
		buffer[o++] = x >> 16;
		buffer[o++] = x >> 8 & 255;
		buffer[o++] = x & 255;
	}
	switch (i) {
		case buffer.length + 1: {
			const x = getByte(buffer[i - 3], alphabet) << 18 | getByte(buffer[i - 2], alphabet) << 12;
			buffer[o++] = x >> 16;
			break;
		}
		case buffer.length: {
			const x = getByte(buffer[i - 3], alphabet) << 18 | getByte(buffer[i - 2], alphabet) << 12 | getByte(buffer[i - 1], alphabet) << 6;
			buffer[o++] = x >> 16;
			buffer[o++] = x >> 8 & 255;
			break;
		}
	}
	return o;
}
function getByte(char, alphabet) {
	const byte = alphabet[char] ?? 64;
	if (byte === 64) throw new TypeError(`Cannot decode input as base64: Invalid character (${String.fromCharCode(char)})`);
	return byte;
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
// node_modules/deno-std/encoding/base64.js
/**
* Utilities for
* {@link https://www.rfc-editor.org/rfc/rfc4648.html#section-4 | base64}
* encoding and decoding.
*
* ```ts
* import {
*   encodeBase64,
*   decodeBase64,
* } from "base64.js";
* import { assertEquals } from "../assert/mod.js";
*
* const foobar = new TextEncoder().encode("foobar");
*
* assertEquals(encodeBase64(foobar), "Zm9vYmFy");
* assertEquals(decodeBase64("Zm9vYmFy"), foobar);
* ```
*
* @module
*/
const padding = "=".charCodeAt(0);
const alphabet = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const rAlphabet = (/* @__PURE__ */ new Uint8Array(128)).fill(64);
alphabet.forEach((byte, i) => rAlphabet[byte] = i);
/**
* Converts data into a base64-encoded string.
*
* @see {@link https://www.rfc-editor.org/rfc/rfc4648.html#section-4}
*
* @param data The data to encode.
* @returns The base64-encoded string.
*
* @example Usage
* ```ts
* import { encodeBase64 } from "base64.js";
* import { assertEquals } from "../assert/mod.js";
*
* assertEquals(encodeBase64("foobar"), "Zm9vYmFy");
* ```
*/
function encodeBase64(data) {
	if (typeof data === "string") data = new TextEncoder().encode(data);
	else if (data instanceof ArrayBuffer) data = new Uint8Array(data).slice();
	else data = data.slice();
	const [output, i] = detach(data, calcSizeBase64(data.length));
	encode(output, i, 0, alphabet, padding);
	return new TextDecoder().decode(output);
}
/**
* Decodes a base64-encoded string.
*
* @see {@link https://www.rfc-editor.org/rfc/rfc4648.html#section-4}
*
* @param b64 The base64-encoded string to decode.
* @returns The decoded data.
*
* @example Usage
* ```ts
* import { decodeBase64 } from "base64.js";
* import { assertEquals } from "../assert/mod.js";
*
* assertEquals(
*   decodeBase64("Zm9vYmFy"),
*   new TextEncoder().encode("foobar")
* );
* ```
*/
function decodeBase64(b64) {
	const output = new TextEncoder().encode(b64);
	return new Uint8Array(output.buffer.transfer(decode(output, 0, 0, rAlphabet, padding)));
}
export { decodeBase64, encodeBase64 };
