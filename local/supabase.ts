/** Starts and stops the whole stand-in; used by main.ts and by tests. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type postgres from "postgres";
import { makeAuth } from "./auth.ts";
import {
  changed,
  type FunctionConfig,
  type Functions,
  readFunctionConfig,
  startFunctions,
} from "./functions.ts";
import { startGateway } from "./gateway.ts";
import { type AllKeys, makeKeys, random } from "./keys.ts";
import { type Database, startPostgres } from "./postgres.ts";
import { makeRealtime } from "./realtime.ts";
import { makeRest } from "./rest.ts";
import { makeScratch, type Scratch } from "./scratch.ts";
import { makeStorage } from "./storage.ts";
import { startTwilio as startPretendTwilio } from "./twilio.ts";
import type { Context, Handler, LoginRole } from "./types.ts";

type Log = (line: string) => void;

export interface Options {
  /** The gateway's port; default a free one. */
  port?: number;
  /** The pretend Twilio's port; default a free one. */
  twilioPort?: number;
  /** `false`: start none. Else another config.toml's functions; default those of supabase/config.toml. */
  functions?: false | { config?: string };
  /** Changes to every function's environment; `undefined` leaves a variable out. */
  functionEnv?: Record<string, string | undefined>;
  /** Another Deno binary for the functions; default $LOCAL_FUNCTIONS_DENO, else Edge Runtime's version. */
  functionsDeno?: string;
  /** Another directory of migrations; `false`: apply none. */
  migrations?: string | false;
  /** `false`: run no supabase/seed.sql. */
  seed?: boolean;
  /** Calls the media worker every so many seconds, as pg_cron does each minute; default: never. */
  workerSeconds?: number;
  /** Progress lines. */
  log?: Log;
  /** Lines the functions write. */
  onFunctionLine?: (line: string) => void;
}

export interface Supabase {
  url: string;
  keys: AllKeys;
  /** What `run` gives its command: addresses, keys, function secrets, DEMO_PASSWORD. */
  env: Record<string, string>;
  /** Emails of the seeded users. */
  users: string[];
  /** Scratch directory; removed at stop. */
  directory: string;
  /** Environment that every process started for this run should carry: the keeper ends those. */
  mark: Record<string, string>;
  /** Undefined when started with `functions: false`. */
  functions?: Functions;
  connect(role: LoginRole): postgres.Sql;
  /** As a crash of the database's machine; resolves when it takes connections again. */
  restartDatabase(): Promise<void>;
  /** What goes wrong, set by tests while it should. */
  faults: Faults;
  stop(): Promise<void>;
}

export interface Faults {
  /** Sees each request to Storage first; what it returns is the answer. `serve` is the real service. */
  storage?: (request: Request, serve: Handler) => Promise<Response | undefined>;
}

/** A start that failed for a reason the user can mend: its message says all. */
export class StartError extends Error {}

const root = new URL("..", import.meta.url).pathname;
const dashboardOrigins = "http://127.0.0.1:5173,http://localhost:5173";

