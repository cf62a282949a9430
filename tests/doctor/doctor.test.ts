// The doctor: a healthy project has nothing wrong, and each mistake that he names is made and found, by itself.
import { examineDatabase } from "../../operate/doctor.ts";
import { type Line, type Problem, PROBLEMS } from "../../operate/doctor/findings.ts";
import type { EncryptionKeys } from "../../operate/doctor/sealed.ts";
import { Fernet } from "../../shared/platform/fernet.ts";
import { REQUIRED_SECRETS } from "../../shared/platform/settings.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { documented, emptyProject, ownTicketSystem, push } from "../adopt/support.ts";
import { anchors, parsePage } from "../docs/markdown.ts";
import { startManagement } from "../support/management.ts";
import { ownStack } from "../support/own-stack.ts";
import { MISTAKES } from "./mistakes.ts";
import { ADOPTED, HARMLESS, LONG_AGO, LOST, setUpSchedule } from "./projects.ts";
import { FILE, file, message, WITHOUT_TRIGGERS } from "./rows.ts";
import { doctorTools, isSql, problemsIn, type Report } from "./examine.ts";

const root = new URL("../..", import.meta.url).pathname;
const own = await ownStack();
const { supabase, superuser } = own;
const { url, keys, env } = supabase;
const { encryption, doctor, assertDiscreet, after, lastWrite } = doctorTools(own);

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

test("a project without pg_cron is well, and is told what must call the worker instead", async () => {
  const { code, lines, output } = await doctor();
  assertEquals(code, 0, output);
  assertStringIncludes(lines.find(({ check }) => check === "schedule")!.found, "something else must call");
});

test("a healthy project is well: every check says so, nothing is written, exit status 0", async () => {
  await setUpSchedule(superuser, url, keys.secret);
  // there is work to do, and it is not the doctor's
  await superuser.unsafe(file({ next_attempt_at: "now()" }));
  const before = await lastWrite();
  const { code, lines, output } = await doctor();
  assertEquals(code, 0, output);
  assert(lines.every(({ result, found, todo }) => result === "ok" && found && !todo), output);
  assertEquals(await lastWrite(), before);
  await superuser.unsafe(`${WITHOUT_TRIGGERS}; delete from public.media_attachments`);
});

test("for people: a line each check, what to do for each finding, and all is well at the end", async () => {
  const run = async (changes: Record<string, string>) => {
    const { code, stdout } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
      args: ["run", "-A", "--no-check", "operate/doctor.ts"],
      cwd: root,
      env: { ...env, NO_COLOR: "1", ...changes },
      stderr: "null",
    }).output();
    return { code, text: new TextDecoder().decode(stdout) };
  };
  const well = await run({});
  assertEquals(well.code, 0, well.text);
  for (const line of well.text.trim().split("\n").slice(0, -1)) assert(line.startsWith("ok       "), line);
  assert(well.text.endsWith("\nall is well\n"), well.text);
  const ill = await run({ TWILIO_AUTH_TOKEN: "another" });
  assertEquals(ill.code, 1);
  assertStringIncludes(ill.text, "WRONG    twilio-media: ");
  assertStringIncludes(ill.text, "         do: TWILIO_AUTH_TOKEN or TWILIO_WEBHOOK_URL");
  assertDiscreet(ill.text);
});

test("what a project has of its own is none of the doctor's business", async () => {
  assertEquals(problemsIn(await after(HARMLESS)), []);
  const adopted = await after(ADOPTED);
  assertEquals(problemsIn(adopted), []);
  assertStringIncludes(
    adopted.find(({ check }) => check === "schema")!.found,
    "also your own: grant DELETE to authenticated on public.tickets, policy clerks on public.tickets",
  );
  assertEquals(
    problemsIn(await after([...ADOPTED, "alter table public.tickets alter is_sensitive drop not null"])),
    ["column_changed"],
    "what hides a sensitive ticket is asked of an adopted table too",
  );
});

/** Those that a statement mends. */
const mended = new Set<Problem>();

