// Checks on a real project, before anybody relies on it, what our tests assume: who sees which ticket and file, that no route
// changes a stored file, that an upload with a user's own token lands. It creates two municipalities with twelve users and leaves
// their evidence, which nobody can delete: use a throwaway project.
// npm run contract -- --project-ref REF [--env-file FILE] [--yes]
// Exit status: 0 as expected, 1 not as expected, 2 not checked.
import { createClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import {
  connectDatabase,
  databaseAnswers,
  databaseProject,
  isLoopback,
  refuseTwoProjects,
} from "./database.ts";
import {
  connectProject,
  needed,
  operatorEnvironment,
  readOptions,
  runCommand,
  UsageError,
} from "./project.ts";
import { ROLES } from "./registry.ts";

const USAGE = `npm run contract -- --project-ref REF [--env-file FILE] [--yes]

  --project-ref   the project's reference; "local" for one on this machine
  --env-file      PUBLIC_SUPABASE_URL, SUPABASE_SECRET_KEY, SUPABASE_PUBLISHABLE_KEY and SUPABASE_DB_URL; .env.production
                  unless given, and what it does not have from the environment
  --yes           do not ask`;

const ROOT = new URL("../", import.meta.url);
/** As supabase/seed.sql has them. */
const MUNICIPALITIES = {
  mbombela: "a1b0de1a-0000-4000-8000-000000000001",
  polokwane: "b0107a1e-0000-4000-8000-000000000002",
};

async function contract(args: string[]): Promise<number> {
  const { values } = readOptions(USAGE, args, {
    "project-ref": { type: "string" },
    "env-file": { type: "string" },
    yes: { type: "boolean", default: false },
  });
  const ref = values["project-ref"];
  if (!ref) throw new UsageError(USAGE);
  const environment = operatorEnvironment(values["env-file"]);
  const { project: { url, key } } = connectProject(environment);
  const publishable = needed(
    environment,
    "SUPABASE_PUBLISHABLE_KEY",
    "Dashboard → Project Settings → API keys",
  );
  const databaseUrl = needed(environment, "SUPABASE_DB_URL", "Dashboard → Connect → Session pooler");
  refuseTwoProjects(url, databaseUrl);
  if (refOf(url, databaseUrl) !== ref) {
    throw new UsageError(`The settings are not of project ${ref}. Nothing was changed.`);
  }

  const password = crypto.randomUUID();
  const sql = connectDatabase(databaseUrl);
  try {
    await databaseAnswers(sql);
    await refuseUsed(sql);
    if (
      !values.yes &&
      prompt(`Project ${ref} will be filled with test data that cannot be removed. Type ${ref} to go on:`) !==
        ref
    ) {
      throw new UsageError("Nothing was changed. (Without a terminal, add --yes.)");
    }
    console.log("Creating two municipalities and twelve users …");
    await makeUsers(url, key, password);
    await sql.unsafe(await Deno.readTextFile(new URL("supabase/seed.sql", ROOT)));
  } finally {
    await sql.end({ timeout: 5 });
  }

  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "tests/contract"],
    cwd: ROOT.pathname,
    env: {
      SUPABASE_URL: url,
      SUPABASE_PUBLISHABLE_KEY: publishable,
      SUPABASE_SECRET_KEY: key,
      SUPABASE_DB_URL: databaseUrl,
      DEMO_PASSWORD: password,
    },
    stdin: "null",
  }).spawn().status;
  console.log(
    code === 0
      ? "The project behaves as our tests expect. Delete it now: its test data cannot be removed."
      : "The project does not behave as our tests expect: see each failed test above. Do not let residents write to one " +
        "like it, and please report what the test printed.",
  );
  return code === 0 ? 0 : 1;
}

function refOf(url: string, databaseUrl: string): string | undefined {
  const { hostname } = new URL(url);
  return isLoopback(hostname)
    ? "local"
    : /^([a-z]{20})\.supabase\.co$/.exec(hostname)?.[1] ?? databaseProject(databaseUrl);
}

/** Only a project with our migrations and nothing else in it. */
async function refuseUsed(sql: postgres.Sql): Promise<void> {
  const [there] = await sql`select to_regclass('public.media_attachments') is not null as ours`;
  if (!there!.ours) throw new UsageError("The migrations are not on this project: npm run deploy first.");
  const tables = [
    ...["municipalities", "tickets", "inbound_messages", "media_attachments", "custody_records"].map((name) =>
      `public.${name}`
    ),
    "storage.objects",
    "auth.users",
  ];
  const used: string[] = [];
  for (const table of tables) {
    const [row] = await sql.unsafe(`select exists (select from ${table}) as used`);
    if (row!.used) used.push(table);
  }
  if (used.length > 0) {
    throw new UsageError(
      `This project is in use: ${
        used.join(", ")
      } hold rows. Nothing was changed. Take a new project, with the migrations and nothing else.`,
    );
  }
}

/** By Auth's own API, so that they can sign in whatever its columns are. */
async function makeUsers(url: string, key: string, password: string): Promise<void> {
  const { auth } = createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
  for (const [slug, tenant_id] of Object.entries(MUNICIPALITIES)) {
    for (const role of ROLES) {
      const { error } = await auth.admin.createUser({
        email: `${role}@${slug}.test`,
        password,
        email_confirm: true,
        app_metadata: { tenant_id, role },
      });
      if (error) throw new UsageError(`Auth did not create the user: ${error.code ?? error.status}.`);
    }
  }
}

await runCommand(contract);
