// deno-std/encoding/base64url.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { decodeBase64Url, encodeBase64Url } from "npm:/deno-std@1.4.0/encoding/base64url.js";