for (const [problem, { ways, says, also = [] }] of Object.entries(MISTAKES)) {
  test(`mistake: ${problem}`, async () => {
    for (const [index, statements] of ways.entries()) {
      const lines = await after(statements, (lines) => lines.map(({ todo }) => todo).filter(isSql));
      const what = `${statements.at(-1)}: ${JSON.stringify(lines.filter(({ result }) => result !== "ok"))}`;
      const found = lines.filter((line) => line.problem === problem);
      assert(found.some((line) => line.found.includes(says[index % says.length]!) && line.todo), what);
      const others = problemsIn(lines).filter((other) => other !== problem && !also.includes(other));
      assertEquals(others, [], what);
      for (const line of lines.filter(({ todo }) => isSql(todo))) {
        assert(lines.mended!.every(({ found }) => found !== line.found), `${line.todo} does not mend it`);
        mended.add(line.problem!);
      }
    }
  });
}

test("what one statement mends is told with it, and the operator may run it", () => {
  assertEquals([...mended].toSorted(), [
    "grant_extra",
    "grant_missing",
    "policy_extra",
    "rls_off",
    "schedule_inactive",
    "schedule_missing",
    "table_published",
    "trigger_changed",
    "trigger_extra",
    "trigger_missing",
  ]);
  return Promise.resolve();
});

test("who else must be asked is told: row-level security of the platform's tables is Supabase's", async () => {
  for (const table of ["storage.objects", "storage.buckets", "realtime.messages"]) {
    const lines = await after([`alter table ${table} disable row level security`]);
    assertStringIncludes(lines.find(({ problem }) => problem === "rls_off")!.todo!, "Supabase support");
  }
});

test("what the previous key sealed is counted and is no mistake; when nothing is left, that key can go", async () => {
  const previous = btoa("a previous key of just 32 bytes.").replaceAll("+", "-").replaceAll("/", "_");
  const [id] = (await Fernet.fromKeys(previous)).keyIds;
  const found = async (statements: string[], keys: EncryptionKeys) =>
    (await after(statements, undefined, keys)).find(({ check }) => check === "sealed texts")!.found;
  const current = encryption.current!;
  const left = [
    message(id!),
    "update public.tickets set encrypted_description = 'gAAAAB' where sealed_with is not null",
  ];
  assertEquals(await found([], { current }), "all with the current key");
  assertEquals(
    await found([], { current, previous }),
    "all with the current key; ENCRYPTION_KEY_PREVIOUS can go",
  );
  assertEquals(
    await found(left, { current, previous }),
    "2 to be sealed anew with the current key, 1 of them still with the previous one",
  );
  assertEquals(
    await found([message(id!)], { current: previous, previous: current }),
    "all with the current key; ENCRYPTION_KEY_PREVIOUS can go",
  );
  assertEquals(
    await found([
      message(id!),
      "update public.tickets set sealed_with = 'foreign' where sealed_with is not null",
    ], {
      current: previous,
    }),
    "all with the current key; 1 descriptions that others sealed",
  );
  assertFinds(await doctor({ ENCRYPTION_KEY_CURRENT: undefined }), "keys_untold", "not given");
});

test("what failed or was lost over a week ago is told, and is no longer wrong", async () => {
  const lines = await after(LONG_AGO);
  assertEquals(problemsIn(lines), []);
  const found = (name: string) => lines.find(({ check }) => check === name)!.found;
  assertStringIncludes(found("failed files"), "before: 1 media_not_found");
  assertStringIncludes(found("stored files"), "1 objects without a record, older than 7 days");
});

test("the runbook's statements note that Storage lost a file: then nothing is wrong, and the chain says so", async () => {
  const runbook = await Deno.readTextFile(`${root}docs/runbook.md`);
  const [, statement] = /```sql\n(with lost as .*?)```/s.exec(runbook)!;
  const recorded = `do $$ begin
    assert (select count(*) from public.custody_records where file_id = '${FILE}' and event = 'deleted') = 1;
  end $$`;
  const lines = await after(LOST, () => [statement!.replace("FILE_ID", FILE), recorded]);
  assertEquals(problemsIn(lines), ["object_missing"]);
  assertEquals(problemsIn(lines.mended!), []);
  assertStringIncludes(lines.mended!.find(({ check }) => check === "failed files")!.found, "1 deleted");
});

/** Those that are made otherwise than by SQL: here they are ticked off. */
const made = new Set<Problem>(Object.keys(MISTAKES) as Problem[]);

function assertFinds({ lines, output }: Report, problem: Problem, found: string): void {
  assert(lines.some((line) => line.problem === problem && line.found.includes(found) && line.todo), output);
  made.add(problem);
}

