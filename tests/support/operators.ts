/** The operator's commands, run as they run them, and what a project holds. */
import { encodeHex } from "deno-std/encoding/hex.js";
import type postgres from "postgres";
import { assertEquals } from "./assert.ts";
import { database } from "./functions.ts";
import { service } from "./stack.ts";

/** Of every account that a test makes. */
export const PASSWORD = "correct horse battery staple";

const root = new URL("../..", import.meta.url).pathname;

/** Runs one, with this stack's settings unless others are given, and nobody at the terminal. */
export async function run(
  [name, ...args]: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
    args: ["run", "-A", "--no-check", `operate/${name}.ts`, ...args],
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Runs one with this stack's settings. */
export function command(...words: string[]): Promise<{ code: number; text: string }> {
  return run(words);
}

/** Every table's rows, as a hash: equal before and after where nothing was changed. */
export async function contents(sql: postgres.Sql): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }[]>`
    select c.oid::regclass::text as name from pg_class c
    where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'auth'::regnamespace)`;
  const hashes: Record<string, string> = {};
  for (const { name } of tables) {
    const rows = await sql.unsafe(`select t::text as row from ${name} t order by 1`);
    const text = rows.map(({ row }) => row).join("\n");
    hashes[name] = encodeHex(
      new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    );
  }
  return hashes;
}

/** Runs `work`; no table of ours or of Auth's is other after it. */
export async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await database(contents);
  const result = await work();
  assertEquals(await database(contents), before);
  return result;
}

/** A municipality of the test's own, which stays: its log does. */
export async function ownMunicipality(): Promise<{ id: string; slug: string }> {
  const slug = `town-${crypto.randomUUID()}`;
  const [row] = await database((sql) =>
    sql<{ id: string }[]>`
    insert into public.municipalities (slug, name) values (${slug}, 'Town of the test') returning id`
  );
  return { id: row!.id, slug };
}

/** What an operator's commands recorded in a municipality's log, oldest first. */
export async function recorded(municipality: string) {
  return await database((sql) =>
    sql<
      { event: string; details: Record<string, unknown>; text: string; whole: boolean; operator: string }[]
    >`
    select r.event, r.details - 'operator_commitment' as details, r::text as text,
      r.hash = private.custody_hash(r) and r.user_id is null and r.user_role is null
        and r.details ->> 'operator_commitment' = private.commitment(s.salt, s.name) as whole,
      s.name as operator
    from public.custody_records r
    left join private.custody_signers s on s.commitment = r.details ->> 'operator_commitment'
    where r.tenant_id = ${municipality} and r.event ~ '^(person|number|municipality)_'
    order by r.recorded_at`
  );
}

/** An e-mail address of nobody's. */
export const address = (name: string) => `${name}-${crypto.randomUUID()}@people.example`;

/** Somebody with an account, who can sign in unless the attributes say otherwise. */
export async function account(
  name: string,
  app_metadata: Record<string, unknown> = {},
  attributes: Record<string, unknown> = {},
): Promise<{ email: string; id: string }> {
  const email = address(name);
  const { data, error } = await service.auth.admin.createUser({
    email,
    password: PASSWORD,
    email_confirm: true,
    app_metadata,
    ...attributes,
  });
  if (error) throw error;
  return { email, id: data.user.id };
}

/** Removes the accounts of such addresses. */
export async function removeAccounts(): Promise<void> {
  await database((sql) => sql`delete from auth.users where email like '%@people.example'`);
}
