// deno-std/encoding/hex.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { encodeHex } from "npm:/deno-std@1.4.0/encoding/hex.js";
