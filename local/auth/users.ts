/** The users of the small Auth server. */
import type postgres from "postgres";
import { AuthFailure } from "./failure.ts";

export interface User {
  id: string;
  aud: string;
  role: string;
  email: string;
  confirmed: Date | null;
  invited_at: Date | null;
  app: Record<string, unknown>;
  own: Record<string, unknown>;
  identities: Record<string, unknown>[];
  last_sign_in_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

/** What an administrator may send of a user. */
export interface UserInput {
  id?: string;
  email?: string;
  password?: string;
  email_confirm?: boolean;
  app_metadata?: postgres.JSONValue;
  user_metadata?: postgres.JSONValue;
}

export class Users {
  /** `pgcrypto` hashes passwords: GoTrue has bcrypt in its own program, and hosted's supabase_auth_admin may not use ours. */
  constructor(private readonly sql: postgres.Sql, private readonly pgcrypto: postgres.Sql) {}

  find(id: string): Promise<User | undefined> {
    return findUser(this.sql, id);
  }

  async remove(id: string): Promise<void> {
    await this.sql`delete from auth.users where id = ${id}`;
  }

  async create(input: UserInput): Promise<User> {
    if (!input.email?.includes("@")) {
      throw new AuthFailure(400, "validation_failed", "Unable to validate email address: invalid format");
    }
    const id = input.id ?? crypto.randomUUID();
    const email = input.email.toLowerCase();
    const identity = { sub: id, email, email_verified: false, phone_verified: false };
    const provider = { provider: "email", providers: ["email"] };
    const hash = await this.hashOf(input);
    try {
      await this.sql.begin(async (tx) => {
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
    return (await findUser(this.sql, id))!;
  }

  /** Again, too, as long as the address is not confirmed. No e-mail goes out, and the invitation cannot be followed. */
  async invite({ email = "", data }: { email?: string; data?: postgres.JSONValue }): Promise<User> {
    const [known] = await this.sql<{ id: string; confirmed: boolean }[]>`
      select id, email_confirmed_at is not null as confirmed from auth.users
      where email = ${email.toLowerCase()} and not is_sso_user`;
    if (known?.confirmed) throw emailExists();
    const { id } = known ?? await this.create({ email, user_metadata: data });
    await this.sql`
      update auth.users set invited_at = now(), confirmation_sent_at = now(),
        confirmation_token = encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'hex')
      where id = ${id}`;
    return (await findUser(this.sql, id))!;
  }

  async change(id: string, input: UserInput): Promise<User> {
    try {
      await applyChanges(this.sql, id, input, await this.hashOf(input));
    } catch (error) {
      throw isDuplicate(error) ? emailExists() : error;
    }
    return (await findUser(this.sql, id))!;
  }

  /** A hash to compare with, when `salt` is the stored one; a new one without. */
  async bcrypt(password: string, salt: string | null): Promise<string | null> {
    const [row] = await this.pgcrypto<{ hash: string | null }[]>`
      select extensions.crypt(${password}, coalesce(${salt}, extensions.gen_salt('bf'))) as hash`;
    return row!.hash;
  }

  private async hashOf({ password }: UserInput): Promise<string | null> {
    return password === undefined ? null : await this.bcrypt(password, null);
  }

  async list(query: URLSearchParams): Promise<unknown> {
    const limit = Number(query.get("per_page") || 50);
    const offset = (Number(query.get("page") || 1) - 1) * limit;
    const ids = await this.sql<{ id: string }[]>`
      select id from auth.users order by created_at desc, id limit ${limit} offset ${offset}`;
    const users = await Promise.all(ids.map(({ id }) => findUser(this.sql, id)));
    return { users: users.filter((user) => user !== undefined).map(publicUser), aud: "authenticated" };
  }
}

export async function findUser(sql: postgres.ISql, id: string): Promise<User | undefined> {
  const [user] = await sql<User[]>`
    select id, aud, role, email, email_confirmed_at as confirmed, invited_at, coalesce(raw_app_meta_data, '{}') as app,
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

export function publicUser(user: User): Record<string, unknown> {
  const { confirmed, app, own, ...same } = user;
  return {
    ...same,
    phone: "",
    email_confirmed_at: confirmed ?? undefined,
    confirmed_at: confirmed ?? undefined,
    invited_at: user.invited_at ?? undefined,
    last_sign_in_at: user.last_sign_in_at ?? undefined,
    app_metadata: app,
    user_metadata: own,
    is_anonymous: false,
  };
}

function isDuplicate(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}

function emailExists(): AuthFailure {
  return new AuthFailure(422, "email_exists", "A user with this email address has already been registered");
}
