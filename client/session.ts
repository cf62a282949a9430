import type { AnyClient } from "./types.ts";

/** The session's token, refreshed if need be: what realtime-js joins with from here on. */
export async function currentToken(supabase: AnyClient): Promise<string | null> {
  // With the client's `accessToken` option there is no supabase.auth: then realtime-js asks that.
  const session = await sessionOf(supabase);
  // supabase-js takes the bare API key when it cannot refresh a session; that would be refused for good.
  if (session?.error) throw session.error;
  await supabase.realtime.setAuth();
  return supabase.realtime.accessTokenValue;
}

async function sessionOf(supabase: AnyClient) {
  try {
    return await supabase.auth.getSession();
  } catch {
    return undefined;
  }
}
