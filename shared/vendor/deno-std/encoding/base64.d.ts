// deno-std/encoding/base64.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { decodeBase64, encodeBase64 } from "npm:/deno-std@1.4.0/encoding/base64.js";
