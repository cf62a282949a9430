/**
 * Every setting of the functions: its name, what it is, its form, and which function needs it. The functions, the deploy,
 * the doctor and README's table all read them from here.
 */
import * as z from "zod/mini";
import { failure, type ServiceError } from "./errors.ts";

/** Where variables come from: `Deno.env`, or a Map in a test. */
export interface Variables {
  get(name: string): string | undefined;
}

export const FUNCTION_NAMES = [
  "upload-url",
  "signed-url",
  "twilio-media",
  "open-report",
  "media-worker",
] as const;
export type FunctionName = typeof FUNCTION_NAMES[number];

const text = z.string().check(z.minLength(1));
const withoutSlash = z.pipe(text, z.transform((url) => url.replace(/\/+$/, "")));
const fernetKey = text.check(
  z.regex(/^[A-Za-z0-9_-]{43}=?$/, "it is not a Fernet key (base64url of 32 bytes)"),
);
const list = z.pipe(
  text,
  z.transform((value) => value.split(",").map((entry) => entry.trim()).filter(Boolean)),
);

/** JSON of the schema's type. */
function json<Schema extends z.ZodMiniType>(schema: Schema) {
  return z.pipe(
    z.pipe(
      text,
      z.transform((value, context) => {
        try {
          return JSON.parse(value) as unknown;
        } catch {
          context.issues.push({ code: "custom", message: "it is not JSON", input: "" });
          return z.NEVER;
        }
      }),
    ),
    schema,
  );
}

/** Keys of the new form, by name. Calls are made with the one called default. */
const keys = json(z.intersection(z.record(z.string(), text), z.object({ default: text })));

/** As Auth publishes its keys, or the bare list. */
const Key = z.looseObject({ kty: z.string() });
export const Jwks = z.union([
  z.object({ keys: z.array(Key) }),
  z.pipe(z.array(Key), z.transform((keys) => ({ keys }))),
]);

/** The secrets that an operator sets, and the form of each. */
export const SECRETS = {
  PUBLIC_SUPABASE_URL: withoutSlash,
  ALLOWED_ORIGINS: list,
  TWILIO_ACCOUNT_SID: text,
  TWILIO_AUTH_TOKEN: text,
  TWILIO_WEBHOOK_URL: text.check(z.refine((url) => URL.canParse(url), "it is not a URL")),
  ENCRYPTION_KEY_CURRENT: fernetKey,
  SENDER_HASH_KEY: text.check(z.minLength(32, "it must have at least 32 characters")),
  MEDIA_WORKER_KEY: text.check(z.minLength(32, "it must have at least 32 characters")),
  CUSTODY_SIGNING_KEY: text.check(z.regex(/^[A-Za-z0-9+/]{43}=$/, "it is not base64 of 32 bytes")),
  ENCRYPTION_KEY_PREVIOUS: fernetKey,
  TWILIO_AUTH_TOKEN_PREVIOUS: text,
  TWILIO_API_KEY_SID: text,
  TWILIO_API_KEY_SECRET: text,
  TWILIO_SHARED_KEY_SECRET: text,
  // anything but true keeps Twilio's copy: a typing error must not cost a resident's message
  TWILIO_DELETE_MEDIA: z.pipe(text, z.transform((value) => value === "true")),
  TIMESTAMP_URLS: list,
  READ_BACK_DAYS: z.pipe(
    text.check(z.regex(/^[1-9]\d{0,3}$/, "it must be a number of days")),
    z.transform(Number),
  ),
};
export type SecretName = keyof typeof SECRETS;

/** What the platform sets by itself, in the new form and the legacy one. */
const PLATFORM = {
  SUPABASE_URL: withoutSlash,
  SUPABASE_PUBLISHABLE_KEYS: keys,
  SUPABASE_SECRET_KEYS: keys,
  SUPABASE_JWKS: json(Jwks),
  SUPABASE_ANON_KEY: text,
  SUPABASE_SERVICE_ROLE_KEY: text,
};

const ALL = { ...SECRETS, ...PLATFORM };
type Name = keyof typeof ALL;
type Value<N extends Name> = z.infer<typeof ALL[N]>;

const DASHBOARD_CALLS = ["upload-url", "signed-url", "open-report"] as const;
const MESSAGES = ["twilio-media", "media-worker"] as const;
const RANDOM = "a new one: openssl rand -base64 32";

interface Description {
  /** What it is, for README's table. */
  about: string;
  /** Where an operator finds it. `REF` stands for the project's reference. */
  where: string;
  /** Functions that answer 503 without it; none for an optional setting. */
  neededBy: readonly FunctionName[];
}

