/** The page's one client: it knows the tables, their columns and the functions. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../../client/mod.ts";

export type Client = SupabaseClient<Database>;

export const supabase: Client = createClient<Database>(
  import.meta.env.VITE_SUPABASE_URL,
  import.meta.env.VITE_SUPABASE_PUBLISHABLE_KEY,
  {
    // The session ends with the tab: these computers are shared.
    auth: { storage: sessionStorage, detectSessionInUrl: false },
  },
);
