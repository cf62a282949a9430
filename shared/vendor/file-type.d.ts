// file-type, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { fileTypeFromBuffer } from "npm:file-type@22.3.0";
