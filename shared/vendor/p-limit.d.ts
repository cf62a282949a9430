// p-limit, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { default } from "npm:p-limit@7.3.3";
