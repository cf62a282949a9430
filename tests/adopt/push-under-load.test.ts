// A project in use gets the bundle, and loses it again: people sign in, files are read and a report is being drawn up all the
// while. Making a policy locks tables of Auth, Storage and Realtime (supautils); whoever pushes must not stop them.
import { createClient } from "@supabase/supabase-js";
import type { Supabase } from "../../local/supabase.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { emptyProject, push, uninstall } from "./support.ts";

/** Seconds that somebody's report reads the users for. */
const REPORT = 20;
/** Refreshes of sessions a second. */
const REFRESHES = 9;
/** What a request may take: 250 ms behind a try, what a migration takes, and this machine's own load. Without care: 18 s. */
const PATIENCE_MS = 1500;

const supabase = await emptyProject();
const superuser = supabase.connect("supabase_admin");
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

interface Traffic {
  requests: number;
  failed: string[];
  longest: number;
}

/** Sessions are refreshed and buckets are looked at, until it is told to stop. */
async function traffic({ url, keys }: Supabase): Promise<() => Promise<Traffic>> {
  const options = { auth: { persistSession: false, autoRefreshToken: false } };
  const admin = createClient(url, keys.secret, options);
  const people = await Promise.all(Array.from({ length: REFRESHES }, async (_, number) => {
    const [email, password] = [`${crypto.randomUUID()}@project.test`, `secret ${number}`];
    await admin.auth.admin.createUser({ email, password, email_confirm: true });
    const client = createClient(url, keys.publishable, options);
    const { error } = await client.auth.signInWithPassword({ email, password });
    if (error) throw error;
    return client;
  }));
  const seen: Traffic = { requests: 0, failed: [], longest: 0 };
  let going = true;
  const each = async (request: () => Promise<{ error: { message: string } | null }>) => {
    while (going) {
      const begun = performance.now();
      const { error } = await request();
      seen.requests++;
      if (error) seen.failed.push(error.message);
      const took = performance.now() - begun;
      seen.longest = Math.max(seen.longest, took);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 - took)));
    }
  };
  const all = [
    ...people.map((client) => each(() => client.auth.refreshSession())),
    each(() => admin.storage.listBuckets()),
    each(() => people[0]!.storage.from("any").list()),
  ];
  return async () => {
    going = false;
    await Promise.all(all);
    return seen;
  };
}

/** Runs the work while a report holds a lock on the users, and others come and go. */
async function underLoad(
  what: string,
  work: () => Promise<{ success: boolean; output: string }>,
): Promise<void> {
  const deadlocks = async () =>
    (await superuser`select deadlocks::integer as n from pg_stat_database where datname = current_database()`)[
      0
    ]!.n;
  const before = await deadlocks();
  const stop = await traffic(supabase);
  const report = superuser.begin(async (tx) => {
    await tx`select count(*) from auth.users`;
    await tx`select pg_sleep(${REPORT})`;
  });
  const begun = performance.now();
  const { success, output } = await work();
  const took = performance.now() - begun;
  await report;
  const { requests, failed, longest } = await stop();
  assert(success, output);
  console.log(
    `${what}: ${(took / 1000).toFixed(1)} s; of ${requests} requests meanwhile the longest took ${
      longest.toFixed(0)
    } ms`,
  );
  assert(took > (REPORT - 1) * 1000, "it did not wait for the report");
  assertEquals(failed, []);
  assert(longest < PATIENCE_MS, `a request waited ${longest} ms`);
  await new Promise((resolve) => setTimeout(resolve, 1100)); // statistics are written once a second
  assertEquals(await deadlocks(), before, "deadlocks");
}

test("the migrations go in behind a report of 20 s, and no sign-in waits for them", () =>
  underLoad("push", () => push(supabase.env.SUPABASE_DB_URL!)));

test("the uninstall too", () => underLoad("uninstall", () => uninstall(supabase, "--yes")));

test("the project is stopped", async () => {
  await supabase.stop();
});
