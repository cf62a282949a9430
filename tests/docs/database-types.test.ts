// shared/database.types.ts is what the real CLI makes of the migrated database.
import { databaseTypes, FILE } from "../../docs/generate/database-types.ts";
import { assert } from "../support/assert.ts";

Deno.test("shared/database.types.ts is what the migrations make", async () => {
  const types = await databaseTypes(Deno.env.get("SUPABASE_DB_URL")!);
  assert(await Deno.readTextFile(FILE) === types, "it is not: run `npm run types`");
});
