// zod/v4/locales/en.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { default } from "npm:zod@4.6.7/v4/locales/en.js";
