/** Who is signed in: sessions, their refresh tokens, and the access tokens of requests. */
import type postgres from "postgres";
import type { Claims, Keys } from "../types.ts";
import { AuthFailure } from "./failure.ts";
import { findUser, publicUser, type User, type Users } from "./users.ts";

const accessTokenSeconds = 3600;

export class Sessions {
  constructor(
    private readonly sql: postgres.Sql,
    private readonly keys: Keys,
    private readonly users: Users,
  ) {}

  async signIn(body: { email?: unknown; password?: unknown }): Promise<unknown> {
    if (typeof body.email !== "string" || typeof body.password !== "string") {
      throw new AuthFailure(400, "validation_failed", "missing email or phone");
    }
    const [known] = await this.sql<{ id: string; hash: string; confirmed: boolean }[]>`
      select id, encrypted_password as hash, email_confirmed_at is not null as confirmed from auth.users
      where email = ${body.email.toLowerCase()} and encrypted_password <> '' and deleted_at is null`;
    if (!known || await this.users.bcrypt(body.password, known.hash) !== known.hash) {
      throw new AuthFailure(400, "invalid_credentials", "Invalid login credentials");
    }
    if (!known.confirmed) throw new AuthFailure(400, "email_not_confirmed", "Email not confirmed");
    return await this.sql.begin(async (tx) => {
      await tx`update auth.users set last_sign_in_at = now() where id = ${known.id}`;
      const [session] = await tx<{ id: string; created_at: Date }[]>`
        insert into auth.sessions (id, user_id) values (gen_random_uuid(), ${known.id}) returning id, created_at`;
      return await this.issue(tx, known.id, session!, null);
    });
  }

  /** Each refresh token is good for one use; a second use ends the session, for one of the two users is a thief. */
  async refresh(body: { refresh_token?: unknown }): Promise<unknown> {
    const token = String(body.refresh_token ?? "");
    const outcome = await this.sql.begin(async (tx) => {
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
      return await this.issue(tx, row.user_id, row, token);
    });
    if (outcome === "unknown") {
      throw new AuthFailure(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
    }
    if (outcome === "used") {
      throw new AuthFailure(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used");
    }
    return outcome;
  }

  private async issue(
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
    const accessToken = await this.keys.sign({
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

  async signOut(request: Request, scope: string): Promise<void> {
    const { user, sessionId } = await this.callerOf(request);
    await this.sql`delete from auth.sessions where user_id = ${user.id} and case ${scope}
      when 'local' then id = ${sessionId} when 'others' then id <> ${sessionId} else true end`;
  }

  async requireServiceRole(request: Request): Promise<void> {
    const claims = await this.claimsOf(request);
    if (claims.role !== "service_role") throw new AuthFailure(403, "not_admin", "User not allowed");
  }

  /** The signed-in user of a request; their session must not have ended. */
  async callerOf(request: Request): Promise<{ user: User; sessionId: string }> {
    const claims = await this.claimsOf(request);
    if (!claims.sub) throw new AuthFailure(403, "bad_jwt", "invalid claim: missing sub claim");
    const user = await this.users.find(claims.sub);
    if (!user) throw new AuthFailure(403, "user_not_found", "User from sub claim in JWT does not exist");
    const sessionId = String(claims.session_id ?? "");
    const sessions = await this
      .sql`select from auth.sessions where id::text = ${sessionId} and user_id = ${user.id}`;
    if (sessions.length === 0) {
      throw new AuthFailure(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    }
    return { user, sessionId };
  }

  private async claimsOf(request: Request): Promise<Claims> {
    const token = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (!token) throw new AuthFailure(401, "no_authorization", "This endpoint requires a valid Bearer token");
    try {
      return await this.keys.verify(token);
    } catch {
      throw new AuthFailure(403, "bad_jwt", "invalid JWT: unable to parse or verify signature");
    }
  }
}
