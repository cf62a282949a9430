// deno-std/async/retry.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { retry, RetryError } from "npm:/deno-std@1.4.0/async/retry.js";
