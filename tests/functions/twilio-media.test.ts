// WhatsApp intake, from the webhook of a pretend Twilio to the stored file: who is believed, which ticket a message
// joins, what of a GBV report may be seen, and what becomes of media that are not as they should be.
import { Fernet } from "../../shared/platform/fernet.ts";
import { REASONS } from "../../shared/failures.ts";
import { REPLIES } from "../../shared/twilio/replies.ts";
import { newSid } from "../../local/twilio-webhook.ts";
import type { Faults } from "../../local/twilio-client.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  assertRefused,
  call,
  callHandler,
  type Code,
  database,
  storesNothing,
  until,
} from "../support/functions.ts";
import { withOwnTwilio } from "../support/own-twilio.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  sample,
  service,
  sha256,
  type Slug,
  SLUGS,
} from "../support/stack.ts";
import {
  accepted,
  mediaOf,
  newSender,
  post,
  replyOf,
  type Sample,
  sampleFile,
  SAMPLES,
  send,
  settled,
  signatureOf,
  ticketOf,
  twilio,
  webhook,
  webhookHeaders,
} from "../support/whatsapp.ts";

const MiB = 1024 * 1024;
const { number: GENERAL, gbvNumber: GBV } = MUNICIPALITIES.mbombela;
const WEBHOOK = Deno.env.get("TWILIO_WEBHOOK_URL")!;

async function sampleOf(type: "image/jpeg" | "application/pdf", size?: number) {
  const blob = sample(type, size);
  return { type, bytes: await blob.bytes() as Uint8Array<ArrayBuffer> };
}

function objectsAt(path: string): Promise<number> {
  return database(async (sql) =>
    (await sql`select count(*)::integer as n from storage.objects where name = ${path}`)[0]!.n
  );
}

/** Columns of a ticket changed behind everybody's back. */
async function change(ticketId: string, columns: Record<string, unknown>): Promise<void> {
  await ok(service.from("tickets").update(columns).eq("id", ticketId).select());
}

/** Turns the ticket's clock back. */
async function age(ticketId: string, interval: string): Promise<void> {
  await database((sql) =>
    sql`update public.tickets set created_at = now() - ${interval}::interval where id = ${ticketId}`
  );
}

// Taking in -----------------------------------------------------------------------------------------------------------

for (const slug of SLUGS) {
  Deno.test(`${slug}: a message without media opens a ticket with its words and is answered with the reference`, async () => {
    const body = `Gebarste pyp ${crypto.randomUUID()}`;
    const sent = await accepted(newSender(), MUNICIPALITIES[slug].number, { body });
    const ticket = await ticketOf(sent.message_sid);
    assertEquals(ticket.tenant_id, MUNICIPALITIES[slug].id);
    assertEquals([ticket.category, ticket.status, ticket.is_sensitive], ["other", "open", false]);
    assertEquals(ticket.description, body);
    assertMatch(ticket.tracking_number, /^TKT-\d{8}-[0-9A-Z]{6}$/);
    assertStringIncludes(replyOf(sent), ticket.tracking_number);
    assertEquals(await mediaOf(sent.message_sid), []);
  });

  Deno.test(`${slug}: one medium arrives in evidence with the hash of the bytes that were sent`, async () => {
    const file = await sampleFile("burst-pipe.jpg");
    const sent = await accepted(newSender(), MUNICIPALITIES[slug].number, { files: [file] });
    const [record] = await settled(sent.message_sid, 1);
    const ticket = await ticketOf(sent.message_sid);
    const { tenant_id, ticket_id, bucket, status, sha256: hash, file_size, source, media_index } = record!;
    assertEquals(
      { tenant_id, ticket_id, bucket, status, hash, file_size, source, media_index },
      {
        tenant_id: MUNICIPALITIES[slug].id,
        ticket_id: ticket.id,
        bucket: "evidence",
        status: "stored",
        hash: await sha256(file.bytes),
        file_size: file.bytes.length,
        source: "whatsapp",
        media_index: 0,
      },
    );
    assertEquals([record!.last_error, record!.next_attempt_at], [null, null]);
    assertEquals(record!.path, `${tenant_id}/${record!.file_id}/whatsapp-1.jpg`);
  });
}

Deno.test("ten media, and the rest of the accepted types, each stored whole under its own type", async () => {
  const names = Object.keys(SAMPLES) as Sample[];
  const files = await Promise.all(names.map(sampleFile));
  const voice = await sampleFile("voice-note.ogg");
  const music = await sampleFile("tiny.m4a");
  const others = [
    ...files.slice(10),
    { ...voice, type: "audio/ogg; codecs=opus", stored: "audio/ogg" }, // as WhatsApp declares a voice note
    { ...music, type: "audio/mp4", stored: "audio/mp4" },
  ];
  await Promise.all([files.slice(0, 10), others].map(async (files) => {
    const sent = await accepted(newSender(), GENERAL, { files });
    const records = await settled(sent.message_sid, files.length);
    for (const [index, file] of files.entries()) {
      const { status, content_type, sha256: hash, file_size, bucket, path, last_error } = records[index]!;
      const what = `${file.name}: ${last_error}`;
      const type = "stored" in file ? file.stored : file.type;
      assertEquals([status, content_type, file_size], ["stored", type, file.bytes.length], what);
      assertEquals(hash, await sha256(file.bytes), what);
      const stored = await ok(service.storage.from(bucket).download(path));
      assertEquals(await sha256(stored), hash, what);
      assertEquals(stored.type, type, what);
    }
  }));
});

Deno.test("a medium of 15 MiB arrives whole, with the right hash", async () => {
  const file = await sampleOf("image/jpeg", 15 * MiB);
  const sent = await accepted(newSender(), GENERAL, { files: [file] });
  const [record] = await settled(sent.message_sid, 1);
  const hash = await sha256(file.bytes);
  assertEquals([record!.status, record!.file_size, record!.sha256], ["stored", 15 * MiB, hash]);
  const { bucket, path } = record!;
  assertEquals(await sha256(await ok(service.storage.from(bucket).download(path))), hash);
});

