/** Who is signed in at a client, and with which token realtime-js joins. */
import type { AnyClient } from "./types.ts";

/** The session's token, refreshed if need be; realtime-js joins with it from here on. */
export async function currentToken(
  supabase: AnyClient,
): Promise<{ session: unknown; token: string | null }> {
  // With the client's `accessToken` option there is no supabase.auth, and realtime-js asks that option.
  const answer = await sessionOf(supabase);
  // Without a refreshed session supabase-js takes the bare API key, which would be refused for good.
  if (answer?.error) throw answer.error;
  await supabase.realtime.setAuth();
  return { session: answer?.data.session, token: supabase.realtime.accessTokenValue };
}

async function sessionOf(supabase: AnyClient) {
  try {
    return await supabase.auth.getSession();
  } catch {
    return undefined;
  }
}

/** Tells when another user signs in, or the user signs out: null is nobody. Returns what ends the watching. */
export function watchUser(
  supabase: AnyClient,
  onChange: (user: string | null, before: string | null) => void,
): () => void {
  let known: string | null | undefined;
  try {
    const { data } = supabase.auth.onAuthStateChange((_, session) => {
      const user = session?.user.id ?? null;
      const before = known;
      known = user;
      if (before !== undefined && before !== user) onChange(user, before);
    });
    return () => data.subscription.unsubscribe();
  } catch {
    return () => {};
  }
}