export async function startSupabase(options: Options = {}): Promise<Supabase> {
  const log = options.log ?? (() => {});
  // Everything started, newest last; stopped in reverse.
  const started: (() => Promise<void>)[] = [];
  async function stop() {
    for (const end of started.splice(0).reverse()) await end();
  }

  try {
    const scratch = await makeScratch();
    started.push(scratch.remove);

    const gateway = startGateway(options.port ?? 0);
    started.push(gateway.stop);
    const { url } = gateway;
    const keys = await makeKeys(`${url}/auth/v1`);
    log(`gateway on ${url}`);

    const databaseStarting = startPostgres(scratch);
    databaseStarting.catch(() => {}); // awaited below, after Twilio
    const secrets = makeSecrets(url);
    const twilio = await startTwilio(secrets, options.twilioPort);
    started.push(twilio.stop);

    const database = await databaseStarting;
    started.push(database.close);
    log(`Postgres on 127.0.0.1:${database.port}`);

    // Functions only need to know addresses: they start while migrations run.
    const functionsStarting = options.functions === false ? undefined : startOwnFunctions(options, {
      env: changed({ ...functionEnv(url, keys, database), ...secrets }, options.functionEnv),
      mark: scratch.mark,
      twilioUrl: twilio.url,
      directory: scratch.directory,
    }, log);
    functionsStarting?.catch(() => {});
    if (functionsStarting) started.push(async () => (await functionsStarting.catch(() => undefined))?.stop());

    await loadPlatform(database);
    log("platform's roles and schemas made");
    if (options.migrations !== false) {
      const applied = await migrate(database, scratch, options.migrations);
      log(applied ? "migrations applied by the Supabase CLI" : "no migrations to apply");
    }
    const seeded = options.seed !== false && await runSeed(database);
    const password = random(16);
    const users = await setPasswords(database, password);
    if (seeded) log(`supabase/seed.sql run, ${users.length} users`);

    const context: Context = { url, keys, connect: database.connect, directory: scratch.directory };
    const functions = await functionsStarting;
    gateway.useKeys(keys, (name) => functions?.verifyJwt(name) ?? true);
    if (functions) gateway.mount("functions", functions.handle);
    gateway.mount("auth", makeAuth(context));
    gateway.mount("rest", await makeRest(context));
    const faults: Faults = {};
    const storage = await makeStorage(context);
    gateway.mount(
      "storage",
      async (request) => await faults.storage?.(request, storage) ?? await storage(request),
    );
    const realtime = await makeRealtime(context);
    started.push(realtime.stop);
    gateway.mount("realtime", realtime.handle);
    if (functions && options.workerSeconds) {
      started.push(startTimer(url, secrets.MEDIA_WORKER_KEY!, options.workerSeconds));
    }
    log("ready");

    const env = {
      SUPABASE_URL: url,
      SUPABASE_PUBLISHABLE_KEY: keys.publishable,
      SUPABASE_SECRET_KEY: keys.secret,
      SUPABASE_DB_URL: database.url("postgres"),
      SUPABASE_JWKS: JSON.stringify(keys.jwks),
      SUPABASE_ANON_KEY: keys.anonToken,
      SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleToken,
      ...secrets,
      DEMO_PASSWORD: password,
      PRETEND_TWILIO_URL: twilio.url,
    };
    const { directory, mark } = scratch;
    const { connect, restart: restartDatabase } = database;
    return { url, keys, env, users, directory, mark, functions, connect, restartDatabase, faults, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Function secrets of this run, as `supabase secrets set` would give them. */
function makeSecrets(url: string): Record<string, string> {
  const bytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
  return {
    TWILIO_ACCOUNT_SID: `AC${bytes(16).toHex()}`,
    TWILIO_AUTH_TOKEN: bytes(16).toHex(),
    TWILIO_WEBHOOK_URL: `${url}/functions/v1/twilio-media`,
    CUSTODY_SIGNING_KEY: bytes(32).toBase64(),
    MEDIA_WORKER_KEY: bytes(32).toBase64(),
    ENCRYPTION_KEY_CURRENT: bytes(32).toBase64({ alphabet: "base64url" }),
    SENDER_HASH_KEY: bytes(32).toBase64(),
    ALLOWED_ORIGINS: dashboardOrigins,
    PUBLIC_SUPABASE_URL: url,
  };
}

/** The variables that the platform itself sets. */
function functionEnv(url: string, keys: AllKeys, database: Database): Record<string, string> {
  return {
    SUPABASE_URL: url,
    SUPABASE_DB_URL: database.url("postgres"),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishable }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secret }),
    SUPABASE_JWKS: JSON.stringify(keys.jwks),
    SUPABASE_ANON_KEY: keys.anonToken,
    SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleToken,
    SB_REGION: "local",
    SB_EXECUTION_ID: crypto.randomUUID(),
  };
}

/** The pretend Twilio posts to the webhook's URL and answers for Twilio's hosts. */
function startTwilio(secrets: Record<string, string>, port?: number) {
  return startPretendTwilio({
    accountSid: secrets.TWILIO_ACCOUNT_SID!,
    authToken: secrets.TWILIO_AUTH_TOKEN!,
    webhookUrl: secrets.TWILIO_WEBHOOK_URL!,
    port,
  });
}