Deno.test("Twilio is answered before its media are fetched", async () => {
  const file = await sampleFile("burst-pipe-detail.png");
  const sent = await accepted(newSender(), GENERAL, {
    files: [file],
    options: { faults: { stall_ms: 800 } },
  });
  const [record] = await mediaOf(sent.message_sid);
  assertEquals([record!.status, record!.attempts], ["pending", 0]);
  assert(record!.next_attempt_at, "nobody would take it up if the function died now");
  assertEquals((await settled(sent.message_sid, 1))[0]!.status, "stored");
});

Deno.test("SMS and MMS arrive like WhatsApp, and a resident who uses both has one ticket", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const mms = await twilio.sendMessage({ from, to: GENERAL, body: "Pothole", files: [file] });
  assertEquals(mms.status, 200, mms.body);
  assertEquals((await settled(mms.message_sid, 1))[0]!.status, "stored");
  const whatsapp = await accepted(from, GENERAL);
  const sms = await twilio.sendMessage({ from, to: GENERAL, body: "Still there" });
  const tickets = await Promise.all(
    [mms, whatsapp, sms].map(async (sent) => (await ticketOf(sent.message_sid)).id),
  );
  assertEquals(new Set(tickets).size, 1);
});

Deno.test("a number behind a Messaging Service works", async () => {
  const options = { messaging_service_sid: `MG${"0".repeat(32)}` };
  const sent = await accepted(newSender(), MUNICIPALITIES.polokwane.number, { options });
  assertEquals((await ticketOf(sent.message_sid)).tenant_id, MUNICIPALITIES.polokwane.id);
});

Deno.test("a sender whose number WhatsApp withholds is served, and found again", async () => {
  const from = `ZA.${crypto.randomUUID().replaceAll("-", "")}`;
  const first = await accepted(from, GENERAL);
  const second = await accepted(from, GENERAL);
  assertEquals((await ticketOf(first.message_sid)).id, (await ticketOf(second.message_sid)).id);
});

Deno.test("parameters nobody has announced, and empty ones, do not matter", async () => {
  const params = { Latitude: "-25.47", ButtonText: "", NewThing: "of next year", ReferralBody: "ad" };
  await accepted(newSender(), GENERAL, { params });
});

Deno.test("the whole webhook is kept, sealed: the current key opens it", async () => {
  const from = newSender();
  const params = webhook(from, GENERAL, {
    Body: "Ongelyk: é, 水, 📷 & 100% + 'quotes'",
    ButtonText: "",
    Latitude: "-25.4753",
    ProfileName: "Thandi 🌻",
  });
  for (const label of ["one", "two"]) params.append("Label", label);
  assertEquals((await post(params)).status, 200);
  const { encrypted_payload } = await ok(
    service.from("inbound_messages").select("encrypted_payload").eq("message_sid", params.get("MessageSid")!)
      .single(),
  );
  const fernet = await Fernet.fromKeys(Deno.env.get("ENCRYPTION_KEY_CURRENT")!);
  assertEquals(JSON.parse(await fernet.decrypt(encrypted_payload)), {
    ...Object.fromEntries(params),
    Label: ["one", "two"],
  });
});

// Who is believed -----------------------------------------------------------------------------------------------------

async function refused(sent: { status: number; body: string }, code: Code, what: string): Promise<void> {
  const headers = { "x-request-id": JSON.parse(sent.body).request_id, "cache-control": "no-store" };
  const answer = await callHandler(() =>
    Promise.resolve(new Response(sent.body, { status: sent.status, headers }))
  );
  assertRefused(answer, code, what);
}

Deno.test("what Twilio did not sign is refused before anything is looked up, and nothing is stored", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const files = [file];
  const params = webhook(from, GENERAL);
  const signature = signatureOf(params);
  const changed = new URLSearchParams(params);
  changed.set("Body", "something else");
  const added = new URLSearchParams(params);
  added.append("To", GBV);
  const removed = new URLSearchParams(params);
  removed.delete("ProfileName");
  const unknown = webhook(from, "+27999999999");

  await storesNothing(async () => {
    for (
      const [what, sent] of [
        ["no signature", await send(from, GENERAL, { files, options: { signature: "missing" } })],
        ["a wrong signature", await send(from, GENERAL, { files, options: { signature: "wrong" } })],
        [
          "a changed URL",
          await send(from, GENERAL, { files, options: { signed_url: `${WEBHOOK}/other` } }),
        ],
        [
          "another host",
          await send(from, GENERAL, {
            options: { signed_url: "https://evil.example/functions/v1/twilio-media" },
          }),
        ],
      ] as const
    ) await refused(sent, "invalid_signature", what);

    for (
      const [what, answer] of [
        ["a changed parameter", await post(changed, signature)],
        ["an added parameter", await post(added, signature)],
        ["a removed parameter", await post(removed, signature)],
        ["an added query", await post(params, signature, "?ticket_id=")],
        ["the signature of another message", await post(params, signatureOf(webhook(from, GENERAL)))],
        ["an empty signature", await post(params, "")],
        ["no base64", await post(params, "§§§".replaceAll("§", "%"))],
        ["a signature cut short", await post(params, signature.slice(0, 10))],
        ["an unknown number, unsigned", await post(unknown, "")],
        [
          "the secret key instead",
          await call("twilio-media", {
            token: Deno.env.get("SUPABASE_SERVICE_ROLE_KEY"),
            body: params.toString(),
            headers: { "content-type": "application/x-www-form-urlencoded" },
          }),
        ],
      ] as const
    ) assertRefused(answer, "invalid_signature", what);
  });
  assertEquals((await post(params, signature)).status, 200, "unchanged it is good");
});

