/** A small Auth server (GoTrue): password sign-in, refresh, the user, sign-out, and users made or invited by an administrator. */
import type postgres from "postgres";
import { AuthFailure, unexpected } from "./auth/failure.ts";
import { Sessions } from "./auth/sessions.ts";
import { publicUser, Users } from "./auth/users.ts";
import type { Context, Handler } from "./types.ts";

export function makeAuth(context: Context): Handler {
  const { keys } = context;
  const sql = context.connect("supabase_auth_admin");
  const users = new Users(sql, context.connect("supabase_admin"));
  const sessions = new Sessions(sql, keys, users);

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
        if (grant === "password") return Response.json(await sessions.signIn(await readBody(request)));
        if (grant === "refresh_token") return Response.json(await sessions.refresh(await readBody(request)));
        throw new AuthFailure(400, "invalid_credentials", "unsupported_grant_type");
      }
      case "GET /user":
        return Response.json(publicUser((await sessions.callerOf(request)).user));
      case "PUT /user":
        return Response.json(await updateSelf(request));
      case "POST /logout":
        await sessions.signOut(request, url.searchParams.get("scope") ?? "global");
        return new Response(null, { status: 204 });
      case "POST /invite":
        await sessions.requireServiceRole(request);
        return Response.json(publicUser(await users.invite(await readBody(request))));
    }
    const admin = /^\/admin\/users(?:\/([^/]+))?$/.exec(path);
    if (!admin) throw new AuthFailure(404, "not_found", "The stand-in has no such route");
    await sessions.requireServiceRole(request);
    return await administer(request, admin[1]);
  }

  /** Users change their user_metadata; nothing may be decided by it. */
  async function updateSelf(request: Request): Promise<unknown> {
    const { user } = await sessions.callerOf(request);
    const { data, ...others } = await readBody<{ data?: postgres.JSONValue }>(request);
    if ("app_metadata" in others) {
      throw new AuthFailure(403, "not_admin", "Updating app_metadata requires admin privileges");
    }
    if ("email" in others || "phone" in others || "password" in others) {
      throw new AuthFailure(422, "validation_failed", "The stand-in lets a user change user_metadata only");
    }
    return publicUser(await users.change(user.id, { user_metadata: data }));
  }

  async function administer(request: Request, id: string | undefined): Promise<Response> {
    if (id === undefined) {
      if (request.method === "POST") {
        return Response.json(publicUser(await users.create(await readBody(request))));
      }
      if (request.method === "GET") return Response.json(await users.list(new URL(request.url).searchParams));
      throw new AuthFailure(405, "method_not_allowed", "Method not allowed");
    }
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
      throw new AuthFailure(404, "validation_failed", "user_id must be an UUID");
    }
    const user = await users.find(id);
    if (!user) throw new AuthFailure(404, "user_not_found", "User not found");
    if (request.method === "GET") return Response.json(publicUser(user));
    if (request.method === "PUT") {
      return Response.json(publicUser(await users.change(id, await readBody(request))));
    }
    if (request.method !== "DELETE") throw new AuthFailure(405, "method_not_allowed", "Method not allowed");
    await users.remove(id);
    return Response.json({});
  }
}

async function readBody<T>(request: Request): Promise<T> {
  const body = await request.json().catch(() => undefined);
  if (typeof body !== "object" || body === null) {
    throw new AuthFailure(400, "bad_json", "Could not parse request body as JSON");
  }
  return body;
}
