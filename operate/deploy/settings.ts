/** What a deploy needs to know, and what is wrong with it. Values are judged here and never shown. */
import {
  DESCRIPTIONS,
  formProblem,
  REQUIRED_SECRETS,
  SECRET_NAMES,
  type SecretName,
} from "../../shared/platform/settings.ts";
import { databaseUrlProblem, isLoopback } from "../database.ts";

/** The settings of a deploy, by name: the functions' secrets, and three that stay with the operator. */
export type Settings = Record<string, string>;

interface Setting {
  optional?: true;
  /** Where to find it. */
  where: string;
  /** What is wrong with the value, if anything. */
  check?: Check;
}

type Check = (value: string, ref: string) => string | undefined;

const DASHBOARD = "Dashboard → Project Settings";
const WEBHOOK_PATH = "/functions/v1/twilio-media";

/** The operator's own: they are no secrets of the functions. */
const OPERATORS: Record<string, Setting> = {
  SUPABASE_ACCESS_TOKEN: {
    where: "Dashboard → Account → Access Tokens",
    check: (value) => value.startsWith("sbp_") ? undefined : "an access token begins with sbp_",
  },
  SUPABASE_DB_URL: { where: "Dashboard → Connect → Session pooler; or --db-url URL", check: checkDatabase },
  SUPABASE_SECRET_KEY: {
    where: `${DASHBOARD} → API keys, a secret key`,
    check: (value) => /^(sb_secret_|eyJ)/.test(value) ? undefined : "a secret key begins with sb_secret_",
  },
};

/** Stricter than the functions are: what is certainly wrong on this project, before it gets there. */
const CHECKS: Partial<Record<SecretName, Check>> = {
  PUBLIC_SUPABASE_URL: (value, ref) => checkUrl(value, ref, ["", "/"]),
  ALLOWED_ORIGINS: checkOrigins,
  TWILIO_ACCOUNT_SID: (value) =>
    /^AC[0-9a-f]{32}$/i.test(value) ? undefined : "it must be AC and 32 hexadecimal digits",
  TWILIO_AUTH_TOKEN: checkAuthToken,
  TWILIO_AUTH_TOKEN_PREVIOUS: checkAuthToken,
  TWILIO_WEBHOOK_URL: (value, ref) => checkUrl(value, ref, [WEBHOOK_PATH]),
  TWILIO_API_KEY_SID: (value) =>
    /^SK[0-9a-f]{32}$/i.test(value) ? undefined : "it must be SK and 32 hexadecimal digits",
  TWILIO_DELETE_MEDIA: (value) => ["true", "false"].includes(value) ? undefined : "it must be true or false",
};

const SETTINGS: Record<string, Setting> = {
  ...OPERATORS,
  ...Object.fromEntries(SECRET_NAMES.map((name): [string, Setting] => [name, {
    ...REQUIRED_SECRETS.includes(name) ? {} : { optional: true },
    where: DESCRIPTIONS[name].where,
    check: (value, ref) => CHECKS[name]?.(value, ref) ?? formProblem(name, value),
  }])),
};

/** Names of the operator's own settings. */
export const OPERATOR_SETTINGS = Object.keys(OPERATORS);

/** The functions' secrets among the settings. The platform takes no names that begin with SUPABASE_. */
export function secretsOf(settings: Settings): Settings {
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => !name.startsWith("SUPABASE_") && value !== ""),
  );
}

/** All that is missing or malformed, a sentence each, for the project `ref`. */
export function problemsOf(settings: Settings, ref: string): string[] {
  const problems: string[] = [];
  for (const [name, { optional, where, check }] of Object.entries(SETTINGS)) {
    const value = settings[name];
    if (value) {
      const wrong = check?.(value, ref);
      if (wrong) problems.push(`${name}: ${wrong}.`);
    } else if (!optional) problems.push(`${name} is not set (${where.replace("REF", ref)}).`);
  }
  if (settings.TWILIO_API_KEY_SID && !settings.TWILIO_API_KEY_SECRET) {
    problems.push("TWILIO_API_KEY_SECRET is not set, but TWILIO_API_KEY_SID is.");
  }
  return problems;
}

/** `digests` are SHA-256 of the project's secrets, in hex, by name. */
export type Digests = Record<string, string>;

