/** A small Auth server (GoTrue): password sign-in, refresh, the user, sign-out, and users made by an administrator. */
import type postgres from "postgres";
import type { Claims, Context, Handler } from "./types.ts";

const accessTokenSeconds = 3600;

interface User {
  id: string;
  aud: string;
  role: string;
  email: string;
  confirmed: Date | null;
  app: Record<string, unknown>;
  own: Record<string, unknown>;
  identities: Record<string, unknown>[];
  last_sign_in_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

/** What an administrator may send of a user. */
interface UserInput {
  id?: string;
  email?: string;
  password?: string;
  email_confirm?: boolean;
  app_metadata?: postgres.JSONValue;
  user_metadata?: postgres.JSONValue;
}

/** An answer with GoTrue's error body, thrown from wherever it is found out. */
class AuthFailure extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

export function makeAuth(context: Context): Handler {
  const { keys } = context;
  const sql = context.connect("supabase_auth_admin");
  // GoTrue has bcrypt in its own program; here pgcrypto does it, which hosted's supabase_auth_admin may not use.
  const pgcrypto = context.connect("supabase_admin");

  return async (request) => {
    try {
      return await route(request);
    } catch (error) {
      const failure = error instanceof AuthFailure ? error : unexpected(error);
      const body = { code: failure.status, error_code: failure.code, msg: failure.message };
      return Response.json(body, { status: failure.status });
    }
  };

  async function route(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.replace(/^\/auth\/v1/, "");
    switch (`${request.method} ${path}`) {
      case "GET /health":
        return Response.json({ name: "GoTrue", version: "local", description: "a stand-in" });
      case "GET /settings":
        return Response.json({ external: { email: true }, disable_signup: true, mailer_autoconfirm: true });
      case "GET /.well-known/jwks.json":
        return Response.json(keys.jwks);
      case "POST /token": {
        const grant = url.searchParams.get("grant_type");
        if (grant === "password") return Response.json(await signIn(await readBody(request)));
        if (grant === "refresh_token") return Response.json(await refresh(await readBody(request)));
        throw new AuthFailure(400, "invalid_credentials", "unsupported_grant_type");
      }
      case "GET /user":
        return Response.json(publicUser((await callerOf(request)).user));
      case "PUT /user":
        return Response.json(await updateSelf(request));
      case "POST /logout":
        await signOut(request, url.searchParams.get("scope") ?? "global");
        return new Response(null, { status: 204 });
    }
    const admin = /^\/admin\/users(?:\/([^/]+))?$/.exec(path);
    if (!admin) throw new AuthFailure(404, "not_found", "The stand-in has no such route");
    await requireServiceRole(request);
    return await administer(request, admin[1]);
  }

  async function signIn(body: { email?: unknown; password?: unknown }): Promise<unknown> {
    if (typeof body.email !== "string" || typeof body.password !== "string") {
      throw new AuthFailure(400, "validation_failed", "missing email or phone");
    }
    const [known] = await sql<{ id: string; hash: string; confirmed: boolean }[]>`
      select id, encrypted_password as hash, email_confirmed_at is not null as confirmed from auth.users
      where email = ${body.email.toLowerCase()} and encrypted_password <> '' and deleted_at is null`;
    if (!known || await bcrypt(body.password, known.hash) !== known.hash) {
      throw new AuthFailure(400, "invalid_credentials", "Invalid login credentials");
    }
    if (!known.confirmed) throw new AuthFailure(400, "email_not_confirmed", "Email not confirmed");
    return await sql.begin(async (tx) => {
      await tx`update auth.users set last_sign_in_at = now() where id = ${known.id}`;
      const [session] = await tx<{ id: string; created_at: Date }[]>`
        insert into auth.sessions (id, user_id) values (gen_random_uuid(), ${known.id}) returning id, created_at`;
      return await issue(tx, known.id, session!, null);
    });
  }

  /** Each refresh token is good for one use; a second use ends the session, for one of the two users is a thief. */
  async function refresh(body: { refresh_token?: unknown }): Promise<unknown> {
    const token = String(body.refresh_token ?? "");
    const outcome = await sql.begin(async (tx) => {
      const [row] = await tx<{ revoked: boolean; user_id: string; id: string; created_at: Date }[]>`
        select t.revoked, s.user_id, s.id, s.created_at
        from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id
        where t.token = ${token} for update of t`;
      if (!row) return "unknown";
      if (row.revoked) {
        await tx`delete from auth.sessions where id = ${row.id}`;
        return "used";
      }
      await tx`update auth.refresh_tokens set revoked = true, updated_at = now() where token = ${token}`;
      return await issue(tx, row.user_id, row, token);
    });
    if (outcome === "unknown") {
      throw new AuthFailure(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
    }
    if (outcome === "used") {
      throw new AuthFailure(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used");
    }
    return outcome;
  }

  async function issue(
    tx: postgres.TransactionSql,
    userId: string,
    session: { id: string; created_at: Date },
    parent: string | null,
  ): Promise<Record<string, unknown>> {
    const user = await findUser(tx, userId);
    if (!user) throw new AuthFailure(400, "user_not_found", "User not found");
    const refreshToken = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
    await tx`insert into auth.refresh_tokens (token, user_id, session_id, parent)
      values (${refreshToken}, ${userId}, ${session.id}, ${parent})`;
    const accessToken = await keys.sign({
      sub: user.id,
      aud: user.aud,
      email: user.email,
      phone: "",
      app_metadata: user.app,
      user_metadata: user.own,
      role: user.role,
      aal: "aal1",
      amr: [{ method: "password", timestamp: Math.floor(session.created_at.getTime() / 1000) }],
      session_id: session.id,
      is_anonymous: false,
    }, accessTokenSeconds);
    return {
      access_token: accessToken,
      token_type: "bearer",
      expires_in: accessTokenSeconds,
      expires_at: Math.floor(Date.now() / 1000) + accessTokenSeconds,
      refresh_token: refreshToken,
      user: publicUser(user),
    };
  }

  /** Users change their user_metadata; nothing may be decided by it. */
  async function updateSelf(request: Request): Promise<unknown> {
    const { user } = await callerOf(request);
    const { data, ...others } = await readBody<{ data?: postgres.JSONValue }>(request);
    if ("app_metadata" in others) {
      throw new AuthFailure(403, "not_admin", "Updating app_metadata requires admin privileges");
    }
    if ("email" in others || "phone" in others || "password" in others) {
      throw new AuthFailure(422, "validation_failed", "The stand-in lets a user change user_metadata only");
    }
    return publicUser(await changeUser(user.id, { user_metadata: data }));
  }

  async function signOut(request: Request, scope: string): Promise<void> {
    const { user, sessionId } = await callerOf(request);
    await sql`delete from auth.sessions where user_id = ${user.id} and case ${scope}
      when 'local' then id = ${sessionId} when 'others' then id <> ${sessionId} else true end`;
  }

  async function administer(request: Request, id: string | undefined): Promise<Response> {
    if (id === undefined) {
      if (request.method === "POST") {
        return Response.json(publicUser(await createUser(await readBody(request))));
      }
      if (request.method === "GET") return Response.json(await listUsers(new URL(request.url).searchParams));
      throw new AuthFailure(405, "method_not_allowed", "Method not allowed");
    }
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
      throw new AuthFailure(404, "validation_failed", "user_id must be an UUID");
    }
    const user = await findUser(sql, id);
    if (!user) throw new AuthFailure(404, "user_not_found", "User not found");
    if (request.method === "GET") return Response.json(publicUser(user));
    if (request.method === "PUT") {
      return Response.json(publicUser(await changeUser(id, await readBody(request))));
    }
    if (request.method !== "DELETE") throw new AuthFailure(405, "method_not_allowed", "Method not allowed");
    await sql`delete from auth.users where id = ${id}`;
    return Response.json({});
  }

  async function createUser(input: UserInput): Promise<User> {
    if (!input.email?.includes("@")) {
      throw new AuthFailure(400, "validation_failed", "Unable to validate email address: invalid format");
    }
    const id = input.id ?? crypto.randomUUID();
    const email = input.email.toLowerCase();
    const identity = { sub: id, email, email_verified: false, phone_verified: false };
    const provider = { provider: "email", providers: ["email"] };
    const hash = await hashOf(input);
    try {
      await sql.begin(async (tx) => {
        await tx`insert into auth.users (instance_id, id, aud, role, email, raw_app_meta_data, raw_user_meta_data,
            created_at, updated_at, confirmation_token, recovery_token, email_change, email_change_token_new)
          values ('00000000-0000-0000-0000-000000000000', ${id}, 'authenticated', 'authenticated', ${email},
            ${tx.json(provider)}, '{}', now(), now(), '', '', '', '')`;
        await tx`insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at,
            created_at, updated_at)
          values (${id}, ${id}, ${tx.json(identity)}, 'email', now(), now(), now())`;
        await applyChanges(tx, id, { ...input, email: undefined }, hash);
      });
    } catch (error) {
      throw isDuplicate(error) ? emailExists() : error;
    }
    return (await findUser(sql, id))!;
  }

  async function changeUser(id: string, input: UserInput): Promise<User> {
    try {
      await applyChanges(sql, id, input, await hashOf(input));
    } catch (error) {
      throw isDuplicate(error) ? emailExists() : error;
    }
    return (await findUser(sql, id))!;
  }

  /** A hash to compare with, when `salt` is the stored one; a new one without. */
  async function bcrypt(password: string, salt: string | null): Promise<string | null> {
    const [row] = await pgcrypto<{ hash: string | null }[]>`
      select extensions.crypt(${password}, coalesce(${salt}, extensions.gen_salt('bf'))) as hash`;
    return row!.hash;
  }

  async function hashOf({ password }: UserInput): Promise<string | null> {
    return password === undefined ? null : await bcrypt(password, null);
  }

  async function listUsers(query: URLSearchParams): Promise<unknown> {
    const limit = Number(query.get("per_page") || 50);
    const offset = (Number(query.get("page") || 1) - 1) * limit;
    const ids = await sql<{ id: string }[]>`
      select id from auth.users order by created_at desc, id limit ${limit} offset ${offset}`;
    const users = await Promise.all(ids.map(({ id }) => findUser(sql, id)));
    return { users: users.filter((user) => user !== undefined).map(publicUser), aud: "authenticated" };
  }

  async function requireServiceRole(request: Request): Promise<void> {
    const claims = await claimsOf(request);
    if (claims.role !== "service_role") throw new AuthFailure(403, "not_admin", "User not allowed");
  }

  /** The signed-in user of a request; his session must not have ended. */
  async function callerOf(request: Request): Promise<{ user: User; sessionId: string }> {
    const claims = await claimsOf(request);
    if (!claims.sub) throw new AuthFailure(403, "bad_jwt", "invalid claim: missing sub claim");
    const user = await findUser(sql, claims.sub);
    if (!user) throw new AuthFailure(403, "user_not_found", "User from sub claim in JWT does not exist");
    const sessionId = String(claims.session_id ?? "");
    const sessions =
      await sql`select from auth.sessions where id::text = ${sessionId} and user_id = ${user.id}`;
    if (sessions.length === 0) {
      throw new AuthFailure(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    }
    return { user, sessionId };
  }

  async function claimsOf(request: Request): Promise<Claims> {
    const token = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (!token) throw new AuthFailure(401, "no_authorization", "This endpoint requires a valid Bearer token");
    try {
      return await keys.verify(token);
    } catch {
      throw new AuthFailure(403, "bad_jwt", "invalid JWT: unable to parse or verify signature");
    }
  }
}

async function findUser(sql: postgres.ISql, id: string): Promise<User | undefined> {
  const [user] = await sql<User[]>`
    select id, aud, role, email, email_confirmed_at as confirmed, coalesce(raw_app_meta_data, '{}') as app,
      coalesce(raw_user_meta_data, '{}') as own, last_sign_in_at, created_at, updated_at,
      (select coalesce(json_agg(json_build_object('identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id,
          'identity_data', i.identity_data, 'provider', i.provider, 'email', i.email, 'created_at', i.created_at,
          'updated_at', i.updated_at, 'last_sign_in_at', i.last_sign_in_at)), '[]')
        from auth.identities i where i.user_id = users.id) as identities
    from auth.users where id = ${id} and deleted_at is null`;
  return user;
}

/** Metadata is merged, key by key; a null removes its key. */
async function applyChanges(
  sql: postgres.ISql,
  id: string,
  input: UserInput,
  hash: string | null,
): Promise<void> {
  const json = (value: postgres.JSONValue | undefined) => sql.json(value ?? {});
  await sql`update auth.users set
    email = coalesce(${input.email?.toLowerCase() ?? null}, email),
    encrypted_password = coalesce(${hash}, encrypted_password),
    email_confirmed_at = case when ${input.email_confirm ?? false} then coalesce(email_confirmed_at, now())
      else email_confirmed_at end,
    raw_app_meta_data = (select coalesce(jsonb_object_agg(key, value), '{}')
      from jsonb_each(coalesce(raw_app_meta_data, '{}') || ${
    json(input.app_metadata)
  }) where value <> 'null'),
    raw_user_meta_data = (select coalesce(jsonb_object_agg(key, value), '{}')
      from jsonb_each(coalesce(raw_user_meta_data, '{}') || ${
    json(input.user_metadata)
  }) where value <> 'null'),
    updated_at = now()
    where id = ${id}`;
}

function publicUser(user: User): Record<string, unknown> {
  const { confirmed, app, own, ...same } = user;
  return {
    ...same,
    phone: "",
    email_confirmed_at: confirmed ?? undefined,
    confirmed_at: confirmed ?? undefined,
    last_sign_in_at: user.last_sign_in_at ?? undefined,
    app_metadata: app,
    user_metadata: own,
    is_anonymous: false,
  };
}

async function readBody<T>(request: Request): Promise<T> {
  const body = await request.json().catch(() => undefined);
  if (typeof body !== "object" || body === null) {
    throw new AuthFailure(400, "bad_json", "Could not parse request body as JSON");
  }
  return body;
}

function isDuplicate(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}

function emailExists(): AuthFailure {
  return new AuthFailure(422, "email_exists", "A user with this email address has already been registered");
}

function unexpected(error: unknown): AuthFailure {
  console.error("auth:", error);
  return new AuthFailure(
    500,
    "unexpected_failure",
    "Unexpected failure, please check server logs for more information",
  );
}
