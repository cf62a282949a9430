// Key rotation: the worker seals anew what another key sealed, through kills, until nothing is left; and changes nothing else.
import { mediaWorker } from "../../functions/media-worker/index.ts";
import { newSid } from "../../local/twilio-webhook.ts";
import { Fernet } from "../../shared/platform/fernet.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { parseLog, ResealLine } from "../support/log-lines.ts";
import { between, isUp, killFunction, ownStack, pause } from "../support/own-stack.ts";

const own = await ownStack();
const { supabase, superuser: sql, stack: { MUNICIPALITIES, ok, person, service, SLUGS } } = own;
const { call, callHandler, until } = own.functions;
const { newSender, send, sampleFile } = own.whatsapp;
const { captureConsole } = await import("../support/handlers.ts"); // its own imports ask for a stack

const FIRST = supabase.env.ENCRYPTION_KEY_CURRENT!;
const [SECOND, THIRD] = [newKey(), newKey()];
const LONG_AGO = { seconds: 1_700_000_000 };
const first = await Fernet.fromKeys(FIRST);
const idOf = async (key: string) => (await Fernet.fromKeys(key)).keyIds[0]!;
const [firstId, secondId, thirdId] = [await idOf(FIRST), await idOf(SECOND), await idOf(THIRD)];

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

// the runtime's, which a handler in this process lacks
Object.assign(globalThis, { EdgeRuntime: { waitUntil() {} } });

function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url" });
}

const keys = (current: string, previous?: string) => ({
  ENCRYPTION_KEY_CURRENT: current,
  ENCRYPTION_KEY_PREVIOUS: previous,
});

/** A round of a worker that has these keys; the lines that it wrote about sealing anew. */
async function round(current: string, previous?: string) {
  const env = new Map(
    Object.entries({
      ...supabase.env,
      ...keys(current, previous),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: supabase.keys.secret }),
    }).filter(([, value]) => value),
  );
  const text = await captureConsole(async () => {
    const answer = await callHandler(mediaWorker(env as Map<string, string>), {
      headers: { apikey: supabase.keys.secret, prefer: "wait=60" },
    });
    assertEquals(answer.status, 200, answer.text);
  });
  return parseLog(text).flatMap((line) => ResealLine.safeParse(line).data ?? []);
}

/** A message as the function records it, with tokens of the given key. */
async function seal(
  fernet: Fernet,
  { number, body, from, sealed_with = fernet.keyIds[0]! }: {
    number: string;
    body: string;
    from: string;
    sealed_with?: string;
  },
): Promise<string> {
  const message_sid = newSid("SM");
  await ok(service.rpc("record_inbound_message", {
    message_sid,
    channel: "whatsapp",
    channel_number: number,
    sender_refs: [from.padStart(20, "0")],
    kind: "text",
    encrypted_payload: await fernet.encrypt(
      JSON.stringify({
        MessageSid: message_sid,
        From: `whatsapp:${from}`,
        To: `whatsapp:${number}`,
        Body: body,
      }),
      LONG_AGO,
    ),
    encrypted_description: await fernet.encrypt(body, LONG_AGO),
    sealed_with,
    media: [],
  }));
  return message_sid;
}

/** How many tokens each key has. */
async function held(): Promise<Record<string, number>> {
  const rows = await sql`
    select coalesce(key, 'nobody') as key, count(*)::integer as n from (
      select sealed_with as key from public.inbound_messages
      union all select sealed_with from public.tickets where encrypted_description like 'gA%'
    ) all_tokens group by 1 order by 1`;
  return Object.fromEntries(rows.map(({ key, n }) => [key, n]));
}

/** All that a re-sealing must leave as it is. */
async function everythingElse() {
  return {
    messages: [
      ...await sql`select to_jsonb(m) - '{encrypted_payload,sealed_with}'::text[] as row from public.inbound_messages m order by message_sid`,
    ],
    tickets: [
      ...await sql`select to_jsonb(t) - '{encrypted_description,sealed_with}'::text[] as row from public.tickets t order by id`,
    ],
    custody: [
      ...await sql`select to_jsonb(r) - '{seq}'::text[] as row from public.custody_records r order by to_jsonb(r)::text`,
    ],
  };
}

