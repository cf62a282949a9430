// deno-std/html/entities.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { escape } from "npm:/deno-std@1.4.0/html/entities.js";
