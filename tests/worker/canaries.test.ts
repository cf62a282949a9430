// Canary words: what a resident writes in a sensitive report, however they write it, stands nowhere in the clear. Not in a column
// of any table, nor in what the planner keeps, a log, a broadcast, an object's name, a reply or anybody's answer; before the
// ticket turned sensitive and after. Only open-report tells, and only those it is for.
import type { OutgoingMessage } from "../../local/twilio-client.ts";
import type { OpenedMessage } from "../../shared/contracts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ownStack } from "../support/own-stack.ts";
import type { Person, Slug } from "../support/stack.ts";
import { columnsWith, traces } from "../support/traces.ts";

const own = await ownStack({ workerSeconds: 0.3 });
const { supabase, superuser: sql } = own;
const { anonymous, everybody, MUNICIPALITIES, ok, person, PUBLISHABLE_KEY, service, SLUGS } = own.stack;
const { call, until } = own.functions;
const { newSender, sampleFile, send, ticketOf, twilio } = own.whatsapp;
const photo = await sampleFile("burst-pipe.jpg");

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

const PLACES = [
  "body",
  "profile",
  "label",
  "address",
  "contact",
  "file",
  "button",
  "form",
  "headline",
] as const;
type Canaries = Record<typeof PLACES[number] | "digits" | "latitude", string>;

/** All that reports of these tests ever held, for the logs at the end. */
const everything: string[] = [];

interface Report {
  slug: Slug;
  from: string;
  canaries: Canaries;
  sids: string[];
  ticketId: string;
  replies: string[];
}

/** A resident who says something of their own in every way that WhatsApp knows. */
async function report(slug: Slug, to: string, options: Partial<OutgoingMessage> = {}): Promise<Report> {
  const from = newSender();
  const words = PLACES.map((
    place,
  ) => [place, `Canary${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`]);
  const latitude = `-25.${crypto.getRandomValues(new Uint32Array(1))[0]! % 900_000 + 100_000}7`;
  const canaries: Canaries = { ...Object.fromEntries(words), digits: from.slice(1), latitude };
  everything.push(...Object.values(canaries));
  const card = new TextEncoder().encode(
    `BEGIN:VCARD\r\nVERSION:3.0\r\nFN:${canaries.contact}\r\nEND:VCARD\r\n`,
  );
  const messages: Partial<OutgoingMessage>[] = [
    { body: `He hit me ${canaries.body}`, files: [{ ...photo, name: `${canaries.file}.jpg` }] },
    {
      body: "",
      params: {
        Latitude: latitude,
        Longitude: "30.97",
        Label: `At ${canaries.label}`,
        Address: `1 ${canaries.address} Rd`,
      },
    },
    { body: canaries.contact, files: [{ type: "text/vcard", name: `${canaries.contact}.vcf`, bytes: card }] },
    {
      body: "",
      params: {
        ButtonText: canaries.button,
        ButtonPayload: canaries.button,
        InteractiveData: JSON.stringify({ who: { name: canaries.form } }),
        ReferralHeadline: canaries.headline,
        ReferralBody: canaries.headline,
      },
    },
  ];
  const sids: string[] = [], replies: string[] = [];
  for (const message of messages) {
    const sent = await send(from, to, { ...message, profile_name: canaries.profile, ...options });
    assertEquals(sent.status, 200, sent.body);
    sids.push(sent.message_sid);
    replies.push(sent.body);
  }
  const { id: ticketId } = await ticketOf(sids[0]!);
  for (const sid of sids.slice(1)) assertEquals((await ticketOf(sid)).id, ticketId);
  await until("its files are stored", async () => {
    const files = await ok(service.from("media_attachments").select("status").eq("ticket_id", ticketId));
    return files.length === 2 && files.every(({ status }) => status === "stored");
  });
  return { slug, from, canaries, sids, ticketId, replies };
}

const found = (
  report: Report,
  which: (keyof Canaries)[] = Object.keys(report.canaries) as (keyof Canaries)[],
) => columnsWith(sql, which.flatMap((place) => traces(report.canaries[place])));

/** That police liaison reads it all is the proof that it was there to be found. */
async function reads(who: Person, { ticketId, sids, canaries, from }: Report): Promise<void> {
  const { status, body, text } = await call("open-report", {
    token: who.token,
    body: { ticket_id: ticketId, include_sender: true },
  });
  assertEquals(status, 200, text);
  const messages = body.messages as OpenedMessage[];
  assertEquals(messages.map(({ message_sid }) => message_sid), sids);
  assertEquals(new Set(messages.map(({ sender }) => sender)), new Set([from]));
  assertEquals(messages[0]!.text, `He hit me ${canaries.body}`);
  assertEquals(messages[1]!.place, {
    latitude: Number(canaries.latitude),
    longitude: 30.97,
    name: `At ${canaries.label}, 1 ${canaries.address} Rd`,
  });
  for (const word of [canaries.contact, canaries.button, canaries.form, canaries.headline]) {
    assert(text.includes(word), word);
  }
}

