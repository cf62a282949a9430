// deno-std/async/delay.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { delay } from "npm:/deno-std@1.4.0/async/delay.js";
