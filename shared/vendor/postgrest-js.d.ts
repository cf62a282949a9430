// @supabase/postgrest-js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { PostgrestClient } from "npm:@supabase/postgrest-js@2.119.1";
