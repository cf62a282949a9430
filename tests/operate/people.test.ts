// People by command: an invitation, a role, a move, a removal, and the record of each.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { call, database } from "../support/functions.ts";
import {
  account,
  address,
  changesNothing,
  command,
  ownMunicipality,
  PASSWORD,
  recorded,
  removeAccounts,
} from "../support/operators.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  PUBLISHABLE_KEY,
  service,
  URL_BASE,
} from "../support/stack.ts";

const MBOMBELA = MUNICIPALITIES.mbombela.id;

/** An account as Auth has it. */
async function accountOf(email: string) {
  const [row] = await database((sql) =>
    sql<{ id: string; confirmed: boolean; app: Record<string, unknown> }[]>`
    select id, confirmed_at is not null as confirmed, raw_app_meta_data as app from auth.users where email = ${email}`
  );
  return row!;
}

async function signIn(email: string) {
  const supabase = createClient(URL_BASE, PUBLISHABLE_KEY, {
    auth: { autoRefreshToken: false, persistSession: false },
  });
  const { data, error } = await supabase.auth.signInWithPassword({ email, password: PASSWORD });
  if (error) throw error;
  return { supabase, token: data.session.access_token, refreshToken: data.session.refresh_token };
}

Deno.test("somebody new is invited and given a role; they see their own municipality, and the record no address", async () => {
  const email = address("thandi");
  await makeTicket("polokwane");
  const added = await command(
    ...["people", "add", email.toUpperCase(), "--municipality", "mbombela", "--role", "field_worker"],
    ...["--by", "Ayanda Dube"],
  );
  assertEquals(added.code, 0, added.text);
  assertStringIncludes(added.text, `invited  ${email} by e-mail`);
  assertStringIncludes(added.text, `changed  ${email}: nothing → field_worker of City of Mbombela`);

  const { id, confirmed, app } = await accountOf(email);
  assertEquals([confirmed, app.tenant_id, app.role], [false, MBOMBELA, "field_worker"]);
  const record = (await recorded(MBOMBELA)).findLast(({ details }) => details.person === id)!;
  assertEquals([record.event, record.details, record.whole], [
    "person_changed",
    { person: id, role_after: "field_worker" },
    true,
  ]);
  assertEquals(record.operator, "Ayanda Dube, as postgres");
  for (const personal of ["thandi", "people.example", "Ayanda"]) assert(!record.text.includes(personal));

  // the stand-in's invitations cannot be followed: the admin confirms
  await service.auth.admin.updateUserById(id, { password: PASSWORD, email_confirm: true });
  const { supabase } = await signIn(email);
  const tickets = await ok(supabase.from("tickets").select("tenant_id"));
  assert(tickets.length > 0 && tickets.every(({ tenant_id }) => tenant_id === MBOMBELA));
});

Deno.test("the log with what commands recorded in it is sealed and intact", async () => {
  const { id: tenant, slug } = await ownMunicipality();
  const { email } = await account("sipho");
  assertEquals((await command("people", "add", email, "--municipality", slug, "--role", "manager")).code, 0);
  await database((sql) => sql`select private.seal_custody(${tenant})`);
  assertEquals(await ok(service.rpc("verify_custody", { municipality_id: tenant })), []);
  const [log] = await database((sql) =>
    sql`select size::integer from private.custody_logs where tenant_id = ${tenant}`
  );
  assertEquals(log!.size, 1);
});

Deno.test("an account without a municipality gets one and keeps the rest of its metadata; twice is once", async () => {
  const { email, id } = await account("lerato", {
    theme: "dark",
    tenant_id: crypto.randomUUID(),
    role: "admin",
  });
  const add = () => command("people", "add", id, "--municipality", "polokwane", "--role", "citizen");
  const added = await add();
  assertEquals(added.code, 0, added.text);
  assertStringIncludes(added.text, `${email} has an account already, made on 20`);
  const { app } = await accountOf(email);
  assertEquals([app.theme, app.provider, app.tenant_id, app.role], [
    "dark",
    "email",
    MUNICIPALITIES.polokwane.id,
    "citizen",
  ]);
  const again = await changesNothing(add);
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "is citizen of Polokwane Municipality already");
});

