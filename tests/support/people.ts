/** People with odd accounts, made for one test and removed after it. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { PUBLISHABLE_KEY, SECRET_KEY, service, URL_BASE } from "./stack.ts";

export interface OddPerson {
  userId: string;
  token: string;
  supabase: SupabaseClient;
}

/** Signs somebody in whose token carries this metadata, and lends them. */
export async function withPerson(
  metadata: { app?: Record<string, unknown>; own?: Record<string, unknown> },
  use: (person: OddPerson) => Promise<void>,
): Promise<void> {
  const email = `odd-${crypto.randomUUID()}@people.test`;
  const password = crypto.randomUUID();
  const { data: { user }, error } = await service.auth.admin.createUser({
    email,
    password,
    email_confirm: true,
    app_metadata: metadata.app,
    user_metadata: metadata.own,
  });
  if (error || !user) throw error;
  try {
    const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
      auth: { autoRefreshToken: false, persistSession: false },
    });
    const { data: { session }, error } = await supabase.auth.signInWithPassword({ email, password });
    if (error || !session) throw error;
    await use({ userId: user.id, token: session.access_token, supabase });
  } finally {
    // not auth.admin.deleteUser, which leaves its answer unread: a leak to Deno 2.1
    const gone = await fetch(`${URL_BASE}/auth/v1/admin/users/${user.id}`, {
      method: "DELETE",
      headers: { apikey: SECRET_KEY },
    });
    await gone.body?.cancel();
  }
}
