// In a stack of its own, for what only its superuser may do: Realtime's tables broken in every way, and short-lived tokens.
import { type AnyClient, subscribeToTickets, type TicketSubscription } from "../../client/mod.ts";
import { startSupabase, type Supabase } from "../../local/supabase.ts";
import { assert, assertEquals, assertLess, assertMatch } from "../support/assert.ts";
import { MUNICIPALITIES } from "../support/stack.ts";
import { leaveAll, newClient, pause, quiet, until } from "./support.ts";
import postgres from "postgres";

const tenant = MUNICIPALITIES.mbombela.id;
let stack: Supabase;
let owner: postgres.Sql;
let superuser: postgres.Sql;

Deno.test.beforeAll(async () => {
  stack = await startSupabase({ functions: false, log: () => {} });
  owner = stack.connect("postgres");
  superuser = stack.connect("supabase_admin");
});
Deno.test.afterEach(leaveAll);
Deno.test.afterAll(() => stack.stop());

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, ...quiet });
}

/** Every kind of write that a trigger hangs on, each in well under a second; the writer sees nothing of the trouble. */
async function writesWork(): Promise<void> {
  // A new session, where no plan from before still stands.
  const owner = postgres(stack.env.SUPABASE_DB_URL!, { max: 1, onnotice: () => {} });
  await owner`select 1`;
  const started = performance.now();
  const [ticket] = await owner`insert into public.tickets (tenant_id) values (${tenant}) returning id`;
  await owner`update public.tickets set is_sensitive = true where id = ${ticket!.id}`;
  const file = crypto.randomUUID();
  await owner`insert into public.media_attachments
      (file_id, tenant_id, bucket, path, filename, content_type, purpose, status, last_error)
    values (${file}, ${tenant}, 'evidence', ${`${tenant}/${file}/a.pdf`}, 'a.pdf', 'application/pdf', 'evidence', 'failed',
      'internal')`;
  await owner`delete from public.tickets where id = ${ticket!.id}`;
  // four statements, five messages: 200 ms each is the most that a lock may cost
  assertLess(performance.now() - started, 1800);
  const [saved] =
    await owner`select count(*)::int as n from public.media_attachments where file_id = ${file}`;
  assertEquals(saved!.n, 1);
  await owner.end();
}

const breakages: Record<string, [make: string, mend: string]> = {
  "no partition for today": [
    `do $$ declare t text; begin
       for t in select inhrelid::regclass from pg_inherits where inhparent = 'realtime.messages'::regclass loop
         execute 'alter table realtime.messages detach partition ' || t;
         execute 'alter table ' || t || ' rename to ' || 'gone_' || substr(md5(t), 1, 8);
       end loop; end $$`,
    `select platform_realtime.make_partitions()`,
  ],
  "realtime.send missing": [
    `alter function realtime.send(jsonb, text, text, boolean) rename to send_gone`,
    `alter function realtime.send_gone(jsonb, text, text, boolean) rename to send`,
  ],
  "realtime.send raises": [
    `alter function realtime.send(jsonb, text, text, boolean) rename to send_gone;
     create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
       language plpgsql as $$ begin raise exception 'unwell'; end $$`,
    `drop function realtime.send(jsonb, text, text, boolean);
     alter function realtime.send_gone(jsonb, text, text, boolean) rename to send`,
  ],
  // postgres is a member of the API roles, and has their rights too.
  "no usage of the schema for postgres": [
    `revoke usage on schema realtime from postgres, anon, authenticated, service_role cascade;
     revoke supabase_realtime_admin, pg_read_all_data from postgres`,
    `grant usage on schema realtime to postgres with grant option;
     grant usage on schema realtime to anon, authenticated, service_role;
     grant pg_read_all_data to postgres;
     grant supabase_realtime_admin to postgres with inherit true, set false`,
  ],
  "no insert on messages for postgres": [
    `revoke insert on realtime.messages from postgres, anon, authenticated, service_role;
     revoke supabase_realtime_admin from postgres`,
    `grant insert on realtime.messages to postgres, anon, authenticated, service_role;
     grant supabase_realtime_admin to postgres with inherit true, set false`,
  ],
  "the messages' table missing": [
    `alter table realtime.messages rename to messages_gone`,
    `alter table realtime.messages_gone rename to messages`,
  ],
};
for (const [name, [make, mend]] of Object.entries(breakages)) {
  test(`${name}: every ticket and file is written all the same`, async () => {
    const sent = await count();
    await superuser.unsafe(make);
    try {
      await writesWork();
      if (!make.includes("messages_gone")) {
        assertEquals(await count(), name.includes("partition") ? 0 : sent, "unwell");
      }
    } finally {
      await superuser.unsafe(mend);
    }
    const before = await count();
    await owner`insert into public.tickets (tenant_id) values (${tenant})`;
    assertEquals(await count(), before + 1, "mended, messages are sent again");
  });
}