const general = MUNICIPALITIES.mbombela.number, gbv = MUNICIPALITIES.mbombela.gbvNumber;

test("what the first key sealed is sealed with the second, at its own time, and nothing else changes", async () => {
  const words = new Map<string, string>();
  for (const slug of SLUGS) {
    for (const number of [MUNICIPALITIES[slug].number, MUNICIPALITIES[slug].gbvNumber]) {
      const body = `Ngicela usizo 🆘 ${crypto.randomUUID()}`;
      words.set(await seal(first, { number, body, from: newSender() }), body);
    }
  }
  await round(FIRST);
  assertEquals(await held(), { [firstId]: 6 }, "four messages, two descriptions; nothing to do");
  const before = await everythingElse();
  const times = async () => [
    ...await sql`select message_sid, left(encrypted_payload, 12) as head from public.inbound_messages order by 1`,
  ];
  const made = await times();

  assertEquals((await round(SECOND, FIRST)).map(({ tokens, unopened }) => [tokens, unopened]), [[6, 0]]);
  assertEquals(await held(), { [secondId]: 6 });
  assertEquals(await everythingElse(), before);
  assertEquals(await times(), made, "a token says when it was sealed first");
  const second = await Fernet.fromKeys(SECOND);
  for (
    const { message_sid, encrypted_payload }
      of await sql`select message_sid, encrypted_payload from public.inbound_messages`
  ) {
    assertEquals(JSON.parse(await second.decrypt(encrypted_payload)).Body, words.get(message_sid));
  }
  for (
    const { encrypted_description }
      of await sql`select encrypted_description from public.tickets where encrypted_description is not null`
  ) {
    assert([...words.values()].includes(await second.decrypt(encrypted_description)));
  }
  assertEquals(await round(SECOND, FIRST), [], "nothing is left: nothing is done, and no line written");
  // and back, for the tests that follow
  await round(FIRST, SECOND);
  assertEquals(await held(), { [firstId]: 6 });
});

test("one key given twice is no rotation", async () => {
  assertEquals(await round(FIRST, FIRST), []);
});

test("what cannot be opened is counted and named as such once, and holds up nothing behind it", async () => {
  const broken = await Fernet.fromKeys(newKey());
  const said = { number: gbv, body: "broken", sealed_with: firstId };
  const sids = [
    await seal(broken, { ...said, from: newSender() }),
    await seal(broken, { ...said, from: newSender() }),
  ];
  const whole = await seal(first, { number: gbv, body: "whole", from: newSender() });
  const tokens = () =>
    sql`select message_sid, encrypted_payload from public.inbound_messages where message_sid = any (${sids}) order by 1`;
  const before = [...await tokens()];

  assertEquals((await round(SECOND, FIRST)).map(({ unopened }) => unopened), [4]);
  assertEquals(await held(), { [secondId]: 8, unopened: 4 });
  assertEquals([...await tokens()], before, "kept as they came");
  assertEquals(await round(SECOND, FIRST), [], "tried again");
  const [row] = await sql`select sealed_with from public.inbound_messages where message_sid = ${whole}`;
  assertEquals(row!.sealed_with, secondId);

  // whose key is not at hand is left alone, and read by whoever has it
  assertEquals(await round(THIRD), []);
  assertEquals(await held(), { [secondId]: 8, unopened: 4 });

  // the key of the broken ones is found again: they are said to be of unknown keys, and tried
  await sql`update public.inbound_messages set sealed_with = null where sealed_with = 'unopened'`;
  assertEquals((await round(FIRST, SECOND)).at(-1)!.unopened, 2);
  assertEquals(await held(), { [firstId]: 8, unopened: 4 });
});