async function movedToGbv(ticketId: string): Promise<void> {
  await until("its files are in gbv-evidence", async () => {
    const files = await ok(
      service.from("media_attachments").select("bucket, moved_from").eq("ticket_id", ticketId),
    );
    return files.every(({ bucket, moved_from }) => bucket === "gbv-evidence" && moved_from === null);
  });
}

for (const slug of SLUGS) {
  const { number, gbvNumber } = MUNICIPALITIES[slug];

  test(`${slug}: a report to the GBV number is nowhere in the clear, and police liaison reads all of it`, async () => {
    const told = await report(slug, gbvNumber);
    await sql`analyze`;
    assertEquals(await found(told), []);
    for (const reply of told.replies) {
      for (const word of Object.values(told.canaries)) assert(!reply.includes(word));
    }
    await reads(await person("saps_liaison", slug), told);
    assertEquals(await found(told), [], "reading it leaves no trace of its words");
  });

  const flips: Record<string, (report: Report) => Promise<unknown>> = {
    "a field worker marks it": async ({ ticketId }) =>
      await ok(
        (await person("field_worker", slug)).supabase.rpc("mark_ticket_sensitive", { ticket_id: ticketId }),
      ),
    "an admin makes it one of category gbv": async ({ ticketId }) =>
      await (await person("admin", slug)).supabase.from("tickets").update({ category: "gbv" }).eq(
        "id",
        ticketId,
      ),
    "a backend does": ({ ticketId }) =>
      ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticketId).select("id")),
    "they write to the GBV number about it": async ({ ticketId, from }) =>
      assertEquals((await send(from, gbvNumber, { body: "Me again", ticket_id: ticketId })).status, 200),
  };
  for (const [how, flip] of Object.entries(flips)) {
    test(`${slug}: an ordinary report stands where staff read it, and nowhere once ${how}`, async () => {
      const told = await report(slug, number);
      await sql`analyze`;
      assertEquals(await found(told), [
        "private.ticket_words.words", // readable by nobody
        "public.inbound_messages.body",
        "public.inbound_messages.latitude",
        "public.inbound_messages.place",
        "public.tickets.description",
      ]);
      assertEquals(await found(told, ["digits", "profile", "file"]), [], "who wrote, and their files' names");
      await flip(told);
      const [{ is_sensitive }] = await ok(
        service.from("tickets").select("is_sensitive").eq("id", told.ticketId),
      ) as [
        { is_sensitive: boolean },
      ];
      assert(is_sensitive);
      assertEquals(await found(told), [], "in the transaction that hid it");
      await movedToGbv(told.ticketId);
      assertEquals(await found(told), []);
    });
  }

  test(`${slug}: messages that are moved into a sensitive ticket stand nowhere any more, the description of theirs neither`, async () => {
    const told = await report(slug, number);
    const gbv = await send(told.from, gbvNumber, { body: "And this" });
    const { id } = await ticketOf(gbv.message_sid);
    const admin = await person("admin", slug);
    for (const message_sid of told.sids) {
      assertEquals(await ok(admin.supabase.rpc("move_message", { message_sid, ticket_id: id })), id);
    }
    assertEquals(await found(told), []);
  });
}