async function count(): Promise<number> {
  const [row] = await superuser`select count(*)::int as n from realtime.messages`;
  return row!.n;
}

test("a lock on realtime.messages holds no writer up", async () => {
  const locking = await superuser.reserve();
  await locking`begin`;
  await locking`lock table realtime.messages in access exclusive mode`;
  try {
    const started = performance.now();
    await owner`insert into public.tickets (tenant_id) values (${tenant})`;
    assertLess(performance.now() - started, 700);
    await writesWork();
    // As many messages as one statement sends at most, and one wait.
    const many = performance.now();
    await owner`insert into public.tickets (tenant_id, is_sensitive)
      select ${tenant}, n > 50 from generate_series(1, 100) n`;
    assertLess(performance.now() - many, 700);
  } finally {
    await locking`rollback`;
    locking.release();
  }
});

// Tokens --------------------------------------------------------------------------------------------------------------

/** A client whose session is whatever `token` holds, as another sign-in service gives it. */
function client(session: { token: string }): AnyClient {
  return newClient({ accessToken: () => Promise.resolve(session.token) }, stack.url, stack.keys.publishable);
}

function token(role: string, seconds: number): Promise<string> {
  const claims = {
    sub: crypto.randomUUID(),
    role: "authenticated",
    aud: "authenticated",
    app_metadata: { tenant_id: tenant, role },
  };
  return stack.keys.sign(claims, seconds);
}

interface Told {
  subscription: TicketSubscription;
  states: string[];
  errors: string[];
}

function subscribe(supabase: AnyClient, sensitive: boolean): Told {
  const told: Told = { subscription: undefined as never, states: [], errors: [] };
  told.subscription = subscribeToTickets(supabase, tenant, {
    onState: (state) => told.states.push(state),
    onError: (error) => told.errors.push(error.message),
  }, { sensitive });
  return told;
}

test("an expired token: offline; with the next one it is live again, and nothing was missed", async () => {
  const session = { token: await token("manager", 3) };
  const told = subscribe(client(session), false);
  await until("live", () => told.subscription.state === "live");
  await until("the expiry", () => told.errors.some((error) => error.startsWith("Token has expired")));
  const [ticket] = await owner`insert into public.tickets (tenant_id) values (${tenant}) returning id`;
  await pause(300);
  assertEquals(told.subscription.state, "offline");
  session.token = await token("manager", 60);
  await until("live again", () => told.subscription.state === "live");
  assert(told.subscription.tickets.some(({ id }) => id === ticket!.id));
  await told.subscription.close();
});

test("an admin who is one no longer: sensitive tickets go at once, and he is refused until he is one again", async () => {
  await owner`insert into public.tickets (tenant_id, is_sensitive) values (${tenant}, true)`;
  const session = { token: await token("admin", 600) };
  const supabase = client(session);
  const told = subscribe(supabase, true);
  await until("live", () => told.subscription.state === "live");
  const seesSensitive = () => told.subscription.tickets.some(({ is_sensitive }) => is_sensitive);
  assert(seesSensitive());
  session.token = await token("manager", 600);
  await supabase.realtime.setAuth();
  await until("they are gone", () => !seesSensitive());
  await until("the refusal", () => told.errors.some((error) => error.startsWith("Unauthorized")));
  assertEquals(told.subscription.state, "offline");
  assert(told.subscription.tickets.length > 0, "the others stay");
  assertMatch(told.errors[0]!, /no longer|do not have permission/);
  const { length } = told.errors;
  await pause(2500);
  assertEquals(told.errors.length, length, "no further attempt with the same token");
  session.token = await token("admin", 600);
  await until("live again", () => told.subscription.state === "live");
  assert(seesSensitive());
  await told.subscription.close();
});