Deno.test("an invitation that was lost is sent again, and recorded once", async () => {
  const email = address("nomsa");
  const add = () => command("people", "add", email, "--municipality", "mbombela", "--role", "manager");
  assertEquals((await add()).code, 0);
  const { id } = await accountOf(email);
  const again = await add();
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, `invited  ${email} by e-mail`);
  assertEquals((await recorded(MBOMBELA)).filter(({ details }) => details.person === id).length, 1);
});

Deno.test("a dry run of each verb says what would change, and changes nothing", async () => {
  const { slug } = await ownMunicipality();
  const fresh = address("fresh");
  const known = await account("known");
  const member = await account("member", { tenant_id: MBOMBELA, role: "manager" });
  await signIn(member.email);
  const runs: [words: string[], says: string][] = [
    [["add", fresh, "--municipality", slug, "--role", "manager"], `would invite  ${fresh}`],
    [
      ["add", known.email, "--municipality", slug, "--role", "manager"],
      "nothing → manager of Town of the test",
    ],
    [
      ["change", member.email, "--role", "citizen"],
      "manager of City of Mbombela → citizen of City of Mbombela",
    ],
    [["change", member.email, "--municipality", slug, "--role", "admin"], "→ admin of Town of the test"],
    [["remove", member.email], "manager of City of Mbombela → nothing"],
  ];
  await changesNothing(async () => {
    for (const [words, says] of runs) {
      const { code, text } = await command("people", ...words, "--dry-run");
      assertEquals(code, 0, text);
      assertStringIncludes(text, says);
      assertStringIncludes(text, "would change  ");
      assertStringIncludes(text, "nothing was changed. The same without --dry-run does it");
    }
    // and is refused what the real one is
    const refused = await command("people", "change", known.email, "--role", "admin", "--dry-run");
    assertEquals(refused.code, 2, refused.text);
  });
});

Deno.test("a changed role holds from the next token; a move is in both logs, and neither names the other", async () => {
  const town = await ownMunicipality();
  const { email, id } = await account("zanele", { tenant_id: MBOMBELA, role: "citizen" });
  await makeTicket("mbombela");
  const { supabase } = await signIn(email);
  assertEquals(await ok(supabase.from("tickets").select("id")), []);
  assertEquals((await command("people", "change", email, "--role", "field_worker")).code, 0);
  await ok(supabase.auth.refreshSession());
  assert((await ok(supabase.from("tickets").select("id"))).length > 0);
  for (const same of [["--municipality", "mbombela"], ["--role", "field_worker"]]) {
    const none = await changesNothing(() => command("people", "change", email, ...same));
    assertEquals(none.code, 0, none.text);
    assertStringIncludes(none.text, "nothing to change");
  }

  const moved = await command("people", "change", email, "--municipality", town.slug, "--role", "manager");
  assertEquals(moved.code, 0, moved.text);
  await ok(supabase.auth.refreshSession());
  assertEquals(await ok(supabase.from("municipalities").select("id")), [{ id: town.id }]);
  assertEquals(await ok(supabase.from("tickets").select("id")), []);

  const there = (await recorded(MBOMBELA)).filter(({ details }) => details.person === id);
  assertEquals(there.map(({ details }) => details), [
    { person: id, role_before: "citizen", role_after: "field_worker" },
    { person: id, role_before: "field_worker" },
  ]);
  const here = await recorded(town.id);
  assertEquals(here.map(({ details }) => details), [{ person: id, role_after: "manager" }]);
  assert([...there, ...here].every(({ whole, text }) => whole && !text.includes("zanele")));
  assert(there.every(({ text }) => !text.includes(town.id)) && !here[0]!.text.includes(MBOMBELA));
});