Deno.test("what is signed and yet wrong is refused, each with its code, and nothing is stored", async () => {
  const from = newSender();
  const files = [await sampleOf("image/jpeg")];
  const url = (host: string) => `https://${host}/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1`;
  const cases: [what: string, sent: Promise<{ status: number; body: string }>, code: Code][] = [
    ["an unknown number", send(from, "+27999999999", { files }), "not_found"],
    ["another account", send(from, GENERAL, { files, params: { AccountSid: newSid("SM") } }), "forbidden"],
    ["no account", send(from, GENERAL, { files, params: { AccountSid: null } }), "forbidden"],
    [
      "NumMedia larger than the media",
      send(from, GENERAL, { files, options: { num_media: "2" } }),
      "invalid_request",
    ],
    ["NumMedia 11", send(from, GENERAL, { files, options: { num_media: "11" } }), "invalid_request"],
    ["NumMedia -1", send(from, GENERAL, { files, options: { num_media: "-1" } }), "invalid_request"],
    ["NumMedia a word", send(from, GENERAL, { files, options: { num_media: "one" } }), "invalid_request"],
    ["no MessageSid", send(from, GENERAL, { params: { MessageSid: null } }), "invalid_request"],
    ["a MessageSid of words", send(from, GENERAL, { params: { MessageSid: "hello" } }), "invalid_request"],
    ["no From", send(from, GENERAL, { params: { From: null } }), "invalid_request"],
    ["no To", send(from, GENERAL, { params: { To: null } }), "invalid_request"],
    ["no type", send(from, GENERAL, { files, params: { MediaContentType0: null } }), "invalid_request"],
    ...[
      url("evil.example"),
      url("api.twilio.com.evil.example"),
      url("api.twilio.com@evil.example"),
      url("user:password@api.twilio.com"),
      url("api.twilio.com:8443"),
      url("api.twilio.com").replace("https:", "http:"),
      "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
      "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/../../../../x",
      "file:///etc/passwd",
      "http://169.254.169.254/latest/meta-data",
      "",
    ].map((MediaUrl0): typeof cases[number] => [
      `a medium at ${MediaUrl0}`,
      send(from, GENERAL, { files, params: { MediaUrl0 } }),
      "invalid_request",
    ]),
  ];
  await storesNothing(async () => {
    for (const [what, sent, code] of cases) {
      const answer = await sent;
      await refused(answer, code, what);
      assert(!answer.body.includes(from.slice(1)), `${what}: the number is in the answer`);
    }
  });
});

Deno.test("a webhook of 2 MB, of another type, or by another method is refused", async () => {
  const params = webhook(newSender(), GENERAL, { Body: "x".repeat(2_000_000) });
  const small = webhook(newSender(), GENERAL);
  await storesNothing(async () => {
    assertRefused(await post(params), "payload_too_large", "2 MB");
    const headers = { ...webhookHeaders(signatureOf(small)), "content-type": "application/json" };
    const json = await call("twilio-media", { body: Object.fromEntries(small), headers });
    assertRefused(json, "unsupported_media_type", "JSON");
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "GET" ? undefined : small.toString();
      const answer = await call("twilio-media", {
        method,
        body,
        headers: webhookHeaders(signatureOf(small)),
      });
      assertRefused(answer, "method_not_allowed", method);
      assertEquals(answer.headers.get("allow"), "POST, OPTIONS");
    }
  });
});

Deno.test("no browser may call the webhook", async () => {
  const answer = await call("twilio-media", {
    method: "OPTIONS",
    headers: { origin: Deno.env.get("ALLOWED_ORIGINS")!.split(",")[0]! },
  });
  assertEquals(answer.headers.get("access-control-allow-origin"), null);
});

// Nothing twice -------------------------------------------------------------------------------------------------------

for (const [what, number] of [["general", GENERAL], ["GBV", GBV]] as const) {
  Deno.test(`a replay of a message to the ${what} number adds nothing and gets the same answer`, async () => {
    const file = await sampleOf("image/jpeg");
    const sent = await accepted(newSender(), number, { files: [file] });
    const before = await settled(sent.message_sid, 1);
    await storesNothing(async () => {
      for (let times = 0; times < 2; times++) {
        const again = await twilio.replay(sent.message_sid);
        assertEquals([again.status, again.body], [200, sent.body]);
      }
    });
    assertEquals(await mediaOf(sent.message_sid), before);
  });

  Deno.test(`deliveries at once of one message to the ${what} number are one message`, async () => {
    const files = [await sampleOf("image/jpeg"), await sampleFile("burst-pipe-detail.png")];
    const from = newSender();
    const { message_sid } = await send(from, number, { files, options: { deliver: false } });
    const answers = await Promise.all([1, 2, 3].map(() => twilio.replay(message_sid)));
    for (const { status, body } of answers) assertEquals([status, body], [200, answers[0]!.body]);
    const records = await settled(message_sid, 2);
    assertEquals(records.map(({ status }) => status), ["stored", "stored"]);
    assertEquals(records.map(({ attempts }) => attempts), [1, 1], "transferred more than once");
    const { sender_ref } = await ticketOf(message_sid);
    const tickets = await ok(service.from("tickets").select("id").eq("sender_ref", sender_ref));
    assertEquals(tickets.length, 1);
  });
}

Deno.test("three messages of one sender at once open one ticket", async () => {
  const from = newSender();
  const file = await sampleOf("image/jpeg");
  const sent = await Promise.all([1, 2, 3].map(() => accepted(from, GENERAL, { files: [file] })));
  const tickets = await Promise.all(sent.map(({ message_sid }) => ticketOf(message_sid)));
  assertEquals(new Set(tickets.map(({ id }) => id)).size, 1);
  for (const { message_sid } of sent) await settled(message_sid, 1);
});

