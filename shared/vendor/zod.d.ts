// zod, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { array, boolean, coerce, enum, guid, int, literal, object, strictObject, string, union } from "npm:zod@4.6.7";
export type { core, infer, ZodType } from "npm:zod@4.6.7";
