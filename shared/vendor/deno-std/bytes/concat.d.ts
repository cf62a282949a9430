// deno-std/bytes/concat.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { concat } from "npm:/deno-std@1.4.0/bytes/concat.js";