/** What pg_cron and pg_net do on the platform; rounds at once do each other no harm. */
function startTimer(url: string, key: string, seconds: number): () => Promise<void> {
  let call: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    call ??= fetch(`${url}/functions/v1/media-worker`, { method: "POST", headers: { apikey: key } })
      .then((response) => response.body?.cancel(), () => {}) // the function's log says what went wrong
      .finally(() => call = undefined);
  }, seconds * 1000);
  return async () => {
    clearInterval(timer);
    await call;
  };
}

/** Functions whose file is not there yet are left out, with a word about it. */
async function startOwnFunctions(
  options: Options,
  given: Omit<Parameters<typeof startFunctions>[0], "functions" | "deno" | "onLine">,
  log: Log,
) {
  const configPath = (options.functions || {}).config ?? join(root, "supabase/config.toml");
  const functions: FunctionConfig[] = [];
  for (const config of await readFunctionConfig(configPath)) {
    if (existsSync(config.entrypoint)) functions.push(config);
    else log(`function ${config.name} skipped: there is no ${config.entrypoint}`);
  }
  const running = await startFunctions({
    ...given,
    functions,
    deno: options.functionsDeno ?? Deno.env.get("LOCAL_FUNCTIONS_DENO"),
    onLine: options.onFunctionLine,
  });
  log(`functions up: ${running.names.join(", ") || "none"}`);
  return running;
}

async function loadPlatform(database: Database): Promise<void> {
  const directory = join(root, "local/platform");
  const files = Array.from(Deno.readDirSync(directory), (entry) => entry.name).filter((name) =>
    name.endsWith(".sql")
  );
  const connection = await database.connect("supabase_admin").reserve();
  try {
    for (const file of files.sort()) {
      try {
        await connection.unsafe(await Deno.readTextFile(join(directory, file)));
      } catch (error) {
        throw new Error(`local/platform/${file}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      }
    }
  } finally {
    connection.release();
  }
}

/** Applies migrations the way a developer does; in a project folder of its own, for the CLI writes into it. */
async function migrate(
  database: Database,
  scratch: Scratch,
  migrations = join(root, "migrations"),
): Promise<boolean> {
  const files = Array.from(Deno.readDirSync(migrations), (entry) => entry.name);
  if (!files.some((name) => name.endsWith(".sql"))) return false;

  const project = join(scratch.directory, "project");
  await Deno.mkdir(join(project, "supabase"), { recursive: true });
  await Deno.copyFile(join(root, "supabase/config.toml"), join(project, "supabase/config.toml"));
  await Deno.symlink(resolve(migrations), join(project, "supabase/migrations"));
  const cli = await new Deno.Command(join(root, "node_modules/.bin/supabase"), {
    args: ["db", "push", `--remote=${database.url("postgres")}`, "--yes", "--workdir", project],
    env: { ...scratch.mark, SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (!cli.success) {
    const said = new TextDecoder().decode(cli.stdout) + new TextDecoder().decode(cli.stderr);
    throw new StartError(
      `A migration failed. The Supabase CLI says:\n\n${said.trim()}\n\nCorrect the file in ${migrations} and start again.`,
    );
  }
  return true;
}

/** Runs supabase/seed.sql as the role that migrations run as. */
async function runSeed(database: Database): Promise<boolean> {
  const path = join(root, "supabase/seed.sql");
  if (!existsSync(path)) return false;
  try {
    await database.connect("postgres").unsafe(await Deno.readTextFile(path));
  } catch (error) {
    throw new StartError(`${path} failed: ${error instanceof Error ? error.message : error}`);
  }
  return true;
}

/** Gives every user of the seed the run's password; returns their emails. */
async function setPasswords(database: Database, password: string): Promise<string[]> {
  const sql = database.connect("supabase_admin");
  const users = await sql`
    update auth.users set encrypted_password = extensions.crypt(${password}, extensions.gen_salt('bf', 4))
    returning email`;
  return users.map((user) => user.email as string).sort();
}