// Which ticket --------------------------------------------------------------------------------------------------------

/** The ticket of a first message, and what a second one finds after something happened to it. */
async function followUp(
  between: (ticketId: string) => Promise<void>,
  { slug = "mbombela" as Slug, from = newSender(), next = {} as { from?: string; to?: string } } = {},
): Promise<{ first: string; second: string }> {
  const { number } = MUNICIPALITIES[slug];
  const first = (await ticketOf((await accepted(from, number)).message_sid)).id;
  await between(first);
  const sent = await accepted(next.from ?? from, next.to ?? number);
  return { first, second: (await ticketOf(sent.message_sid)).id };
}

for (const slug of SLUGS) {
  Deno.test(`${slug}: a follow-up joins the sender's open ticket`, async () => {
    for (const status of ["open", "in_progress", "escalated"]) {
      const { first, second } = await followUp((id) => change(id, { status }), { slug });
      assertEquals(second, first, status);
    }
  });

  Deno.test(`${slug}: a follow-up to a resolved or closed ticket opens a new one`, async () => {
    for (const status of ["resolved", "closed"]) {
      const { first, second } = await followUp((id) => change(id, { status }), { slug });
      assertNotEquals(second, first, status);
    }
  });
}

Deno.test("a follow-up joins a ticket of nearly 7 days, and not one older", async () => {
  const young = await followUp((id) => age(id, "6 days 23 hours"));
  assertEquals(young.second, young.first);
  const old = await followUp((id) => age(id, "7 days 1 minute"));
  assertNotEquals(old.second, old.first);
});

Deno.test("of several open tickets a follow-up joins the youngest", async () => {
  const from = newSender();
  const older = await ticketOf((await accepted(from, GENERAL)).message_sid);
  await change(older.id, { status: "resolved" });
  const younger = await ticketOf((await accepted(from, GENERAL)).message_sid);
  assertNotEquals(younger.id, older.id);
  await change(older.id, { status: "open" });
  await age(older.id, "3 days");
  assertEquals((await ticketOf((await accepted(from, GENERAL)).message_sid)).id, younger.id);
});

Deno.test("a message never joins another sender's ticket, nor one of another municipality", async () => {
  const sender = await followUp(() => Promise.resolve(), { next: { from: newSender() } });
  assertNotEquals(sender.second, sender.first);
  const { number, id } = MUNICIPALITIES.polokwane;
  const municipality = await followUp(() => Promise.resolve(), { next: { to: number } });
  assertNotEquals(municipality.second, municipality.first);
  const { tenant_id } = await ok(
    service.from("tickets").select("tenant_id").eq("id", municipality.second).single(),
  );
  assertEquals(tenant_id, id);
});

for (const slug of SLUGS) {
  Deno.test(`${slug}: ?ticket_id= names the ticket, if it is the municipality's own and Twilio signed it`, async () => {
    const { number } = MUNICIPALITIES[slug];
    const other = slug === "mbombela" ? "polokwane" : "mbombela";
    const own = await makeTicket(slug);
    const from = newSender();
    const file = await sampleOf("image/jpeg");
    await accepted(from, number); // has an open ticket, which is not the one named
    const sent = await accepted(from, number, { ticket_id: own.id, files: [file] });
    assertEquals((await ticketOf(sent.message_sid)).id, own.id);
    const [record] = await settled(sent.message_sid, 1);
    assertEquals([record!.ticket_id, record!.bucket], [own.id, "evidence"]);

    const foreign = await makeTicket(other);
    await storesNothing(async () => {
      const named = (ticket_id: string) => send(from, number, { ticket_id, files: [file] });
      await refused(await named(foreign.id), "not_found", "the other municipality's ticket");
      await refused(await named(crypto.randomUUID()), "not_found", "an unknown ticket");
      await refused(await named("TKT-20260101-ABCDEF"), "invalid_request", "garbage");
      await refused(await named(""), "invalid_request", "nothing");
      const options = { webhook_url: `${WEBHOOK}?ticket_id=${own.id}`, signed_url: WEBHOOK };
      await refused(await send(from, number, { options }), "invalid_signature", "an unsigned query");
      const swapped = {
        webhook_url: `${WEBHOOK}?ticket_id=${own.id}`,
        signed_url: `${WEBHOOK}?ticket_id=${foreign.id}`,
      };
      await refused(await send(from, number, { options: swapped }), "invalid_signature", "another ticket");
    });
  });
}

// GBV -----------------------------------------------------------------------------------------------------------------