test("a file that staff upload to a sensitive ticket has its name in its record and its path, and nowhere else", async () => {
  for (const slug of SLUGS) {
    const told = await report(slug, MUNICIPALITIES[slug].gbvNumber);
    const word = `Canary${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    everything.push(word);
    const admin = await person("admin", slug);
    for (const purpose of ["evidence", "gbv-evidence"]) {
      const blob = own.stack.sample("image/jpeg");
      const slot = await own.files.announce(admin, {
        filename: `${word} affidavit.JPG`,
        purpose,
        ticket_id: told.ticketId,
        file_size: blob.size,
      });
      await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
    }
    await until(
      "it is hashed",
      async () =>
        (await ok(service.from("media_attachments").select("sha256").eq("ticket_id", told.ticketId))).every((
          { sha256 },
        ) => sha256),
    );
    assertEquals(await columnsWith(sql, traces(word)), [
      "public.media_attachments.filename",
      "public.media_attachments.path",
      "storage.objects.name",
      "storage.objects.path_tokens",
    ]);
  }
});

test("whoever asks for whatever of a sensitive report is told none of its words, but by open-report, who may", async () => {
  const reports = await Promise.all(SLUGS.map((slug) => report(slug, MUNICIPALITIES[slug].gbvNumber)));
  const flipped = await report("mbombela", MUNICIPALITIES.mbombela.number);
  await ok(
    (await person("ward_councillor")).supabase.rpc("mark_ticket_sensitive", { ticket_id: flipped.ticketId }),
  );
  await movedToGbv(flipped.ticketId);
  reports.push(flipped);
  const words = reports.flatMap(({ canaries }) => Object.values(canaries).flatMap(traces));
  const relations = await sql`
    select c.relname as name, string_agg(format('"%s"', a.attname), ',') as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
      and has_column_privilege('authenticated', c.oid, a.attnum, 'select')
    group by 1`;
  const functions = await sql`
    select p.proname as name, p.proargnames as arguments from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype`;
  assert(relations.length > 8 && functions.length > 25);
  const rest = async (token: string | undefined, path: string, body?: unknown) => {
    const response = await fetch(`${supabase.url}/rest/v1/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        apikey: PUBLISHABLE_KEY,
        "content-type": "application/json",
        ...token ? { authorization: `Bearer ${token}` } : {},
      },
      ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    return `${[...response.headers].join(" ")} ${await response.text()}`;
  };
  let asked = 0;
  const hears = (text: string, what: string) => {
    asked++;
    const heard = words.find((word) => text.toLowerCase().includes(word.toLowerCase()));
    assertEquals(heard, undefined, what);
  };
  const people: (Person | undefined)[] = [...await everybody(), undefined];
  for (const who of people) {
    const name = who ? `${who.role} of ${who.slug}` : "nobody";
    const token = who?.token;
    const sees = (slug: Slug) => who?.slug === slug && ["admin", "saps_liaison"].includes(who.role);
    for (const { name: relation, columns } of relations) {
      hears(await rest(token, `${relation}?select=*`), `${name}, all of ${relation}`);
      hears(await rest(token, `${relation}?select=${columns}`), `${name}, ${relation}`);
    }
    for (const { slug, ticketId, sids, canaries } of reports) {
      const files = await ok(service.from("media_attachments").select("file_id").eq("ticket_id", ticketId));
      const values: Record<string, unknown> = {
        ticket_id: ticketId,
        message_sid: sids[0],
        message_sids: sids,
        file_id: files[0]!.file_id,
        files,
        request_id: "canary",
        include_sender: true,
        bundle_id: crypto.randomUUID(),
      };
      for (const { name: rpc, arguments: names } of functions) {
        if (sees(slug) && ["move_message", "retry_media"].includes(rpc)) continue; // they may
        const args = Object.fromEntries(
          ((names ?? []) as string[]).filter((name) => name in values).map((name) => [name, values[name]]),
        );
        hears(await rest(token, `rpc/${rpc}`, args), `${name}, ${rpc}`);
      }
      // filters that would tell by what they find, or by how they fail
      for (const column of ["body", "place", "latitude"]) {
        hears(
          await rest(token, `inbound_messages?select=message_sid&${column}=not.is.null`),
          `${name}, ${column}`,
        );
      }
      hears(await rest(token, `tickets?select=id&description=not.is.null&id=eq.${ticketId}`), name);
      for (const body of [{ ticket_id: ticketId, include_sender: true }, { message_sids: sids }]) {
        const answer = await call("open-report", { ...token ? { token } : {}, body });
        assertEquals(answer.text.includes(canaries.body), sees(slug), `${name}, open-report`);
        if (!sees(slug)) hears(answer.text, `${name}, open-report`);
      }
      for (
        const [fn, body] of [["signed-url", { files }], [
          "upload-url",
          own.functions.uploadRequest({ ticket_id: ticketId }),
        ]] as const
      ) {
        hears((await call(fn, { ...token ? { token } : {}, body })).text, `${name}, ${fn}`);
      }
    }
    for (const bucket of ["evidence", "documents", "gbv-evidence"]) {
      const storage = (who?.supabase ?? anonymous).storage.from(bucket);
      const folder = who?.tenant ?? "";
      const { data } = await storage.list(folder, { limit: 1000 });
      const { data: flat } = await storage.listV2({ prefix: folder, limit: 1000 });
      hears(JSON.stringify([data, flat]), `${name} lists ${bucket}`);
    }
  }
  assert(asked > 1500, `only ${asked} answers`);
});

test("a database that fails while a report is taken in says nothing of it, to Twilio or the log, and has it afterwards", async () => {
  const canary = `Canary${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  everything.push(canary);
  // its error would quote the row: "Failing row contains (…)"
  await sql`alter table public.inbound_messages add constraint out_of_order check (channel <> 'whatsapp') not valid`;
  let sent;
  try {
    sent = await send(newSender(), MUNICIPALITIES.mbombela.gbvNumber, { body: canary, profile_name: canary });
    assertEquals(sent.status, 500);
    for (const trace of traces(canary)) assert(!sent.body.includes(trace));
  } finally {
    await sql`alter table public.inbound_messages drop constraint out_of_order`;
  }
  assertEquals(await columnsWith(sql, traces(canary)), []);
  assertEquals((await twilio.replay(sent.message_sid)).status, 200);
  const { body } = await call("open-report", {
    token: (await person("saps_liaison")).token,
    body: { message_sids: [sent.message_sid] },
  });
  assertEquals(body.messages[0].text, canary);
});

test("the functions' log and the database's have none of it", async () => {
  assert(everything.length > 100);
  const logs = [await supabase.functions!.log(), await serverLog(supabase.directory)];
  for (const log of logs) {
    assert(log.length > 1000);
    for (const trace of everything.flatMap(traces)) assert(!log.includes(trace), trace);
  }
});

async function serverLog(directory: string): Promise<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (name === "server.log") return await Deno.readTextFile(`${directory}/${name}`);
    if (isDirectory) {
      const inner = await serverLog(`${directory}/${name}`);
      if (inner) return inner;
    }
  }
  return "";
}
