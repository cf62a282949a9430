// deno-std/crypto/timing_safe_equal.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { timingSafeEqual } from "npm:/deno-std@1.4.0/crypto/timing_safe_equal.js";