/** Every row of every table that the bundle writes, as text. */
async function everything(): Promise<string> {
  return await database(async (sql) => {
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_schema in ('public', 'private', 'realtime') and table_type = 'BASE TABLE'
        and has_table_privilege(format('%I.%I', table_schema, table_name), 'select')
      union all select 'storage.objects'`;
    assert(tables.length >= 6, "too few tables: the dump would prove nothing");
    const dumps = await Promise.all(tables.map(async ({ name }) => {
      const [row] = await sql.unsafe(
        `select coalesce(string_agg(t::text, E'\\n'), '') as rows from ${name} t`,
      );
      return `${name}\n${row!.rows}`;
    }));
    return dumps.join("\n");
  });
}

/** Words and numbers as they might be written down: as they are, in base64, in hex, or hashed without a key. */
async function traces(text: string): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  const hash = await sha256(bytes);
  const hashBytes = Uint8Array.from(hash.match(/../g)!, (hex) => parseInt(hex, 16));
  const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
  const middle = base64(bytes).slice(0, -4); // the end depends on what follows
  const hashed = base64(hashBytes).replace(/=+$/, "");
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [text, middle, hex, hash, hashed, hashed.replaceAll("+", "-").replaceAll("/", "_")];
}

for (const slug of SLUGS) {
  const { gbvNumber, number, id: tenant } = MUNICIPALITIES[slug];

  Deno.test(`${slug}: a report to the GBV number is sensitive, sealed, and answered neutrally`, async () => {
    const from = newSender();
    const word = `Geslaan${crypto.randomUUID().replaceAll("-", "")}`;
    const name = `Nomsa${crypto.randomUUID().slice(0, 8)}`;
    const file = { ...await sampleFile("voice-note.ogg"), name: `${word}.ogg` };
    const sent = await accepted(from, gbvNumber, {
      body: `Help, ${word} gister`,
      profile_name: name,
      files: [file],
    });

    const ticket = await ticketOf(sent.message_sid);
    assertEquals(
      [ticket.tenant_id, ticket.is_sensitive, ticket.category, ticket.description],
      [tenant, true, "gbv", null],
    );
    const [record] = await settled(sent.message_sid, 1);
    assertEquals([record!.bucket, record!.status], ["gbv-evidence", "stored"]);
    assertEquals(record!.purpose, "gbv-evidence");

    const dump = await everything();
    assertStringIncludes(dump, ticket.id, "the dump lacks the ticket");
    for (const secret of [word, name, from.slice(1), from, `whatsapp:${from}`]) {
      for (const trace of await traces(secret)) assert(!dump.includes(trace), `in the clear: ${trace}`);
    }
    const fernet = await Fernet.fromKeys(Deno.env.get("ENCRYPTION_KEY_CURRENT")!);
    assertEquals(await fernet.decrypt(ticket.encrypted_description!), `Help, ${word} gister`);

    const reply = replyOf(sent);
    assertNotMatch(reply, /TKT|\d|gbv|violence|geweld|abuse|police|polisie|saps|report|sensitive/i);
    assert(!reply.includes(word) && !reply.includes(name));
    assert(!reply.includes(ticket.tracking_number));
  });

  Deno.test(`${slug}: to the general number, from whoever has an open sensitive ticket, is sensitive as well`, async () => {
    const from = newSender();
    const first = await ticketOf((await accepted(from, gbvNumber)).message_sid);
    const word = `Weer${crypto.randomUUID().replaceAll("-", "")}`;
    const file = await sampleOf("image/jpeg");
    const sent = await accepted(from, number, { body: word, files: [file] });
    assertEquals((await ticketOf(sent.message_sid)).id, first.id);
    assertEquals((await settled(sent.message_sid, 1))[0]!.bucket, "gbv-evidence");
    assertNotMatch(replyOf(sent), /TKT|\d/);
    const dump = await everything();
    for (const trace of await traces(word)) assert(!dump.includes(trace), `in the clear: ${trace}`);
  });

  Deno.test(`${slug}: a message to a ticket that has been made sensitive is sensitive as well`, async () => {
    const from = newSender();
    const ticket = await ticketOf((await accepted(from, number)).message_sid);
    await change(ticket.id, { is_sensitive: true });
    const file = await sampleOf("image/jpeg");
    for (const named of [{}, { ticket_id: ticket.id }]) {
      const sent = await accepted(from, number, { ...named, files: [file] });
      assertEquals((await ticketOf(sent.message_sid)).id, ticket.id);
      assertEquals((await settled(sent.message_sid, 1))[0]!.bucket, "gbv-evidence");
      assertNotMatch(replyOf(sent), /TKT|\d/);
    }
  });

  Deno.test(`${slug}: a message to the GBV number never joins an ordinary ticket`, async () => {
    const from = newSender();
    const ordinary = await ticketOf((await accepted(from, number)).message_sid);
    const report = await ticketOf((await accepted(from, gbvNumber)).message_sid);
    assertNotEquals(report.id, ordinary.id);
    assert(report.is_sensitive);
    assertEquals((await ticketOf((await accepted(from, gbvNumber)).message_sid)).id, report.id);
    assert(
      !(await ok(service.from("tickets").select("is_sensitive").eq("id", ordinary.id).single())).is_sensitive,
    );
  });
}

Deno.test("the words of a sensitive report and its sender leave the function sealed only", async () => {
  const from = newSender();
  const word = `Geslaan${crypto.randomUUID().replaceAll("-", "")}`;
  const calls: Promise<string>[] = [];
  await withOwnTwilio({
    onFetch: (request) => {
      if (request.url.includes("/rest/v1/")) calls.push(request.clone().text());
    },
  }, async (own) => {
    for (const to of [GBV, GENERAL]) { // the second joins the first's ticket
      const sent = await send(from, to, { body: word }, own.twilio);
      assertEquals(sent.status, 200, sent.body);
    }
  });
  const bodies = await Promise.all(calls);
  assert(bodies.some((body) => body.includes("gAAAA")), "no call was seen");
  for (const secret of [word, from.slice(1)]) {
    for (const trace of await traces(secret)) {
      for (const body of bodies) assert(!body.includes(trace), "the database is told in the clear");
    }
  }
});

Deno.test("a message to the GBV number is on a sensitive ticket even where the URL names an ordinary one", async () => {
  const ordinary = await makeTicket("mbombela");
  const file = await sampleOf("image/jpeg");
  const sent = await accepted(newSender(), GBV, { ticket_id: ordinary.id, files: [file] });
  const [record] = await settled(sent.message_sid, 1);
  assertEquals(record!.bucket, "gbv-evidence");
  assertNotMatch(replyOf(sent), /TKT|\d/);
  assert((await ticketOf(sent.message_sid)).is_sensitive, "police liaison does not learn of the report");
});

Deno.test("a sender's number is nowhere in the clear for ordinary reports either", async () => {
  const from = newSender();
  await accepted(from, GENERAL);
  const dump = await everything();
  for (const trace of await traces(from)) assert(!dump.includes(trace), `in the clear: ${trace}`);
  assert(!dump.includes(from.slice(1)));
});

// The reply -----------------------------------------------------------------------------------------------------------

Deno.test("the reply is in the municipality's language, or the one the ticket was given since", async () => {
  const english = newSender();
  assertMatch(replyOf(await accepted(english, GENERAL)), /^Thank you.*TKT-/);
  assertMatch(replyOf(await accepted(newSender(), GBV)), /^Thank you/);
  const { number, gbvNumber } = MUNICIPALITIES.polokwane;
  const sent = await accepted(newSender(), number);
  assertMatch(replyOf(sent), /^Dankie.*TKT-/);
  assertEquals((await ticketOf(sent.message_sid)).language, "af");
  assertMatch(replyOf(await accepted(newSender(), gbvNumber)), /^Dankie/);

  for (const to of [GENERAL, GBV]) {
    const from = newSender();
    const { id } = await ticketOf((await accepted(from, to)).message_sid);
    await change(id, { language: "zu" });
    assertMatch(replyOf(await accepted(from, to)), /^Siyabonga/);
  }
});

Deno.test("only a ticket's first message is answered with the reference, a replay of it as well", async () => {
  const from = newSender();
  const atOnce = await Promise.all([1, 2, 3].map(() => accepted(from, GENERAL)));
  assertEquals(atOnce.filter((sent) => replyOf(sent).includes("TKT-")).length, 1, "of three at once");
  const later = await accepted(from, GENERAL);
  for (const sent of [...atOnce, later]) {
    assertEquals((await twilio.replay(sent.message_sid)).body, sent.body);
  }

  // what a partner reads: nothing in the replies says that the second thread is another matter than the first
  const report = newSender();
  const thread = [await accepted(report, GBV), await accepted(report, GBV), await accepted(report, GENERAL)];
  for (const sent of thread) assertEquals(sent.body, later.body);

  const { id } = await ticketOf(later.message_sid);
  await change(id, { is_sensitive: true });
  assertEquals(
    (await accepted(from, GENERAL)).body,
    later.body,
    "it shows that the ticket was made sensitive",
  );
});

Deno.test("the database takes every language that we reply in, for tickets and municipalities, and no word that is none", async () => {
  const { id } = await ticketOf((await accepted(newSender(), GENERAL)).message_sid);
  for (const language of Object.keys(REPLIES)) await change(id, { language });
  const { error } = await service.from("tickets").update({ language: "english" }).eq("id", id);
  assertEquals(error?.code, "23514");
  const [tickets, municipalities] = await database((sql) =>
    sql`select pg_get_constraintdef(oid) as rule from pg_constraint
      where conname in ('tickets_language_check', 'municipalities_language_check')`
  );
  assertEquals(tickets!.rule, municipalities!.rule);
});

Deno.test("the reply is TwiML as Twilio reads it", async () => {
  const answer = await post(webhook(newSender(), GENERAL));
  assertMatch(answer.headers.get("content-type") ?? "", /^text\/xml/);
  assert(replyOf({ body: answer.text }));
});

// Media that are not as they should be --------------------------------------------------------------------------------

/** Reasons that no further try can mend; the others are tried again. */
const FINAL = ["payload_too_large", "type_mismatch", "unsupported_media_type"];

interface Fault {
  what: string;
  file: () => Promise<{ type: string; bytes: Uint8Array<ArrayBuffer> }>;
  faults?: Faults;
  reasons: string[];
}

const jpeg = (size?: number) => () => sampleOf("image/jpeg", size);
const text = (type: string, words: string) => () =>
  Promise.resolve({ type, bytes: new TextEncoder().encode(words) as Uint8Array<ArrayBuffer> });
const VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Thandi\r\nEND:VCARD\r\n";
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const broken = ["length_mismatch", "media_unavailable"];

const FAULTS: Fault[] = [
  { what: "cut off", file: jpeg(200_000), faults: { truncate: 100_000 }, reasons: broken },
  { what: "cut off after 2 MiB", file: jpeg(3 * MiB), faults: { truncate: 2 * MiB }, reasons: broken },
  { what: "empty", file: text("image/jpeg", ""), reasons: broken },
  { what: "of 17 MiB", file: jpeg(17 * MiB), reasons: ["payload_too_large"] },
  {
    what: "of more than 16 MiB and no Content-Length",
    file: jpeg(2 * MiB),
    faults: { oversize: 15 * MiB },
    reasons: ["payload_too_large"],
  },
  {
    what: "a PDF declared as JPEG",
    file: async () => ({ ...await sampleOf("application/pdf"), type: "image/jpeg" }),
    reasons: ["type_mismatch"],
  },
  { what: "a web page declared as JPEG", file: text("image/jpeg", "<html>"), reasons: ["type_mismatch"] },
  { what: "a contact card", file: text("text/vcard", VCARD), reasons: ["unsupported_media_type"] },
  {
    what: "a drawing that can run scripts",
    file: text("image/svg+xml", SVG),
    reasons: ["type_mismatch", "unsupported_media_type"],
  },
  {
    what: "redirected to another host",
    file: jpeg(),
    faults: { redirect_to: "https://evil.invalid/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to a host that looks like the CDN",
    file: jpeg(),
    faults: { redirect_to: "https://media.twiliocdn.com.evil.invalid/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to the CDN without TLS",
    file: jpeg(),
    faults: { redirect_to: "http://media.twiliocdn.com/x.jpg" },
    reasons: ["media_refused"],
  },
  {
    what: "redirected to an address inside",
    file: jpeg(),
    faults: { redirect_to: "http://127.0.0.1:1/x.jpg" },
    reasons: ["media_refused"],
  },
  { what: "redirected for ever", file: jpeg(), faults: { redirect_loop: true }, reasons: ["media_refused"] },
  { what: "behind an expired link", file: jpeg(), faults: { link_seconds: -1 }, reasons: ["media_refused"] },
  { what: "refused by Twilio", file: jpeg(), faults: { status: 401 }, reasons: ["media_refused"] },
  { what: "not given by Twilio", file: jpeg(), faults: { status: 500 }, reasons: ["media_unavailable"] },
  { what: "not given by the CDN", file: jpeg(), faults: { cdn_status: 503 }, reasons: ["media_unavailable"] },
  {
    what: "not found for good",
    file: jpeg(),
    faults: { not_found_first: 100 },
    reasons: ["media_not_found"],
  },
];

for (const { what, file, faults, reasons } of FAULTS) {
  Deno.test(`a medium ${what} is not stored, staff see why, and the one beside it arrives`, async () => {
    const good = await sampleFile("burst-pipe-detail.png");
    const sent = await accepted(newSender(), GENERAL, {
      files: [await file(), good],
      options: { media_faults: [faults ?? null, null] },
    });
    await settled(sent.message_sid, 2);
    const { supabase } = await person("field_worker");
    const columns = "path, status, last_error, next_attempt_at, sha256, stored_at";
    const [bad, beside] = await ok(
      supabase.from("media_attachments").select(columns).eq("message_sid", sent.message_sid)
        .order("media_index"),
    );
    assertStringIncludes(` ${reasons.join(" ")} `, ` ${bad!.last_error} `);
    assert(Object.hasOwn(REASONS, bad!.last_error));
    const final = FINAL.includes(bad!.last_error);
    assertEquals(bad!.status, final ? "failed" : "pending");
    assertEquals(bad!.next_attempt_at === null, final, "when it is tried again");
    assertEquals([bad!.sha256, bad!.stored_at], [null, null]);
    assertEquals(await objectsAt(bad!.path), 0, "something of it is in Storage");
    assertEquals([beside!.status, beside!.sha256], ["stored", await sha256(good.bytes)]);
    assert((await twilio.media()).some(({ message_sid }) => message_sid === sent.message_sid));
  });
}

Deno.test("a medium that Twilio does not know yet just after the webhook arrives all the same", async () => {
  const file = await sampleOf("image/jpeg");
  const options = { faults: { not_found_first: 2 } };
  const sent = await accepted(newSender(), GENERAL, { files: [file], options });
  const [record] = await settled(sent.message_sid, 1);
  assertEquals([record!.status, record!.sha256], ["stored", await sha256(file.bytes)]);
});

Deno.test("credentials go to api.twilio.com and never to the CDN", async () => {
  const files = [await sampleOf("image/jpeg"), await sampleFile("burst-pipe-detail.png")];
  const options = { media_faults: [null, { redirect_to: "https://mms.twiliocdn.com/x" }] };
  const sent = await accepted(newSender(), GENERAL, { files, options });
  await settled(sent.message_sid, 2);
  const log = await twilio.log();
  assert(log.some(({ host, credentials }) => host === "api.twilio.com" && credentials));
  assert(log.some(({ host }) => host === "media.twiliocdn.com"));
  assert(log.some(({ host }) => host === "mms.twiliocdn.com"));
  assertEquals(log.filter(({ leak }) => leak), []);
});

Deno.test("Twilio's copies are kept unless asked otherwise", async () => {
  const sent = await accepted(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] });
  assertEquals((await settled(sent.message_sid, 1))[0]!.status, "stored");
  assertEquals(
    (await twilio.media()).filter(({ message_sid }) => message_sid === sent.message_sid).length,
    1,
  );
});

// The log -------------------------------------------------------------------------------------------------------------

const LOG_FILE = `${Deno.env.get("LOCAL_SUPABASE_RUN")}/functions.log`;

async function functionLog(): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(LOG_FILE);
  } catch {
    return undefined; // not the stand-in, or not this machine
  }
}

Deno.test({
  name:
    "the log holds no number, name, word, key, token or signed URL, and a line for each request and medium",
  ignore: await functionLog() === undefined,
  fn: async () => {
    const [from, refusedFrom] = [newSender(), newSender()];
    const word = `Woord${crypto.randomUUID().replaceAll("-", "")}`;
    const name = `Sipho${crypto.randomUUID().slice(0, 8)}`;
    const message = { body: word, profile_name: name };
    const files = [
      await sampleOf("image/jpeg"),
      await sampleFile("burst-pipe-detail.png"),
      await sampleFile("burst-pipe-detail.png"),
    ];
    const media_faults = [null, { status: 500 }, { redirect_to: `https://evil.invalid/${word}` }];
    const sent = [
      await accepted(from, GENERAL, { ...message, files, options: { media_faults } }),
      await accepted(from, GBV, { ...message, files, options: { media_faults } }),
    ];
    await send(refusedFrom, GENERAL, { ...message, options: { signature: "wrong" } });
    await send(refusedFrom, "+27999999999", message);
    await send(refusedFrom, GENERAL, { ...message, ticket_id: word });
    await send(refusedFrom, GENERAL, {
      ...message,
      files,
      params: { MediaUrl0: `https://evil.invalid/${word}` },
    });
    const records = (await Promise.all(sent.map((each) => settled(each.message_sid, 3)))).flat();
    await until("the log has each medium", async () => {
      const log = await functionLog();
      return records.every(({ file_id }) => log!.includes(file_id));
    });

    const log = (await functionLog())!;
    const secrets = [
      ...[from, refusedFrom].map((number) => number.slice(1)),
      word,
      name,
      ...[
        "TWILIO_AUTH_TOKEN",
        "ENCRYPTION_KEY_CURRENT",
        "SENDER_HASH_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
      ].map((name) => Deno.env.get(name)!),
      (await person("admin")).token,
    ];
    for (const secret of secrets) assert(!log.includes(secret), `the log has ${secret}`);
    assertNotMatch(
      log,
      /whatsapp:|eyJ|gAAAA|token=|Signature=|Basic |Bearer |twiliocdn\.com\/|\+27|burst-pipe/,
    );
    const lines = log.split("\n").filter((line) => line.startsWith("[twilio-media] "));
    for (const line of lines) {
      const { function: name, request_id, code } = JSON.parse(line.slice("[twilio-media] ".length));
      assert(name === "twilio-media" && request_id && code, line);
    }
  },
});