Deno.test("a removed person is signed out everywhere, their next token reads nothing, and the account stays", async () => {
  const { email, id } = await account("bongani", { tenant_id: MBOMBELA, role: "admin" });
  const ticket = await makeTicket("mbombela", { category: "gbv" });
  const phone = await signIn(email);
  const office = await signIn(email);
  const sees = async ({ supabase }: { supabase: typeof phone.supabase }) =>
    (await ok(supabase.from("tickets").select("id").eq("id", ticket.id))).length === 1;
  assert(await sees(phone));

  const removed = await command("people", "remove", email);
  assertEquals(removed.code, 0, removed.text);
  assertStringIncludes(removed.text, `changed  ${email}: admin of City of Mbombela → nothing`);
  assertStringIncludes(removed.text, "signed out everywhere: 2 sessions");
  assertStringIncludes(removed.text, "a token that they already hold works until it expires");
  assert(await sees(phone), "a token handed out before ends with its time: then the command should say so");
  for (const { refreshToken } of [phone, office]) {
    const { error } = await phone.supabase.auth.refreshSession({ refresh_token: refreshToken });
    assertEquals(error?.status, 400);
  }

  const anew = await signIn(email);
  for (
    const table of ["tickets", "municipalities", "media_attachments", "custody_records", "whatsapp_numbers"]
  ) {
    assertEquals(await ok(anew.supabase.from(table).select("*")), [], table);
  }
  const { status } = await call("signed-url", { token: anew.token, body: { file_id: crypto.randomUUID() } });
  assertEquals(status, 403);
  assertEquals((await accountOf(email)).id, id);
  const record = (await recorded(MBOMBELA)).findLast(({ details }) => details.person === id)!;
  assertEquals([record.details, record.whole], [{ person: id, role_before: "admin" }, true]);

  const others = await person("admin"); // of the same municipality: their session goes on
  assert(await sees(others));
  assertEquals(
    (await command("people", "add", email, "--municipality", "mbombela", "--role", "admin")).code,
    0,
  );
});

Deno.test("a municipality keeps an admin who can sign in, unless --force", async () => {
  const { id, slug } = await ownMunicipality();
  const admin = { tenant_id: id, role: "admin" };
  const first = await account("first", admin);
  await account("elsewhere", { ...admin, tenant_id: MBOMBELA });
  await account("invited", admin, { email_confirm: false, password: undefined });
  const banned = await account("banned", admin);
  await database((sql) =>
    sql`update auth.users set banned_until = now() + interval '1 day' where id = ${banned.id}`
  );
  const ways = [
    ["remove", first.email],
    ["change", first.email, "--role", "manager"],
    ["change", first.email, "--municipality", "mbombela", "--role", "admin"],
  ];
  await changesNothing(async () => {
    for (const words of ways) {
      const { code, text } = await command("people", ...words);
      assertEquals(code, 2, text);
      assertStringIncludes(
        text,
        `is the last admin of ${slug} who can sign in. Add another one first, or say --force`,
      );
    }
  });

  // of two at once, one stays
  const second = await account("second", admin);
  const both = await Promise.all([first, second].map(({ email }) => command("people", "remove", email)));
  assertEquals(both.map(({ code }) => code).toSorted(), [0, 2], JSON.stringify(both));
  const left = both[0]!.code === 2 ? first : second;
  assertEquals((await accountOf(left.email)).app.role, "admin");

  assertEquals((await command("people", "remove", left.email, "--force")).code, 0);
  assertEquals((await accountOf(left.email)).app.role, undefined);
});

Deno.test("a list shows whom it is asked for, and nothing that a terminal would obey", async () => {
  const { id, slug } = await ownMunicipality();
  const manager = await account("lindiwe", { tenant_id: id, role: "manager" });
  const odd = await account("odd", { tenant_id: id, role: "man\u001b[2Jager\nforged\u202e" });
  const all = await command("people", "list", "--municipality", slug);
  assertEquals(all.code, 0, all.text);
  const lines = all.text.trim().split("\n");
  assertEquals(lines.length, 3);
  assert(lines.some((line) => line.startsWith(`${slug}  manager `) && line.includes(manager.email)));
  assert(
    lines.some((line) => line.includes("man\\u{1b}[2Jager\\u{a}forged\\u{202e}") && line.includes(odd.email)),
  );
  assertEquals(lines.at(-1), "2 people");

  const managers = await command("people", "list", "--municipality", slug, "--role", "manager");
  assert(managers.text.includes(manager.email) && !managers.text.includes(odd.email), managers.text);
  const everybody = await command("people", "list");
  assert(everybody.text.includes("admin@polokwane.test") && everybody.text.includes(odd.email));

  // what is no role of ours may be anything, so it is not for the log
  assertEquals((await command("people", "change", odd.email, "--role", "citizen")).code, 0);
  assertEquals((await recorded(id)).map(({ details }) => details), [
    { person: odd.id, role_before: "unknown", role_after: "citizen" },
  ]);
});

Deno.test("the test's own accounts go", removeAccounts);