test("a description that somebody else wrote is looked at once: what a key of ours opens is sealed anew, what none opens is theirs", async () => {
  const admin = await person("admin");
  const ticket = await own.stack.makeTicket("mbombela", { is_sensitive: true });
  const write = async (token: string) => {
    await ok(
      admin.supabase.from("tickets").update({ encrypted_description: token }).eq("id", ticket.id).select(
        "id",
      ),
    );
    const [row] = await sql`select sealed_with from public.tickets where id = ${ticket.id}`;
    assertEquals(row!.sealed_with, null, "whoever writes it does not say whose key it is");
  };
  const row = async () =>
    (await sql`select encrypted_description, sealed_with, updated_at from public.tickets where id = ${ticket.id}`)[
      0
    ]!;

  await write(await first.encrypt("He follows me"));
  const { updated_at } = await row();
  assertEquals((await round(SECOND, FIRST)).length, 1);
  const opened = await row();
  assertEquals(await (await Fernet.fromKeys(SECOND)).decrypt(opened.encrypted_description), "He follows me");
  assertEquals([opened.sealed_with, opened.updated_at], [secondId, updated_at]);

  const theirs = await (await Fernet.fromKeys(newKey())).encrypt("not ours");
  await write(theirs);
  await round(SECOND, FIRST);
  assertEquals([(await row()).sealed_with, (await row()).encrypted_description], ["foreign", theirs]);
  assertEquals(await round(SECOND, FIRST), []);
  assert((await admin.supabase.from("tickets").update({ sealed_with: secondId }).eq("id", ticket.id)).error);
  await write("no token at all");
  assertEquals(await round(SECOND, FIRST), []);
  await round(FIRST, SECOND);
});

test("a token that changed meanwhile stays, and a row that somebody holds is passed over without waiting", async () => {
  const message_sid = await seal(first, { number: general, body: "raced", from: newSender() });
  const [was] =
    await sql`select encrypted_payload from public.inbound_messages where message_sid = ${message_sid}`;
  const old = was!.encrypted_payload as string;
  const fresh = await first.encrypt("other");
  const complete = (was: string) =>
    ok(
      service.rpc("complete_resealing", {
        sealed_with: secondId,
        tokens: [{ message_sid, old: was, new: fresh }],
      }),
    );
  assertEquals(await complete(fresh), 0);
  await sql.begin(async (tx) => {
    await tx`select from public.inbound_messages where message_sid = ${message_sid} for update`;
    assertEquals(await complete(old), 0);
  });
  const [row] =
    await sql`select encrypted_payload from public.inbound_messages where message_sid = ${message_sid}`;
  assertEquals(row!.encrypted_payload, old);
  let code = "";
  await sql`update public.inbound_messages set encrypted_payload = ${fresh} where message_sid = ${message_sid}`
    .catch((error) => code = error.code);
  assertEquals(code, "42501", "a token goes only with another key's");
});

test("nothing left costs four looks at an index, however many messages there are", async () => {
  class Rollback extends Error {}
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`set local enable_seqscan = off`;
    await tx`set local enable_bitmapscan = off`; // as the function does
    await tx`update public.tickets set sealed_with = ${firstId} where encrypted_description is not null`;
    await tx`insert into public.inbound_messages
        (message_sid, tenant_id, channel, channel_number, sender_id, sender_refs, kind, encrypted_payload, sealed_with, reply)
      select 'SM' || md5(i::text), ${MUNICIPALITIES.mbombela.id}, 'sms', '1', gen_random_uuid(), array['x'], 'opt_out', 'gAAAAA',
        ${firstId}, 'none'
      from generate_series(1, 20000) i`;
    await tx`insert into public.tickets (tenant_id, tracking_number, category, is_sensitive, encrypted_description, sealed_with)
      select ${MUNICIPALITIES.mbombela.id}, 'TKT-20000101-' || i, 'gbv', true, 'gAAAAA', ${firstId} from generate_series(1, 20000) i`;
    await tx`analyze public.inbound_messages`;
    await tx`analyze public.tickets`;
    const [made] =
      await tx`select prosrc as body from pg_proc where oid = 'public.tokens_to_reseal(text[], integer)'::regprocedure`;
    const query = (made!.body as string).replaceAll("other_keys", `array['${secondId}']`).replaceAll(
      /limit batch/g,
      "limit 50",
    );
    const plan = (await tx.unsafe(`explain (analyze, costs off, timing off, summary off) ${query}`))
      .map((row) => row["QUERY PLAN"]).join("\n");
    assert(!/Seq Scan|Bitmap/.test(plan), plan);
    for (const table of ["inbound_messages", "tickets"]) {
      assertEquals(
        plan.match(new RegExp(`Index Scan using ${table}_sealed_with_idx`, "g"))
          ?.length,
        2,
        plan,
      );
    }
    assertMatch(plan, /^Limit \(actual rows=0/);
    throw new Rollback();
  }).catch((error) => {
    if (!(error instanceof Rollback)) throw error;
  });
});

