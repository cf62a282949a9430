// Deploys this repository to a Supabase project, in an order that a running one survives: secrets, migrations, functions,
// schedule, smoke test. Every step can be repeated: after a failure, the same command continues. See docs/deploy.md.
// npm run deploy -- --project-ref REF [--env-file .env.production] [--db-url URL] [--replace NAME] [--yes]
//   [--patience SECONDS]
// Exit status: 0 all is well, 1 deployed with something left to do, 2 failed.
//
// Tried in the gate with the real CLI against a pretend Management API and the local stack. Only a hosted project can
// show: its bundler, Vault, pg_cron and pg_net, TLS to its database, that its list of secrets has SHA-256 digests, how long
// new secrets take to reach every isolate.
import { delay } from "deno-std/async/delay.js";
import type postgres from "postgres";
import { connectDatabase, databaseAnswers } from "./database.ts";
import { bundleFunctions, DIST } from "./deploy/bundle.ts";
import { SupabaseCli } from "./deploy/cli.ts";
import { setSchedule } from "./deploy/schedule.ts";
import {
  changed,
  conflictsOf,
  OPERATOR_SETTINGS,
  problemsOf,
  REPLACEABLE,
  secretsOf,
  type Settings,
} from "./deploy/settings.ts";
import { type Probe, probeFunctions } from "./probe.ts";
import { readOptions, readSettingsFile, runCommand, SETTINGS_FILE, UsageError } from "./project.ts";
import { tryStorage } from "./trial.ts";

const USAGE =
  `npm run deploy -- --project-ref REF [--env-file FILE] [--db-url URL] [--replace NAME] [--yes] [--patience SECONDS]

  --project-ref   the project's reference, 20 letters: Dashboard → Project Settings → General
  --env-file      the functions' secrets, NAME=VALUE a line; .env.production unless given. SUPABASE_ACCESS_TOKEN,
                  SUPABASE_DB_URL and SUPABASE_SECRET_KEY may be in it too, or in the environment
  --db-url        the database, in place of SUPABASE_DB_URL
  --replace       a key of the project that the file is meant to replace, though data lie under it (docs/runbook.md,
                  Keys leaked): ${REPLACEABLE.join(" or ")}
  --yes           do not ask
  --patience      how long new functions and secrets may take to arrive everywhere, 60 unless given`;

interface Options {
  ref: string;
  file: string;
  databaseUrl?: string;
  /** Names of secrets. */
  replace: string[];
  yes: boolean;
  /** Seconds. */
  patience: number;
}

