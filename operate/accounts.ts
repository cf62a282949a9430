/** Accounts of Auth, and the authority that is in their app_metadata: municipality and role. */
import type postgres from "postgres";
import { UsageError } from "./project.ts";

export interface Account {
  id: string;
  email: string | null;
  role: string | null;
  /** Of a municipality that exists; null otherwise, and then the token sees nothing. */
  tenant_id: string | null;
  slug: string | null;
  /** The municipality's. */
  name: string | null;
  /** Whether the address is known to be theirs; without, nobody can sign in. */
  confirmed: boolean;
  has_password: boolean;
  /** Days, in UTC. */
  created: string;
  last_sign_in: string | null;
}

const ACCOUNT = `
  select u.id, u.email, u.raw_app_meta_data ->> 'role' as role, m.id as tenant_id, m.slug, m.name,
    u.confirmed_at is not null as confirmed, coalesce(u.encrypted_password, '') <> '' as has_password,
    to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD') as created,
    to_char(u.last_sign_in_at at time zone 'UTC', 'YYYY-MM-DD') as last_sign_in
  from auth.users u
  left join public.municipalities m on m.id = private.safe_uuid(u.raw_app_meta_data ->> 'tenant_id')
  where u.deleted_at is null`;

/** The account of that address or id, locked. Throws UsageError where several have the address. */
export async function accountOf(tx: postgres.TransactionSql, who: string): Promise<Account | undefined> {
  const [account, ...others] = await tx<Account[]>`
    ${tx.unsafe(ACCOUNT)} and (lower(u.email) = ${who} or u.id::text = ${who}) for no key update of u`;
  if (others.length === 0) return account;
  const ids = [account!, ...others].map(({ id }) => id).join(", ");
  throw new UsageError(
    `Several accounts have the address ${who} (single sign-on): give the id of one: ${ids}.`,
  );
}

/** Those of a municipality, of a role, or all. */
export async function listAccounts(
  tx: postgres.TransactionSql,
  slug: string | undefined,
  role: string | undefined,
): Promise<Account[]> {
  return await tx<Account[]>`
    ${tx.unsafe(ACCOUNT)}
      and (${slug ?? null}::text is null or m.slug = ${slug ?? null})
      and (${role ?? null}::text is null or u.raw_app_meta_data ->> 'role' = ${role ?? null})
    order by m.slug nulls last, role, u.email, u.id`;
}

/**
 * How many other admins of the account's municipality can sign in. Whoever asks about the same municipality waits for this
 * transaction: two admins cannot be taken away at once.
 */
export async function otherAdmins(tx: postgres.TransactionSql, account: Account): Promise<number> {
  await tx`select from public.municipalities where id = ${account.tenant_id} for no key update`;
  const [row] = await tx<{ n: number }[]>`
    select count(*)::integer as n from auth.users u
    where u.id <> ${account.id} and u.deleted_at is null and u.confirmed_at is not null
      and coalesce(u.banned_until < now(), true)
      and private.safe_uuid(u.raw_app_meta_data ->> 'tenant_id') = ${account.tenant_id}
      and u.raw_app_meta_data ->> 'role' = 'admin'`;
  return row!.n;
}

/** Gives municipality and role, or takes both. What else Auth keeps in app_metadata stays. */
export async function setAuthority(
  tx: postgres.TransactionSql,
  id: string,
  authority: { tenant_id: string; role: string } | null,
): Promise<void> {
  await tx`
    update auth.users set updated_at = now(), raw_app_meta_data =
      (coalesce(raw_app_meta_data, '{}') - 'tenant_id' - 'role') || ${tx.json(authority ?? {})}
    where id = ${id}`;
}

/** Ends an account's sessions: no refresh token works any more. How many there were. (Auth's API only lets people do it.) */
export async function signOut(tx: postgres.TransactionSql, id: string): Promise<number> {
  const ended = await tx`delete from auth.sessions where user_id = ${id} returning id`;
  return ended.length;
}