test("keys rotated twice under traffic and kills: everything opens as it was written, and nothing is under the first key", async () => {
  const functions = ["twilio-media", "media-worker", "open-report"];
  const words = new Map<string, string>();
  // enough for some batches; the rest comes live
  for (let n = 0; n < 400; n++) {
    const number = n % 2 ? general : gbv, body = `Môre ${n} 🆘 ${crypto.randomUUID()}`;
    words.set(await seal(first, { number, body, from: newSender() }), body);
  }
  let going = true;
  const photo = await sampleFile("tiny.gif");
  const talk = async () => {
    while (going) {
      const { number, gbvNumber } = MUNICIPALITIES[SLUGS[between(0, 1)]!];
      const body = `Kunzima ${crypto.randomUUID()}`;
      const sent = await send(newSender(), between(0, 1) ? number : gbvNumber, {
        body,
        files: between(0, 3) ? [] : [photo],
      });
      if (sent.status === 200) words.set(sent.message_sid, body);
      await pause(between(20, 120));
    }
  };
  const work = async () => {
    while (going) {
      await call("media-worker", { headers: { apikey: supabase.keys.secret, prefer: "wait=60" } });
      await pause(between(0, 50));
    }
  };
  let kills = 0;
  const kill = async (name: string) => {
    while (going) {
      if (between(0, 7)) await isUp(supabase, name);
      await pause(between(20, 500));
      if (going && await killFunction(supabase, name)) kills++;
    }
  };
  /** One after the other, as isolates go: for a while some have the new key and some the old. */
  const rotate = async (current: string, previous?: string) => {
    for (const name of functions) {
      await supabase.functions!.restart(name, keys(current, previous));
      await pause(between(100, 400));
    }
  };
  const gone = (id: string) =>
    until(`nothing is under key ${id}`, async () => !((await held())[id]), 180_000);

  const all = [talk(), talk(), work(), ...functions.map(kill)];
  try {
    await pause(1000);
    await rotate(SECOND, FIRST);
    await gone(firstId);
    await rotate(THIRD, SECOND);
    await gone(secondId);
  } finally {
    going = false;
    await Promise.all(all);
  }
  await rotate(THIRD);
  const left = await held();
  assertEquals([left[firstId], left[secondId], left.nobody], [undefined, undefined, undefined]);

  const third = await Fernet.fromKeys(THIRD);
  const rows =
    await sql`select message_sid, tenant_id, ticket_id, encrypted_payload from public.inbound_messages where sealed_with = ${thirdId}`;
  const known = new Map(rows.map((row) => [row.message_sid as string, row]));
  /** What each ticket was told. */
  const told = new Map<string, string[]>();
  for (const row of rows) {
    row.body = JSON.parse(await third.decrypt(row.encrypted_payload)).Body;
    told.set(row.ticket_id, [...told.get(row.ticket_id) ?? [], row.body]);
  }
  for (const [sid, body] of words) assertEquals(known.get(sid)?.body, body, `${sid} was acknowledged`);
  for (
    const { id, encrypted_description } of await sql`
      select id, encrypted_description from public.tickets where sealed_with = ${thirdId}`
  ) {
    const description = await third.decrypt(encrypted_description);
    assert(told.get(id)?.includes(description) ?? true, id);
  }
  // through the function too, as police liaison
  for (const slug of SLUGS) {
    const liaison = await person("saps_liaison", slug);
    const sids = [...words.keys()].filter((sid) => known.get(sid)!.tenant_id === MUNICIPALITIES[slug].id);
    for (let at = 0; at < sids.length; at += 100) {
      const message_sids = sids.slice(at, at + 100);
      const { body, status } = await call("open-report", { token: liaison.token, body: { message_sids } });
      assertEquals(status, 200);
      for (const { message_sid, text } of body.messages) assertEquals(text, words.get(message_sid));
      assertEquals(body.messages.length, message_sids.length);
    }
  }
  console.log(
    `${words.size} messages, ${kills} kills, ${Object.values(await held()).reduce((a, b) => a + b)} tokens`,
  );
});