// Settings of their own -----------------------------------------------------------------------------------------------

Deno.test("an API key fetches and deletes media in the auth token's place", async () => {
  const apiKey = { sid: `SK${"1".repeat(32)}`, secret: crypto.randomUUID() };
  const expected = `Basic ${btoa(`${apiKey.sid}:${apiKey.secret}`)}`;
  const seen: string[] = [];
  await withOwnTwilio({
    env: {
      TWILIO_API_KEY_SID: apiKey.sid,
      TWILIO_API_KEY_SECRET: apiKey.secret,
      TWILIO_DELETE_MEDIA: "true",
    },
    apiKey,
    onFetch: ({ url, headers }) => {
      if (url.includes("twilio")) seen.push(`${new URL(url).host} ${headers.get("authorization")}`);
    },
  }, async (own) => {
    const file = await sampleOf("image/jpeg");
    const sent = await send(newSender(), GENERAL, { files: [file] }, own.twilio);
    assertEquals(sent.status, 200, sent.body);
    await own.finished();
    assertEquals((await mediaOf(sent.message_sid))[0]!.status, "stored");
    assertEquals(seen, [
      `api.twilio.com ${expected}`,
      "media.twiliocdn.com null",
      `api.twilio.com ${expected}`,
    ]);
    assertEquals((await own.twilio.log()).filter(({ leak }) => leak), []);
  });
});