async function deploy(args: string[]): Promise<number> {
  const { ref, file, databaseUrl, replace, yes, patience } = parse(args);
  const settings = readSettings(file, databaseUrl);
  const secrets = secretsOf(settings);
  refuse(
    `Fix this in ${file} or the environment (see docs/deploy.md), then run it again`,
    problemsOf(settings, ref),
  );

  const url = settings.PUBLIC_SUPABASE_URL!.replace(/\/$/, "");
  const cli = new SupabaseCli(ref, settings.SUPABASE_ACCESS_TOKEN!, hiddenOf(settings));
  const sql = connectDatabase(settings.SUPABASE_DB_URL!);
  let clean = true;
  const note = (todo: string | undefined) => {
    if (!todo) return;
    clean = false;
    console.log(`      → ${todo}`);
  };
  try {
    const digests = await step(1, "project", async () => {
      const [digests] = await Promise.all([cli.secretDigests(), databaseAnswers(sql)]);
      refuse("Nothing was changed, since data would be lost", await conflictsOf(secrets, digests, replace));
      return [digests, "it and its database answer"];
    });
    const changes = await changed(secrets, digests);
    if (!yes && !confirm(`Deploy to project ${ref}, ${url}? ${changes.length} secrets change.`)) {
      throw new UsageError("Nothing was changed. (Without a terminal, add --yes.)");
    }

    await step(2, "secrets", async () => {
      if (changes.length === 0) return [undefined, `all ${Object.keys(secrets).length} unchanged`];
      await cli.setSecrets(file);
      refuse(
        `These did not arrive as ${file} has them: put the value in single quotes`,
        await changed(secrets, await cli.secretDigests()),
      );
      return [undefined, `set: ${changes.join(", ")}`];
    });
    await step(3, "migrations", async () => {
      const applied = await cli.pushMigrations(settings.SUPABASE_DB_URL!);
      return [undefined, applied ? `${applied} applied` : "up to date"];
    });
    // after the migrations: functions of before work with the new schema, new ones not with that of before
    await step(4, "functions", async () => {
      const names = await bundleFunctions();
      return [await cli.deployFunctions(DIST), `${names.length} bundled and deployed`];
    });
    const schedule = await step(5, "schedule", async () => {
      const result = await setSchedule(
        sql,
        `${url}/functions/v1/media-worker`,
        settings.MEDIA_WORKER_KEY!,
      );
      return [result, result.done];
    });
    note(schedule.todo);

    const probes = await step(6, "smoke test", async () => {
      const probes = await probePatiently(settings, url, patience);
      return [probes, `${probes.filter(({ ok }) => ok).length} of ${probes.length} right`];
    });
    for (const { name, ok, found, todo } of probes) {
      console.log(`      ${ok ? "ok" : "NO"}  ${name}: ${found}`);
      note(todo);
    }
    if (await noNumbers(sql)) {
      console.log("\nNo WhatsApp number is assigned yet: npm run numbers; see docs/deploy.md, step 3.");
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
  console.log(
    clean
      ? "\nDeployed."
      : "\nDeployed, but something is left to do: see → above. It is safe to run the command again.",
  );
  return clean ? 0 : 1;
}

/** Shows a step with its time. Its work returns a result and what to say about it. */
async function step<T>(number: number, name: string, work: () => Promise<[T, string]>): Promise<T> {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(7);
  console.log(`${number}/6  ${name} …`);
  try {
    const [result, said] = await work();
    console.log(`${seconds()}  ${said}`);
    return result;
  } catch (error) {
    console.log(`${seconds()}  did not work`);
    throw error;
  }
}

function refuse(what: string, problems: string[]): void {
  if (problems.length > 0) throw new UsageError([`${what}:`, ...problems].join("\n  - "));
}

/** Tries again while something is wrong: a new function or secret takes some seconds to be everywhere. */
async function probePatiently(settings: Settings, url: string, patience: number): Promise<Probe[]> {
  const end = performance.now() + patience * 1000;
  while (true) {
    const secretKey = settings.SUPABASE_SECRET_KEY!;
    const storage = tryStorage({ url, secretKey });
    const probes = await probeFunctions({
      url,
      secretKey,
      webhookUrl: settings.TWILIO_WEBHOOK_URL,
      twilioAccountSid: settings.TWILIO_ACCOUNT_SID,
      twilioAuthToken: settings.TWILIO_AUTH_TOKEN,
    });
    probes.push(await storage);
    if (probes.every(({ ok }) => ok) || performance.now() > end) return probes;
    await delay(3000);
  }
}

async function noNumbers(sql: postgres.Sql): Promise<boolean> {
  const [row] = await sql`select exists (select from public.whatsapp_numbers) as some`;
  return !row!.some;
}

/** The file's settings; the operator's own also from the environment, which comes first. */
function readSettings(file: string, databaseUrl: string | undefined): Settings {
  const settings: Settings = readSettingsFile(file);
  for (const name of OPERATOR_SETTINGS) {
    const value = Deno.env.get(name);
    if (value) settings[name] = value;
  }
  if (databaseUrl) settings.SUPABASE_DB_URL = databaseUrl;
  return settings;
}

/** What must not be shown if the CLI repeats it. */
function hiddenOf(settings: Settings): string[] {
  const open = ["PUBLIC_SUPABASE_URL", "ALLOWED_ORIGINS", "TWILIO_WEBHOOK_URL", "TWILIO_DELETE_MEDIA"];
  const password = new URL(settings.SUPABASE_DB_URL!).password;
  const values = Object.entries(settings).filter(([name]) => !open.includes(name)).map(([, value]) => value);
  return [...values, password, decodeURIComponent(password)].filter((value) => value.length > 5);
}

function parse(args: string[]): Options {
  const { values } = readOptions(USAGE, args, {
    "project-ref": { type: "string", default: "" },
    "env-file": { type: "string", default: SETTINGS_FILE },
    "db-url": { type: "string" },
    replace: { type: "string", multiple: true, default: [] },
    patience: { type: "string", default: "60" },
    yes: { type: "boolean", default: false },
  });
  const { "project-ref": ref, "env-file": file, "db-url": databaseUrl, replace, yes } = values;
  const patience = Number(values.patience);
  const meant = replace.every((name) => REPLACEABLE.includes(name));
  if (!/^[a-z]{20}$/.test(ref) || !(patience >= 0) || !meant) throw new UsageError(USAGE);
  return { ref, file, databaseUrl, replace, yes, patience };
}

await runCommand(deploy);
