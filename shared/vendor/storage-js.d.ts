// @supabase/storage-js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
export { StorageClient } from "npm:@supabase/storage-js@2.119.1";
export type { StorageError } from "npm:@supabase/storage-js@2.119.1";