for (const secret of REQUIRED_SECRETS) {
  test(`mistake: the functions lack the secret ${secret}`, async () => {
    const names = supabase.functions!.names;
    await Promise.all(names.map((name) => supabase.functions!.restart(name, { [secret]: undefined })));
    try {
      const report = await doctor();
      assertEquals(report.code, 1);
      const lacking = report.lines.filter(({ result }) => result === "WRONG");
      assert(lacking.length > 0, report.output);
      for (const { problem, found, todo } of lacking) {
        assertStringIncludes(found, "503 not_configured");
        assertStringIncludes(todo!, ".env.production");
        made.add(problem!);
      }
    } finally {
      await Promise.all(names.map((name) => supabase.functions!.restart(name)));
    }
  });
}

test("mistake: Twilio's secrets are others than the functions have, the URL leads elsewhere, or they are not given", async () => {
  assertFinds(await doctor({ TWILIO_AUTH_TOKEN: "another" }), "twilio_media", "403 invalid_signature");
  assertFinds(await doctor({ TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}` }), "twilio_media", "403 forbidden");
  assertFinds(await doctor({ TWILIO_WEBHOOK_URL: `${url}/functions/v1/nothing` }), "twilio_media", "404");
  assertFinds(await doctor({ TWILIO_WEBHOOK_URL: "http://127.0.0.1:9/" }), "twilio_media", "no connection");
  const untold = await doctor({ TWILIO_AUTH_TOKEN: undefined });
  assertEquals(untold.code, 2);
  assertFinds(untold, "twilio_media", "not tried");
});

test("mistake: a wrong key, no database, one that does not answer, a late clock", async () => {
  assertFinds(
    await doctor({ SUPABASE_SECRET_KEY: "sb_secret_wrong" }),
    "key_refused",
    "not a secret key of this project",
  );
  const noDatabase = await doctor({ SUPABASE_DB_URL: undefined });
  assertEquals(noDatabase.code, 2);
  assertFinds(noDatabase, "database_unreachable", "SUPABASE_DB_URL is not set");
  const dead = "postgresql://postgres:a-password@127.0.0.1:9/postgres";
  const unreachable = await doctor({ SUPABASE_DB_URL: dead });
  assertFinds(unreachable, "database_unreachable", "ECONNREFUSED");
  assert(!unreachable.output.includes("a-password"));
  for (const password of ["a/password", "a%password"]) {
    const malformed = await doctor({ SUPABASE_DB_URL: dead.replace("a-password", password) });
    assertFinds(malformed, "database_unreachable", "SUPABASE_DB_URL is not a URL: %-encode the password");
    assert(!malformed.output.includes(password));
  }
  assertFinds(
    await doctor({}, { preload: `${root}tests/doctor/late-clock.ts` }),
    "clock_differs",
    "this machine is 36",
  );
});

test("mistake: the Data API serves schema private", async () => {
  const configure = (change: string) =>
    superuser.unsafe(`alter role authenticator ${change}; notify pgrst, 'reload config'`);
  await configure("set pgrst.db_schemas = 'public, private'");
  try {
    const report = await doctor();
    assertEquals(report.code, 1);
    assertFinds(report, "private_exposed", "answered 403 42501, not 406 PGRST106");
    assertEquals(problemsIn(report.lines), ["private_exposed"]);
  } finally {
    await configure("reset pgrst.db_schemas");
  }
  assertEquals((await doctor()).code, 0);
});

test("mistake: a secret that was never set, as the Management API lists them; names only, with a token that may", async () => {
  const management = await startManagement();
  const { api_url } = JSON.parse(await Deno.readTextFile(management.env.SUPABASE_PROFILE!));
  const asked = {
    SUPABASE_PROJECT_REF: management.ref,
    SUPABASE_ACCESS_TOKEN: management.env.SUPABASE_ACCESS_TOKEN,
  };
  try {
    for (const name of REQUIRED_SECRETS.slice(1)) management.secrets.set(name, "value");
    const report = await doctor(asked, { args: ["--api-url", api_url] });
    assertFinds(report, "secret_missing", `${REQUIRED_SECRETS[0]} is not set`);
    assertEquals(problemsIn(report.lines), ["secret_missing"]);
    management.secrets.set(REQUIRED_SECRETS[0]!, "value");
    assertEquals((await doctor(asked, { args: ["--api-url", api_url] })).code, 0);
    const refused = await doctor({ ...asked, SUPABASE_ACCESS_TOKEN: "sbp_wrong" }, {
      args: ["--api-url", api_url],
    });
    assertEquals(refused.code, 2);
    assertFinds(refused, "secrets_unknown", "the Management API answered 401");
    assertEquals(management.requests.filter((request) => !request.startsWith("GET ")), []);
  } finally {
    await management.stop();
  }
});

test("--env-file stands in for the environment; a wrong option or no file is exit status 2 and says so", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const names = ["SUPABASE_SECRET_KEY", "SUPABASE_DB_URL", ...REQUIRED_SECRETS]; // as in docs/deploy.md
    await Deno.writeTextFile(`${directory}/env`, names.map((name) => `${name}="${env[name]}"\n`).join(""));
    const cleared = Object.fromEntries(Object.keys(env).map((name) => [name, undefined]));
    assertEquals((await doctor(cleared, { args: ["--env-file", `${directory}/env`] })).code, 0);
    const elsewhere = { SUPABASE_URL: "http://127.0.0.1:9", SUPABASE_SECRET_KEY: "sb_secret_of_another" };
    assertEquals(
      (await doctor({ ...cleared, ...elsewhere }, { args: ["--env-file", `${directory}/env`] })).code,
      0,
    );
    const none = `${directory}/none`;
    const wrong: [args: string[], says: string][] = [
      [["--env-file", none], `${none} cannot be read`],
      [["--env-file"], "npm run doctor -- [--json]"],
      [["--repair"], "npm run doctor -- [--json]"],
      [["--api-url", "x"], "npm run doctor -- [--json]"],
    ];
    for (const [args, says] of wrong) {
      const { code, stderr } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
        args: ["run", "-A", "--no-check", "operate/doctor.ts", ...args],
        cwd: root,
        env,
      }).output();
      assertEquals(code, 2);
      assertStringIncludes(new TextDecoder().decode(stderr), says);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("a project that adopted its own table of tickets is well", async () => {
  const adopting = await emptyProject();
  try {
    const sql = adopting.connect("postgres");
    await ownTicketSystem(sql, 10);
    await documented(
      adopting.env.SUPABASE_DB_URL!,
      "what a report by WhatsApp cannot know may be null for now",
    );
    const { success, output } = await push(adopting.env.SUPABASE_DB_URL!);
    assert(success, output);
    const lines = await sql.begin((tx) => examineDatabase(tx, adopting.url, encryption)) as Line[];
    assertEquals(problemsIn(lines), ["municipalities_none"], JSON.stringify(lines));
    const { found } = lines.find(({ check }) => check === "schema")!;
    assertStringIncludes(found, "policy agents see all of their council on public.tickets");
    assertStringIncludes(found, "policy anybody does anything on storage.objects");
  } finally {
    await adopting.stop();
  }
});

test("what is to be done is in the runbook, under the heading named", async () => {
  const runbook = parsePage("docs/runbook.md", await Deno.readTextFile(`${root}docs/runbook.md`));
  const named = Object.values(PROBLEMS).flatMap((todo) => [...todo.matchAll(/docs\/runbook\.md#([\w-]+)/g)]);
  assert(named.length > 10);
  for (const [, anchor] of named) {
    assert(anchors(runbook).has(anchor!), `docs/runbook.md has no heading #${anchor}`);
  }
});

test("every problem the doctor names has a mistake that makes it", () => {
  assertEquals([...made].toSorted(), Object.keys(PROBLEMS).toSorted() as Problem[]);
  return Promise.resolve();
});

test("all mistakes at once, made for good: the process names each of them, exit status 1", async () => {
  const together = Object.entries(MISTAKES).filter(([, { alone }]) => !alone);
  await superuser.begin(async (sql) => {
    for (const [, { ways }] of together) {
      for (const statement of ways[0]!) await sql.unsafe(statement);
      await sql`set local session_replication_role = default`;
    }
  });
  const { code, lines, output } = await doctor();
  assertEquals(code, 1);
  for (const [problem, { says }] of together) {
    assert(
      lines.some((line) => line.problem === problem && line.found.includes(says[0]!)),
      `${problem} is not found: ${output}`,
    );
  }
});
