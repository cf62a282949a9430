// jose, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "npm:jose@6.2.17";
export type { JWTPayload } from "npm:jose@6.2.17";