/** The secrets in the order in which README and the deploy name them. */
export const DESCRIPTIONS: Record<SecretName, Description> = {
  PUBLIC_SUPABASE_URL: {
    about: "the project's URL for browsers; signed URLs use it",
    where: "https://REF.supabase.co, or the project's custom domain",
    neededBy: ["upload-url", "signed-url"],
  },
  ALLOWED_ORIGINS: {
    about: "the dashboards' origins, separated by commas",
    where: "the dashboards' origins, separated by commas: https://dashboard.example",
    neededBy: [...DASHBOARD_CALLS],
  },
  TWILIO_ACCOUNT_SID: {
    about: "the Twilio account",
    where: "console.twilio.com → Account Info",
    neededBy: [...MESSAGES],
  },
  TWILIO_AUTH_TOKEN: {
    about: "the account's token; checks the webhook's signature",
    where: "console.twilio.com → Account Info",
    neededBy: [...MESSAGES],
  },
  TWILIO_WEBHOOK_URL: {
    about: "the webhook's URL, exactly as entered at Twilio",
    where: "https://REF.supabase.co/functions/v1/twilio-media",
    neededBy: ["twilio-media"],
  },
  ENCRYPTION_KEY_CURRENT: {
    about: "Fernet key that seals messages: `openssl rand -base64 32 \\| tr '+/' '-_'`",
    where: `${RANDOM} | tr '+/' '-_'`,
    neededBy: [...MESSAGES, "open-report"],
  },
  SENDER_HASH_KEY: {
    about:
      "finds a sender's open ticket: `openssl rand -base64 32`. Change it only if it [leaked](docs/runbook.md#keys-leaked): " +
      "follow-ups then open new tickets",
    where: RANDOM,
    neededBy: ["twilio-media"],
  },
  MEDIA_WORKER_KEY: {
    about: "lets the schedule call the media worker, and nothing else: `openssl rand -base64 32`",
    where: RANDOM,
    neededBy: ["media-worker"],
  },
  CUSTODY_SIGNING_KEY: {
    about: "signs custody checkpoints (an Ed25519 seed): `openssl rand -base64 32`",
    where: RANDOM,
    neededBy: [],
  },
  ENCRYPTION_KEY_PREVIOUS: {
    about: "the previous key, [until a rotation is complete](docs/runbook.md#keys-leaked)",
    where: "",
    neededBy: [],
  },
  TWILIO_AUTH_TOKEN_PREVIOUS: {
    about: "the previous auth token, [during a rotation](docs/runbook.md#rotating-the-twilio-auth-token)",
    where: "",
    neededBy: [],
  },
  TWILIO_API_KEY_SID: { about: "an API key to download media with", where: "", neededBy: [] },
  TWILIO_API_KEY_SECRET: { about: "the API key's secret", where: "", neededBy: [] },
  TWILIO_SHARED_KEY_SECRET: {
    about: "the shared key of a Webhooks Rule, if one signs the webhook",
    where: "",
    neededBy: [],
  },
  TWILIO_DELETE_MEDIA: {
    about: "`true` deletes Twilio's copy once the stored bytes were read back and match",
    where: "",
    neededBy: [],
  },
  TIMESTAMP_URLS: {
    about: "RFC 3161 authorities that time-stamp the checkpoints, separated by commas",
    where: "",
    neededBy: [],
  },
  READ_BACK_DAYS: {
    about: "how often each stored file is read back against its hash, in days; default 90",
    where: "",
    neededBy: [],
  },
};

export const SECRET_NAMES = Object.keys(SECRETS) as SecretName[];

/** Secrets without which some function answers 503. */
export const REQUIRED_SECRETS = SECRET_NAMES.filter((name) => DESCRIPTIONS[name].neededBy.length > 0);

/** What is wrong with a secret's form, if anything. The value is never repeated. */
export function formProblem(name: SecretName, value: string): string | undefined {
  const result = SECRETS[name].safeParse(value);
  return result.success ? undefined : result.error.issues[0]!.message;
}

/** The variable's value, or undefined where it is missing or empty. Throws `not_configured` for one of another form. */
export function optional<N extends Name>(variables: Variables, name: N): Value<N> | undefined {
  const value = variables.get(name);
  if (!value) return undefined;
  const result = ALL[name].safeParse(value);
  // no cause: zod's error may quote the value
  if (!result.success) throw notConfigured(name);
  return result.data as Value<N>;
}

/** The variable's value. Throws `not_configured` where it is missing, empty or of another form. */
export function required<N extends Name>(variables: Variables, name: N): Value<N> {
  const value = optional(variables, name);
  if (value === undefined) throw notConfigured(name);
  return value;
}

/** The error for a setting that is missing or of no use. Its caller learns only the code, the log its name. */
export function notConfigured(name: string, cause?: unknown): ServiceError {
  const ofPlatform = name.startsWith("SUPABASE_") && name !== "SUPABASE_JWKS";
  return failure(ofPlatform ? "storage_not_configured" : "not_configured", { log: name, cause });
}