/** Secrets that a deploy replaces only when it is told to: what lies under the old value stays, and is no longer found or read. */
export const REPLACEABLE = ["SENDER_HASH_KEY", "ENCRYPTION_KEY_PREVIOUS"];

/**
 * What of the new secrets would lose data, a sentence each with what to do instead: another SENDER_HASH_KEY makes every
 * follow-up open a new ticket, and without its key nothing can be read that it sealed. `replace` names those of REPLACEABLE
 * for which it is meant.
 */
export async function conflictsOf(
  secrets: Settings,
  digests: Digests,
  replace: string[] = [],
): Promise<string[]> {
  const problems: string[] = [];
  const changes = await changed(secrets, digests);
  const wouldReplace = (name: string) =>
    digests[name] !== undefined && changes.includes(name) && !replace.includes(name);
  const meant = (name: string) => `If you mean it, add --replace ${name}.`;

  if (wouldReplace("SENDER_HASH_KEY")) {
    problems.push(
      "SENDER_HASH_KEY: the project has another one; with yours, residents' follow-ups would open new tickets. " +
        `Put the project's key into your file. ${meant("SENDER_HASH_KEY")}`,
    );
  }
  const previous = secrets.ENCRYPTION_KEY_PREVIOUS;
  const rotates = previous !== undefined && await sha256(previous) === digests.ENCRYPTION_KEY_CURRENT;
  if (wouldReplace("ENCRYPTION_KEY_CURRENT") && !rotates) {
    problems.push(
      "ENCRYPTION_KEY_CURRENT: the project has another one, which sealed what was received so far. To rotate it, set " +
        "ENCRYPTION_KEY_PREVIOUS to the project's; otherwise put that back into your file.",
    );
  }
  if (wouldReplace("ENCRYPTION_KEY_PREVIOUS")) {
    problems.push(
      "ENCRYPTION_KEY_PREVIOUS: the project has another one; the functions could no longer read what it sealed. " +
        `Keep that key in a safe. ${meant("ENCRYPTION_KEY_PREVIOUS")}`,
    );
  }
  return problems;
}

/** Names of the secrets that the project does not have, or has with another value. */
export async function changed(secrets: Settings, digests: Digests): Promise<string[]> {
  const names: string[] = [];
  for (const [name, value] of Object.entries(secrets)) {
    if (await sha256(value) !== digests[name]) names.push(name);
  }
  return names;
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}

/** A host of Supabase's must be this project's; http is for this machine only. */
function checkUrl(text: string, ref: string, paths: string[]): string | undefined {
  const url = URL.parse(text);
  if (!url || !text.startsWith(url.origin)) return "it is not a URL";
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) return "it must begin with https://";
  if (!paths.includes(text.slice(url.origin.length))) {
    return `after the host it must be ${paths[0] ? `exactly ${paths[0]}` : "empty"}`;
  }
  if (url.hostname.endsWith(".supabase.co") && url.hostname !== `${ref}.supabase.co`) {
    return "it belongs to another project";
  }
}

function checkOrigins(text: string): string | undefined {
  const bad = text.split(",").map((entry) => entry.trim())
    .filter((entry) => entry !== "*" && URL.parse(entry)?.origin !== entry);
  if (text.includes("*") && text.trim() !== "*") {
    return "patterns do not work: name each origin, or use * alone";
  }
  if (bad.length > 0) return "each must be an origin: scheme and host, no path and no slash at the end";
}

function checkDatabase(text: string, ref: string): string | undefined {
  const problem = databaseUrlProblem(text);
  if (problem) return `it ${problem}`;
  const url = new URL(text);
  if (/\[.*\]/.test(decodeURIComponent(url.password))) {
    return "replace [YOUR-PASSWORD] with the database's password";
  }
  if (/\.supabase\.(co|com)$/.test(url.hostname)) {
    if (!url.hostname.includes(ref) && !url.username.endsWith(`.${ref}`)) {
      return "it belongs to another project";
    }
    if (url.port === "6543") return "use the session pooler (port 5432): migrations need a session";
  }
}

function checkAuthToken(value: string): string | undefined {
  return /^[0-9a-f]{32}$/i.test(value) ? undefined : "it must be 32 hexadecimal digits";
}
