/** Black-box: the Auth routes as an unmodified supabase-js uses them. Needs a running stand-in's environment. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";

const url = Deno.env.get("SUPABASE_URL")!;
const password = "correct horse battery staple";
const admin = client(Deno.env.get("SUPABASE_SECRET_KEY")!);

function client(key = Deno.env.get("SUPABASE_PUBLISHABLE_KEY")!): SupabaseClient {
  return createClient(url, key, { auth: { autoRefreshToken: false, persistSession: false } });
}

/** Runs `work` with a fresh user, who is deleted afterwards. */
async function withUser(
  work: (user: { id: string; email: string }) => Promise<void>,
  attributes: Record<string, unknown> = {},
): Promise<void> {
  const email = `${crypto.randomUUID()}@auth.test`;
  const { data, error } = await admin.auth.admin.createUser({
    email,
    password,
    email_confirm: true,
    ...attributes,
  });
  assertEquals(error, null);
  const { id } = data.user!;
  try {
    await work({ id, email });
  } finally {
    await admin.auth.admin.deleteUser(id);
  }
}

async function signedIn(email: string) {
  const supabase = client();
  const { data, error } = await supabase.auth.signInWithPassword({ email, password });
  assertEquals(error, null);
  return { supabase, session: data.session!, user: data.user! };
}

Deno.test("a user signs in and gets hosted's claims, verified with the public keys", () =>
  withUser(async ({ id, email }) => {
    const { supabase, session, user } = await signedIn(email);
    assertEquals(user.id, id);
    assertEquals(user.app_metadata, {
      provider: "email",
      providers: ["email"],
      tenant_id: "t1",
      role: "manager",
    });
    assertEquals(user.identities?.[0]?.provider, "email");
    assertEquals(session.token_type, "bearer");
    assertEquals(session.expires_in, 3600);

    const { data, error } = await supabase.auth.getClaims(session.access_token);
    assertEquals(error, null);
    const { iat, exp, session_id, amr, ...claims } = data!.claims;
    assertEquals(data!.header.alg, "ES256");
    assertEquals(exp! - iat!, 3600);
    assert(session_id);
    assertEquals((amr as { method: string }[])[0]?.method, "password");
    assertEquals(claims as unknown, {
      iss: `${url}/auth/v1`,
      sub: id,
      aud: "authenticated",
      email,
      phone: "",
      app_metadata: user.app_metadata,
      user_metadata: {},
      role: "authenticated",
      aal: "aal1",
      is_anonymous: false,
    });
  }, { app_metadata: { tenant_id: "t1", role: "manager" } }));

Deno.test("a wrong password, an unknown user and an unconfirmed one are refused by name", () =>
  withUser(async ({ email }) => {
    for (const attempt of [{ email, password: "wrong" }, { email: "nobody@auth.test", password }]) {
      const { error } = await client().auth.signInWithPassword(attempt);
      assertEquals([error?.name, error?.status, error?.code, error?.message], [
        "AuthApiError",
        400,
        "invalid_credentials",
        "Invalid login credentials",
      ]);
    }
    await withUser(async (unconfirmed) => {
      const { error } = await client().auth.signInWithPassword({ email: unconfirmed.email, password });
      assertEquals(error?.code, "email_not_confirmed");
    }, { email_confirm: false });
  }));

Deno.test("a refresh token works once; its reuse ends the session", () =>
  withUser(async ({ email }) => {
    const { supabase, session } = await signedIn(email);
    const first = { refresh_token: session.refresh_token };
    const { data, error } = await supabase.auth.refreshSession(first);
    assertEquals(error, null);
    assertNotEquals(data.session?.refresh_token, session.refresh_token);
    assertEquals((await client().auth.getUser(data.session!.access_token)).error, null);

    const reuse = await client().auth.refreshSession(first);
    assertEquals([reuse.error?.status, reuse.error?.code], [400, "refresh_token_already_used"]);
    const heir = await client().auth.refreshSession({ refresh_token: data.session!.refresh_token });
    assertEquals(heir.error?.code, "refresh_token_not_found");
    const { error: ended } = await client().auth.getUser(data.session!.access_token);
    assert(ended);
  }));

Deno.test("getUser refuses forged tokens and API keys", async () => {
  const forged = await client().auth.getUser("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA");
  assertEquals([forged.error?.status, forged.error?.code], [403, "bad_jwt"]);
  const { error } = await client().auth.getUser(Deno.env.get("SUPABASE_ANON_KEY") ?? "none");
  assertEquals(error?.status, 403);
});

