import type postgres from "postgres";

/** A verified access token's claims, as PostgREST and Storage put them into `request.jwt.claims`. */
export type Claims = Record<string, unknown> & { role: string; sub?: string };

/** One pretend service behind the gateway. The request's URL still has its `/storage/v1` (or other) prefix. */
export type Handler = (request: Request) => Promise<Response>;

/** Database roles that a hosted project's services log in as. */
export type LoginRole =
  | "supabase_admin" // the superuser
  | "postgres" // migrations; no superuser
  | "authenticator" // REST
  | "supabase_auth_admin"
  | "supabase_storage_admin"
  | "supabase_realtime_admin";

/** API keys and token signing of one running stand-in. */
export interface Keys {
  /** `sb_publishable_…` and `sb_secret_…`. */
  publishable: string;
  secret: string;
  /** Public ES256 keys, `{"keys":[…]}`. */
  jwks: { keys: Record<string, unknown>[] };
  /** `{gateway}/auth/v1`. */
  issuer: string;
  /** Signs claims as an ES256 token with `iat`, `exp` and `iss` added (unless given), valid for so many seconds. */
  sign(claims: Record<string, unknown>, seconds: number): Promise<string>;
  /** Verifies a token of ours (signature, `exp`); throws jose's errors. */
  verify(token: string): Promise<Claims>;
}

/** What the gateway gives each pretend service. */
export interface Context {
  /** Public base URL of the gateway, `http://127.0.0.1:PORT`. */
  url: string;
  keys: Keys;
  /** A pool of connections logged in as a platform role, made at first use, closed at stop. */
  connect(role: LoginRole): postgres.Sql;
  /** Scratch directory of this run; removed at stop. */
  directory: string;
}
