// zod/mini, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { _default, array, boolean, coerce, config, enum, extend, guid, int, maximum, maxLength, minimum, minLength, object, optional, positive, refine, regex, strictObject, string, union } from "npm:zod@4.6.7/mini";
export type { core, infer, ZodMiniType } from "npm:zod@4.6.7/mini";