Deno.test("TWILIO_DELETE_MEDIA=true removes Twilio's copy of what is stored, and keeps what is not", async () => {
  await withOwnTwilio({ env: { TWILIO_DELETE_MEDIA: "true" } }, async (own) => {
    for (const to of [GENERAL, GBV]) {
      const files = [
        await sampleOf("image/jpeg"),
        { ...await sampleOf("application/pdf"), type: "image/jpeg" },
        await sampleFile("burst-pipe-detail.png"),
        await sampleOf("image/jpeg", 2 * MiB),
      ];
      const options = { media_faults: [null, null, { cdn_status: 500 }, { truncate: 1.5 * MiB }] };
      const sent = await send(newSender(), to, { files, options }, own.twilio);
      await own.finished();
      const records = await mediaOf(sent.message_sid);
      assertEquals(records.map(({ status }) => status), ["stored", "failed", "pending", "pending"]);
      const { bucket, path } = records[0]!;
      const stored = await ok(service.storage.from(bucket).download(path));
      assertEquals(await sha256(stored), await sha256(files[0]!.bytes));
      const kept = (await own.twilio.media()).filter(({ message_sid }) => message_sid === sent.message_sid);
      assertEquals(kept.map(({ sid }) => sid), sent.media.slice(1).map(({ sid }) => sid));
    }
  });
});