Deno.test("a user changes user_metadata and by no route app_metadata", () =>
  withUser(async ({ email }) => {
    const { supabase, session } = await signedIn(email);
    const { data, error } = await supabase.auth.updateUser({ data: { role: "admin", name: "Thandi" } });
    assertEquals(error, null);
    assertEquals(data.user?.user_metadata, { role: "admin", name: "Thandi" });
    await supabase.auth.updateUser({ data: { name: null } });

    const response = await fetch(`${url}/auth/v1/user`, {
      method: "PUT",
      headers: {
        apikey: Deno.env.get("SUPABASE_PUBLISHABLE_KEY")!,
        authorization: `Bearer ${session.access_token}`,
      },
      body: JSON.stringify({ app_metadata: { role: "admin" } }),
    });
    assertEquals(response.status, 403);
    await response.body?.cancel();

    const { session: again } = await signedIn(email);
    assertEquals(again.user.app_metadata, { provider: "email", providers: ["email"] });
    assertEquals(again.user.user_metadata, { role: "admin" });
  }));

Deno.test("signing out ends the sessions that the scope names", () =>
  withUser(async ({ email }) => {
    const one = await signedIn(email);
    const two = await signedIn(email);
    const three = await signedIn(email);
    const lives = async (token: string) => (await client().auth.getUser(token)).error === null;

    assertEquals((await one.supabase.auth.signOut({ scope: "local" })).error, null);
    assertEquals([await lives(one.session.access_token), await lives(two.session.access_token)], [
      false,
      true,
    ]);
    assertEquals((await two.supabase.auth.signOut({ scope: "others" })).error, null);
    assertEquals([await lives(two.session.access_token), await lives(three.session.access_token)], [
      true,
      false,
    ]);
    assertEquals((await two.supabase.auth.signOut()).error, null);
    assertEquals(await lives(two.session.access_token), false);
  }));

Deno.test("administration: create, read, change, list, delete; only with the secret key", () =>
  withUser(async ({ id, email }) => {
    const twice = await admin.auth.admin.createUser({ email, password });
    assertEquals([twice.error?.status, twice.error?.code], [422, "email_exists"]);

    const { data } = await admin.auth.admin.updateUserById(id, {
      app_metadata: { role: "admin", tenant_id: "t2" },
      password: "another",
    });
    assertEquals(data.user?.app_metadata.role, "admin");
    await admin.auth.admin.updateUserById(id, { app_metadata: { tenant_id: null } });
    const { data: read } = await admin.auth.admin.getUserById(id);
    assertEquals(read.user?.app_metadata, { provider: "email", providers: ["email"], role: "admin" });
    assertEquals((await client().auth.signInWithPassword({ email, password: "another" })).error, null);
    const { data: list } = await admin.auth.admin.listUsers();
    assert(list.users.some((user) => user.id === id));

    const refused = await client().auth.admin.createUser({ email: "x@auth.test", password });
    assertEquals([refused.error?.status, refused.error?.code], [403, "not_admin"]);
    const missing = await admin.auth.admin.getUserById(crypto.randomUUID());
    assertEquals([missing.error?.status, missing.error?.code], [404, "user_not_found"]);
  }));

Deno.test("an invitation makes an account that cannot sign in yet, and is repeated until it is followed; only with the secret key", async () => {
  const email = `${crypto.randomUUID()}@auth.test`;
  const refused = await client().auth.admin.inviteUserByEmail(email);
  assertEquals([refused.error?.status, refused.error?.code], [403, "not_admin"]);
  const malformed = await admin.auth.admin.inviteUserByEmail("nobody");
  assertEquals([malformed.error?.status, malformed.error?.code], [400, "validation_failed"]);

  const { data: { user }, error } = await admin.auth.admin.inviteUserByEmail(email.toUpperCase());
  assertEquals(error, null);
  const { id } = user!;
  try {
    assertEquals([user!.email, user!.email_confirmed_at, user!.app_metadata.tenant_id], [
      email,
      undefined,
      undefined,
    ]);
    assert(user!.invited_at);
    const again = await admin.auth.admin.inviteUserByEmail(email);
    assertEquals([again.error, again.data.user?.id], [null, id]);

    await admin.auth.admin.updateUserById(id, { password });
    const early = await client().auth.signInWithPassword({ email, password });
    assertEquals(early.error?.code, "email_not_confirmed");
    await admin.auth.admin.updateUserById(id, { email_confirm: true });
    await signedIn(email);
    const late = await admin.auth.admin.inviteUserByEmail(email);
    assertEquals([late.error?.status, late.error?.code], [422, "email_exists"]);
  } finally {
    await admin.auth.admin.deleteUser(id);
  }
});
