// What of a GBV report may be seen.
import { Fernet } from "../../../shared/platform/fernet.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertNotMatch,
  assertStringIncludes,
} from "../../support/assert.ts";
import { database } from "../../support/functions.ts";
import { withOwnTwilio } from "../../support/own-twilio.ts";
import { makeTicket, MUNICIPALITIES, ok, service, sha256, SLUGS } from "../../support/stack.ts";
import {
  accepted,
  isSilent,
  newSender,
  replyOf,
  sampleFile,
  send,
  settled,
  ticketOf,
} from "../../support/whatsapp.ts";
import { change, GBV, GENERAL, sampleOf } from "./support.ts";
import { testsNeeding } from "../../support/needs.ts";

const test = testsNeeding("the pretend Twilio", import.meta.url);

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

  test(`${slug}: a report to the GBV number is sensitive, sealed, and answered neutrally`, async () => {
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

  test(`${slug}: phone and staff see the same of the general number, with a GBV report elsewhere and without`, async () => {
    const views = [];
    for (const reports of [true, false]) {
      const from = newSender();
      if (reports) await accepted(from, gbvNumber);
      const sent = await accepted(from, number, { body: "A pothole" });
      const ticket = await ticketOf(sent.message_sid);
      const silent = isSilent(await accepted(from, number));
      views.push({
        reply: replyOf(sent).replace(ticket.tracking_number, "REFERENCE"),
        silent,
        ticket: [ticket.is_sensitive, ticket.category, ticket.description, ticket.tenant_id],
      });
    }
    assertEquals(views[0], views[1]);
    assertEquals(views[0]!.ticket, [false, "other", "A pothole", tenant]);
    assertStringIncludes(views[0]!.reply, "REFERENCE");
  });

  test(`${slug}: a message to a ticket that has been made sensitive is sensitive as well, and the phone shows no difference`, async () => {
    const from = newSender();
    const ticket = await ticketOf((await accepted(from, number)).message_sid);
    await change(ticket.id, { is_sensitive: true });
    const file = await sampleOf("image/jpeg");
    const word = `Weer${crypto.randomUUID().replaceAll("-", "")}`;
    for (const named of [{}, { ticket_id: ticket.id }]) {
      const sent = await accepted(from, number, { ...named, body: word, files: [file] });
      assertEquals((await ticketOf(sent.message_sid)).id, ticket.id);
      assertEquals((await settled(sent.message_sid, 1))[0]!.bucket, "gbv-evidence");
      assert(isSilent(sent), "as any follow-up within ten minutes");
    }
    const dump = await everything();
    for (const trace of await traces(word)) assert(!dump.includes(trace), `in the clear: ${trace}`);
  });

  test(`${slug}: a message to the GBV number never joins an ordinary ticket`, async () => {
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

test("the words of a sensitive report and its sender leave the function sealed only", async () => {
  const from = newSender();
  const word = `Geslaan${crypto.randomUUID().replaceAll("-", "")}`;
  const calls: Promise<string>[] = [];
  await withOwnTwilio({
    onFetch: (request) => {
      if (request.url.includes("/rest/v1/")) calls.push(request.clone().text());
    },
  }, async (own) => {
    const sent = await send(from, GBV, { body: word }, own.twilio);
    assertEquals(sent.status, 200, sent.body);
  });
  const bodies = await Promise.all(calls);
  assert(bodies.some((body) => body.includes("gAAAA")), "no call was seen");
  for (const secret of [word, from.slice(1)]) {
    for (const trace of await traces(secret)) {
      for (const body of bodies) assert(!body.includes(trace), "the database is told in the clear");
    }
  }
});

test("a message to the GBV number is on a sensitive ticket even where the URL names an ordinary one", async () => {
  const ordinary = await makeTicket("mbombela");
  const file = await sampleOf("image/jpeg");
  const sent = await accepted(newSender(), GBV, { ticket_id: ordinary.id, files: [file] });
  const [record] = await settled(sent.message_sid, 1);
  assertEquals(record!.bucket, "gbv-evidence");
  assertNotMatch(replyOf(sent), /TKT|\d/);
  assert((await ticketOf(sent.message_sid)).is_sensitive, "police liaison does not learn of the report");
});

test("a sender's number is nowhere in the clear for ordinary reports either", async () => {
  const from = newSender();
  await accepted(from, GENERAL);
  const dump = await everything();
  for (const trace of await traces(from)) assert(!dump.includes(trace), `in the clear: ${trace}`);
  assert(!dump.includes(from.slice(1)));
});