for (const setting of [undefined, "false", "", "no"]) {
  Deno.test(`TWILIO_DELETE_MEDIA=${setting} keeps Twilio's copy`, async () => {
    await withOwnTwilio({ env: { TWILIO_DELETE_MEDIA: setting } }, async (own) => {
      const sent = await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await own.finished();
      assertEquals((await mediaOf(sent.message_sid))[0]!.status, "stored");
      assertEquals((await own.twilio.media()).length, 1);
    });
  });
}

const STORAGE = "/storage/v1/object/";

Deno.test("Twilio's copy is kept where the stored bytes read back are others, or cannot be read", async () => {
  const other = () => new Response(sample().stream(), { headers: { "content-type": "image/jpeg" } });
  const none = () => Response.json({ statusCode: "500", error: "x", message: "x" }, { status: 400 });
  for (const instead of [other, none]) {
    await withOwnTwilio({
      env: { TWILIO_DELETE_MEDIA: "true" },
      onFetch: ({ url, method }) => url.includes(STORAGE) && method === "GET" ? instead() : undefined,
    }, async (own) => {
      await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await own.finished();
      assertEquals((await own.twilio.media()).length, 1);
    });
  }
});

Deno.test("while Storage is down Twilio is answered, and each medium stays to be tried again", async () => {
  const down: [what: string, answer: () => Response][] = [
    ["refuses", () => Response.json({ statusCode: "500", error: "x", message: "x" }, { status: 500 })],
    ["is gone", () => {
      throw new TypeError("connection refused");
    }],
  ];
  for (const [what, answer] of down) {
    await withOwnTwilio({
      onFetch: ({ url, method }) => url.includes(STORAGE) && method === "POST" ? answer() : undefined,
    }, async (own) => {
      const files = [await sampleOf("image/jpeg"), await sampleOf("image/jpeg", 2 * MiB)];
      const sent = await send(newSender(), GENERAL, { files }, own.twilio);
      assertEquals(sent.status, 200, sent.body);
      await own.finished();
      for (const { status, last_error, next_attempt_at, attempts } of await mediaOf(sent.message_sid)) {
        assertEquals([status, last_error, attempts], ["pending", "storage_unavailable", 1], what);
        assert(next_attempt_at);
      }
    });
  }
});

Deno.test("while the database is down Twilio is told so, rather than that all is well", async () => {
  await withOwnTwilio({
    onFetch: ({ url }) => {
      if (url.includes("/rest/v1/")) throw new TypeError("connection refused");
    },
  }, async (own) => {
    await storesNothing(async () => {
      const sent = await send(newSender(), GENERAL, { files: [await sampleOf("image/jpeg")] }, own.twilio);
      await refused(sent, "internal", "the database is down");
    });
  });
});
