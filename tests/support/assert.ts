// deno-std's assertions; on npm they come without types.
// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
