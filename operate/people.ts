// Who works for which municipality, in which role; npm run people without more says how. A person is an account of Auth whose
// app_metadata has municipality and role. Each change is one transaction with its record in the custody log, so there is neither
// without the other; an account has no rights until then. Exit status: 0 done, or nothing to do; 2 refused, or it did not work.
import { createClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { type Account, accountOf, listAccounts, otherAdmins, setAuthority, signOut } from "./accounts.ts";
import { connectProject, readOptions, runCommand, UsageError } from "./project.ts";
import { columns, type Municipality, municipalityOf, OPTIONS, Registry, ROLES, word } from "./registry.ts";

const USAGE = `npm run people -- list [--municipality SLUG] [--role ROLE]
npm run people -- add PERSON --municipality SLUG --role ROLE        invites who has no account yet
npm run people -- change PERSON [--role ROLE] [--municipality SLUG] [--force]
npm run people -- remove PERSON [--force]                           takes municipality and role; the account stays

  PERSON       an e-mail address, or the account's id
  ROLE         ${ROLES.join(", ")}
  --dry-run    show what would change, and change nothing
  --by NAME    who runs this, for the record; else this machine's login
  --force      even if the municipality is left without an admin
  --env-file FILE    SUPABASE_DB_URL, and to invite PUBLIC_SUPABASE_URL and SUPABASE_SECRET_KEY; .env.production unless given`;
const VERBS = { list, add, change, remove };

interface Request {
  who: string;
  municipality?: string;
  role?: string;
  force: boolean;
}

/** The command. */
async function people(args: string[]): Promise<number> {
  const { values, positionals } = readOptions(
    USAGE,
    args,
    { ...OPTIONS, role: { type: "string" }, force: { type: "boolean", default: false } },
    true,
  );
  const [verb, who, ...others] = positionals;
  const { municipality, role, force } = values;
  if (
    !verb || !Object.hasOwn(VERBS, verb) || others.length > 0 || (who === undefined) !== (verb === "list")
  ) {
    throw new UsageError(USAGE);
  }
  if (role !== undefined && !ROLES.includes(role)) {
    throw new UsageError(`There is no role ${word(role)}. There is: ${ROLES.join(", ")}.`);
  }
  const request = { who: who === undefined ? "" : personIn(who), municipality, role, force };
  return await Registry.open(values, (registry) => VERBS[verb as keyof typeof VERBS](registry, request));
}

/** An e-mail address as Auth keeps it, or an id. */
function personIn(text: string): string {
  const who = text.toLowerCase();
  // plain letters only: one from another alphabet that looks the same would be another person
  if (/^[!-?A-~]+@[!-?A-~]+$/.test(who) || isId(who)) return who;
  throw new UsageError(`${word(text)} is neither an e-mail address (in plain letters) nor an account's id.`);
}

function isId(who: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(who);
}

async function list(registry: Registry, { municipality, role }: Request): Promise<number> {
  const accounts = await registry.tried(async (tx) => {
    if (municipality !== undefined) await municipalityOf(tx, municipality);
    return await listAccounts(tx, municipality, role);
  });
  const rows = accounts.map((account) => [
    account.slug ?? "–",
    word(account.role ?? "–"),
    word(nameOf(account)),
    account.last_sign_in ? `last sign-in ${account.last_sign_in}` : account.confirmed ? "" : "not confirmed",
  ]);
  for (const line of columns(rows)) console.log(line);
  console.log(rows.length === 1 ? "1 person" : `${rows.length} people`);
  return 0;
}

async function add(registry: Registry, { who, municipality, role }: Request): Promise<number> {
  if (municipality === undefined || role === undefined) throw new UsageError(USAGE);
  const give = async (tx: postgres.TransactionSql) => {
    const place = await municipalityOf(tx, municipality);
    const account = await accountOf(tx, who);
    if (!account) return { place, account };
    refuseOthers(account, place, role);
    const given = account.tenant_id === null; // or it is of this municipality and role already
    if (given) {
      await setAuthority(tx, account.id, { tenant_id: place.id, role });
      await recordPerson(registry, tx, account, place.id, undefined, role);
    }
    return { place, account, given };
  };

  const { place, account, given } = await registry.tried(give);
  if (!account && isId(who)) {
    throw new UsageError(`There is no account ${who}. Invite them by their address.`);
  }
  if (!account?.confirmed) {
    if (!registry.dryRun) await invite(registry, account?.email ?? who);
    console.log(
      `${registry.dryRun ? "would invite" : "invited"}  ${nameOf(account ?? { id: who })} by e-mail`,
    );
  } else if (given) console.log(`${nameOf(account)} has an account already, made on ${account.created}`);
  if (!registry.dryRun && !(await registry.change(give)).account) {
    throw new UsageError(`Auth has invited ${who}, but has no such account. Run this again.`);
  }
  const outcome = `${role} of ${word(place.name)}`;
  if (given || !account) return registry.conclude(`${who}: nothing → ${outcome}`);
  console.log(`${who} is ${outcome} already`);
  return 0;
}

/** Who is not to be given a municipality by `add`. */
function refuseOthers(account: Account, place: Municipality, role: string): void {
  if (!account.confirmed && account.has_password) {
    throw new UsageError(
      `Somebody registered ${
        nameOf(account)
      } with a password and never confirmed the address, so it may not be theirs. ` +
        "Delete the account (Dashboard → Authentication), then run this again, which invites them.",
    );
  }
  if (account.tenant_id === null || (account.tenant_id === place.id && account.role === role)) return;
  const elsewhere = account.tenant_id !== place.id;
  throw new UsageError(
    `${nameOf(account)} is ${word(account.role ?? "without a role")} of ${word(account.slug!)} already. ` +
      `To ${elsewhere ? "move them" : "change that"}: npm run people -- change ${nameOf(account)}${
        elsewhere ? ` --municipality ${place.slug}` : ""
      } --role ${role}`,
  );
}

async function change(registry: Registry, { who, municipality, role, force }: Request): Promise<number> {
  if (municipality === undefined && role === undefined) throw new UsageError(USAGE);
  const changed = await registry.change(async (tx) => {
    const account = await memberOf(tx, who);
    const place = await municipalityOf(tx, municipality ?? account.slug!);
    const moves = place.id !== account.tenant_id;
    if (moves && role === undefined) {
      throw new UsageError(`Say also which role they have in ${word(place.slug)}: --role ROLE.`);
    }
    if (!moves && (role === undefined || role === account.role)) return undefined;
    if (moves || role !== "admin") await refuseLastAdmin(tx, account, force);
    await setAuthority(tx, account.id, { tenant_id: place.id, role: role! });
    // each log has what concerns its municipality, and not where somebody came from or went
    if (moves) {
      await recordPerson(registry, tx, account, account.tenant_id!, account.role, undefined);
      await recordPerson(registry, tx, account, place.id, undefined, role);
    } else await recordPerson(registry, tx, account, place.id, account.role, role);
    return `${who}: ${authorityOf(account)} → ${role} of ${word(place.name)}`;
  });
  if (changed) {
    return registry.conclude(changed, [
      "it holds from their next token, within the hour or once they sign in again; until then they see what they saw",
    ]);
  }
  console.log(`${who} is that already: nothing to change`);
  return 0;
}

async function remove(registry: Registry, { who, force, role, municipality }: Request): Promise<number> {
  if (role !== undefined || municipality !== undefined) throw new UsageError(USAGE);
  const { account, sessions } = await registry.change(async (tx) => {
    const account = await memberOf(tx, who);
    await refuseLastAdmin(tx, account, force);
    await setAuthority(tx, account.id, null);
    await recordPerson(registry, tx, account, account.tenant_id!, account.role, undefined);
    return { account, sessions: await signOut(tx, account.id) };
  });
  return registry.conclude(`${who}: ${authorityOf(account)} → nothing`, [
    `signed out everywhere: ${sessions === 1 ? "1 session" : `${sessions} sessions`}`,
    "a token that they already hold works until it expires: an hour at most, unless the project set it longer",
    "the account stays and can see nothing; records name it",
  ]);
}

/** Somebody who has a municipality. */
async function memberOf(tx: postgres.TransactionSql, who: string): Promise<Account> {
  const account = await accountOf(tx, who);
  if (account?.tenant_id) return account;
  throw new UsageError(
    `${account ? `${who} belongs to no municipality` : `There is no account ${who}`}. ` +
      `npm run people -- add ${who} --municipality SLUG --role ROLE`,
  );
}

/** An admin more often goes before the next one came by mistake than on purpose, and then nobody there sees GBV reports. */
async function refuseLastAdmin(tx: postgres.TransactionSql, account: Account, force: boolean): Promise<void> {
  if (account.role !== "admin" || force || await otherAdmins(tx, account) > 0) return;
  throw new UsageError(
    `${nameOf(account)} is the last admin of ${
      word(account.slug!)
    } who can sign in. Add another one first, or say --force.`,
  );
}

async function recordPerson(
  registry: Registry,
  tx: postgres.TransactionSql,
  { id }: Account,
  municipality: string,
  before: string | null | undefined,
  after: string | undefined,
): Promise<void> {
  // a role that is no role of ours may be anything, a name too
  const known = before && !ROLES.includes(before) ? "unknown" : before;
  await registry.record(tx, municipality, "person_changed", {
    person: id,
    role_before: known ?? null,
    role_after: after ?? null,
  });
}

/** Auth's own invitation. Whoever follows it has an account without rights, until the transaction after it. */
async function invite({ environment }: Registry, email: string): Promise<void> {
  const { project } = connectProject(environment);
  const { auth } = createClient(project.url, project.key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const { error } = await auth.admin.inviteUserByEmail(email);
  if (!error) return;
  const sender =
    "give the project a mail server of yours: Dashboard → Authentication → Emails → SMTP Settings";
  const reasons: Record<string, string> = {
    over_email_send_rate_limit:
      `it has sent as many e-mails as it may for now. Try again in an hour, or ${sender}`,
    email_address_not_authorized: `its own mail server writes to the project's team alone: ${sender}`,
    email_address_invalid: "it takes that for no e-mail address",
    validation_failed: "it takes that for no e-mail address",
    unexpected_failure: "Dashboard → Logs → Auth says why; often it is the mail server's settings",
    not_admin: "SUPABASE_SECRET_KEY is no secret key",
    401: "SUPABASE_SECRET_KEY is not this project's",
    AuthRetryableFetchError: "it does not answer: is the project's URL right, is the project paused",
  };
  const { code = "", status, name } = error;
  const reason = reasons[code] ?? reasons[name] ?? reasons[`${status}`] ?? word(`${code || name} ${status}`);
  throw new UsageError(`Auth did not invite ${email}: ${reason}. Nothing was changed.`);
}

function nameOf({ id, email }: { id: string; email?: string | null }): string {
  return word(email || id);
}

function authorityOf({ role, name }: Account): string {
  return `${word(role ?? "no role")} of ${word(name!)}`;
}

await runCommand(people);
