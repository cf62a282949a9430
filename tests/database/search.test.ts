// Finding tickets by their words: what is found, by whom, and what of a sensitive ticket is left to be found.
import { SEE_SENSITIVE } from "../support/access.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { database, until } from "../support/functions.ts";
import {
  anonymous,
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  service,
  SLUGS,
} from "../support/stack.ts";
import { accepted, newSender, ticketOf } from "../support/whatsapp.ts";

interface Found {
  tickets: { id: string; tracking_number: string; updated_at: string; is_sensitive: boolean }[];
  next: { time: string; id: string } | null;
}

async function search(
  who: Person,
  words: string | null,
  options: Record<string, unknown> = {},
): Promise<Found> {
  return await ok(who.supabase.rpc("search_tickets", { words, ...options }));
}

/** The ids found, all pages of them. */
async function found(
  who: Person,
  words: string | null,
  options: Record<string, unknown> = {},
): Promise<string[]> {
  const ids: string[] = [];
  let after = {};
  for (;;) {
    const { tickets, next } = await search(who, words, { ...options, ...after });
    ids.push(...tickets.map(({ id }) => id));
    if (!next) return ids;
    after = { after_time: next.time, after_id: next.id };
  }
}

/** A word that no other test uses. */
const newWord = () => `w${crypto.randomUUID().replaceAll("-", "").slice(0, 14)}`;

const numberOf = async (id: string): Promise<string> =>
  (await ok(service.from("tickets").select("tracking_number").eq("id", id).single())).tracking_number;

/** What is kept to be found of a ticket. */
const kept = async (id: string): Promise<string> =>
  await database(async (sql) =>
    (await sql`select words::text from private.ticket_words where ticket_id = ${id}`)[0]!.words
  );

for (const slug of SLUGS) {
  Deno.test(`an ordinary ticket of ${slug} is found by its municipality's staff alone, a sensitive one by its number, by those who may see it`, async () => {
    const word = newWord();
    const ordinary = await makeTicket(slug, { description: `The ${word} is broken` });
    // words that staff wrote into a sensitive ticket are not looked at either
    const sensitive = await makeTicket(slug, { description: `The ${word} is broken`, is_sensitive: true });
    const [number, hidden] = [await numberOf(ordinary.id), await numberOf(sensitive.id)];
    for (const who of await everybody()) {
      const isStaff = who.slug === slug && who.role !== "citizen";
      const seesSensitive = who.slug === slug && SEE_SENSITIVE.includes(who.role);
      const name = `${who.role} of ${who.slug}`;
      assertEquals(await found(who, word), isStaff ? [ordinary.id] : [], `${name}: words`);
      assertEquals(await found(who, number), isStaff ? [ordinary.id] : [], `${name}: number`);
      assertEquals(
        await found(who, hidden),
        seesSensitive ? [sensitive.id] : [],
        `${name}: sensitive number`,
      );
      const among = { ids: [ordinary.id, sensitive.id] };
      assertEquals(await found(who, word, among), isStaff ? [ordinary.id] : [], `${name}: among these`);
      assertEquals(
        (await found(who, "TKT", among)).length,
        Number(isStaff) + Number(seesSensitive),
        `${name}: numbers of these`,
      );
      if (seesSensitive) {
        assertEquals(await found(who, hidden, { sensitive: false }), [], `${name}: not wanted`);
      }
    }
    const { error } = await anonymous.rpc("search_tickets", { words: word });
    assertEquals(error?.code, "42501");
  });
}

Deno.test("a citizen finds their own tickets and nobody else's, until one turns sensitive", async () => {
  const citizen = await person("citizen"), word = newWord();
  const own = await makeTicket("mbombela", { reporter_id: citizen.userId, description: word });
  const other = await person("citizen", "polokwane");
  await makeTicket("mbombela", { description: word });
  await makeTicket("polokwane", { description: word, reporter_id: citizen.userId });
  assertEquals(await found(citizen, word), [own.id]);
  assertEquals(await found(other, word), []);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", own.id).select("id"));
  assertEquals(await found(citizen, word), []);
  assertEquals(await found(citizen, await numberOf(own.id)), []);
});

Deno.test("what residents wrote, and the place they shared, is found, also where words stand in several messages", async () => {
  const manager = await person("manager"), sender = newSender(), { number } = MUNICIPALITIES.mbombela;
  const [first, second, place] = [newWord(), newWord(), newWord()];
  const { message_sid } = await accepted(sender, number, { body: `Amanzi ${first}` });
  const { id } = await ticketOf(message_sid);
  await accepted(sender, number, { body: `and ${second.toUpperCase()}!` });
  const params = { Latitude: "-25.47", Longitude: "30.97", Label: `Corner ${place}` };
  await accepted(sender, number, { body: "", params });
  for (const words of [first, second, place, `${place} ${first}`, `amanzi ${second}`]) {
    assertEquals(await found(manager, words), [id], words);
  }
  assertEquals(await found(manager, `${first} ${newWord()}`), [], "all words are asked for");
  await accepted(sender, number, { body: "STOP", params: { OptOutType: "STOP" } });
  assertEquals(await found(manager, `${first} stop`), [], "no dashboard is told of it");
});

Deno.test("what a GBV report says is kept nowhere to be found", async () => {
  const word = newWord();
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.gbvNumber, {
    body: `Help ${word}`,
  });
  const { id, tracking_number } = await ticketOf(message_sid);
  for (const role of SEE_SENSITIVE) {
    assertEquals(await found(await person(role), word), []);
    assertEquals(await found(await person(role), tracking_number), [id]);
  }
  assertEquals((await kept(id)).match(/'1\S{5}\w+'/g)?.length, 3, "the number's three words alone");
});

Deno.test("a ticket that turns sensitive loses its words in that transaction, its messages' too, and has none when that is taken back", async () => {
  const admin = await person("admin"), manager = await person("manager"), word = newWord();
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    body: `First ${word}`,
  });
  const { id, tracking_number } = await ticketOf(message_sid);
  assertEquals(await found(manager, word), [id]);
  await database((sql) =>
    sql.begin(async (tx) => {
      await tx`update public.tickets set is_sensitive = true where id = ${id}`;
      const [row] = await tx`select words::text from private.ticket_words where ticket_id = ${id}`;
      assert(!row!.words.includes(word), "before the transaction ends");
    })
  );
  assert(!(await kept(id)).includes(word));
  assertEquals([await found(manager, word), await found(manager, tracking_number)], [[], []]);
  assertEquals([await found(admin, word), await found(admin, tracking_number)], [[], [id]]);

  await ok(admin.supabase.from("tickets").update({ is_sensitive: false }).eq("id", id).select("id"));
  assertEquals([await found(manager, word), await found(manager, tracking_number)], [[], [id]]);
  const again = newWord();
  await ok(admin.supabase.from("tickets").update({ description: again }).eq("id", id).select("id"));
  assertEquals(await found(manager, again), [id]);
});

Deno.test("a message that is moved is found in the ticket where it is now, and of a sensitive ticket nowhere", async () => {
  const admin = await person("admin"), manager = await person("manager"), sender = newSender();
  const { number } = MUNICIPALITIES.mbombela;
  const words = [newWord(), newWord(), newWord()];
  const sids: string[] = [];
  for (const word of words) sids.push((await accepted(sender, number, { body: word })).message_sid);
  const { id } = await ticketOf(sids[0]!);
  const move = async (sid: string, ticket_id?: string): Promise<string> =>
    await ok(admin.supabase.rpc("move_message", { message_sid: sid, ticket_id }));
  const other = await move(sids[1]!);
  assertEquals([await found(manager, words[1]!), await found(manager, words[2]!)], [[other], [id]]);
  await ok(admin.supabase.from("tickets").update({ is_sensitive: true }).eq("id", other).select("id"));
  await move(sids[2]!, other);
  for (const who of [admin, manager]) assertEquals(await found(who, words[2]!), [], who.role);
  for (const ticket of [id, other]) assert(!(await kept(ticket)).includes(words[2]!));
  assertEquals(await found(manager, words[0]!), [id], "the rest stays");
});

Deno.test("accents, capitals and punctuation do not matter; the last word may be only begun, others not", async () => {
  const manager = await person("manager"), mark = newWord();
  const { id } = await makeTicket("mbombela", {
    description:
      `${mark} Die pyp by Kerkstraat/Môrestraat lek, en dié foto’s wys dit. Amanzi awekho eMbombela; “uMgwaqo”. 水管 eThekwini`,
  });
  const number = await numberOf(id);
  const [prefix, day, last] = number.split("-");
  for (
    const words of [
      ...["kerkstraat", "MORESTRAAT", "môrestraat", "mo\u0302restraat", "die foto's", "foto", "lek,"],
      ...[
        "amanzi AWEK",
        "thekwini",
        "ethekwini pyp",
        "embombela",
        "mbombela",
        "Mbomb",
        "umgwaqo",
        "mgwa",
        "水",
      ],
      ...[
        number,
        number.toLowerCase(),
        last!,
        `${prefix}-${day!.slice(0, 6)}`,
        `${day} ${last!.slice(0, 2)}`,
      ],
      ...[
        "  lek \n\t pyp  ",
        "lek & pyp",
        "lek | pyp",
        "!lek",
        "'lek'",
        "lek:*",
        "(lek",
        "%lek%",
        "\\lek",
        "lek <-> pyp",
      ],
    ]
  ) assertEquals(await found(manager, `${mark} ${words}`), [id], words);
  for (const words of ["kerkstr pyp", "lekk", "lek droog"]) {
    assertEquals(await found(manager, `${mark} ${words}`), [], words);
  }
});

Deno.test("odd words find nothing and fail nothing", async () => {
  const manager = await person("manager");
  for (const words of [null, "", "   ", "& | ! ' \\ % :* ( ) <->", "💧", "\u0001", "'", "\\'", "--", "*"]) {
    assertEquals(await search(manager, words), { tickets: [], next: null }, JSON.stringify(words));
  }
  for (
    const words of [
      newWord().repeat(700),
      `${newWord()} `.repeat(700),
      "é".repeat(10_000),
      "' & ".repeat(2500),
    ]
  ) {
    assertEquals(await found(manager, words), [], words.slice(0, 20));
  }
  for (
    const options of [{ page_size: 0 }, { page_size: 101 }, { page_size: null }, { sort: "id" }, {
      sort: null,
    }]
  ) {
    const { error } = await manager.supabase.rpc("search_tickets", { words: "pipe", ...options });
    assertEquals([error?.code, error?.message], ["PT400", "invalid_request"], JSON.stringify(options));
  }
});

Deno.test("a ticket and a message with any text whatever are taken in", async () => {
  const manager = await person("manager"), mark = newWord();
  const many = Array.from({ length: 5000 }, (_, n) => `${mark}x${n}`).join(" ");
  for (
    const description of [
      many,
      `${mark} ${"a".repeat(1_200_000)}`,
      `${mark} ${"\u{10fffd}\u0001é".repeat(9000)}`,
    ]
  ) {
    const { id } = await makeTicket("mbombela", { description });
    assertEquals(await found(manager, mark, { ids: [id] }), [id]);
  }
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    body: many.slice(0, 60_000),
  });
  assertEquals(await found(manager, `${mark}x7`, { ids: [(await ticketOf(message_sid)).id] }), [
    (await ticketOf(message_sid)).id,
  ]);
});

Deno.test("page by page each ticket comes once, in the order asked for, narrowed by the filters", async () => {
  const manager = await person("manager"), mark = newWord();
  const ids: string[] = [];
  await database(async (sql) => {
    // pairs of one time, so that the order needs the id too
    const rows = await sql`
      insert into public.tickets (tenant_id, category, status, severity, description, created_at, updated_at)
      select ${MUNICIPALITIES.mbombela.id}, (array['water', 'roads'])[1 + n % 2], (array['open', 'closed', 'resolved'])[1 + n % 3], 'low', ${mark},
        now() - (n / 2) * interval '1 day', now() - ((41 - n) / 2) * interval '1 hour'
      from generate_series(1, 40) n returning id`;
    ids.push(...rows.map(({ id }) => id));
  });
  const rows = await ok(service.from("tickets").select("*").in("id", ids));
  const newest = (column: string, keep: (row: typeof rows[number]) => boolean = () => true) =>
    rows.filter(keep).toSorted((a, b) =>
      a[column] < b[column] ? 1 : a[column] > b[column] ? -1 : a.id < b.id ? -1 : 1
    ).map(({ id }) => id);
  for (const page_size of [1, 7, 20, 40, 100]) {
    assertEquals(await found(manager, mark, { page_size }), newest("updated_at"), `pages of ${page_size}`);
  }
  assertEquals(await found(manager, mark, { page_size: 7, sort: "created_at" }), newest("created_at"));
  for (
    const [options, keep] of [
      [{ status: ["open", "closed"] }, (row: typeof rows[number]) => row.status !== "resolved"],
      [{ category: ["roads"], severity: ["low"] }, (row: typeof rows[number]) => row.category === "roads"],
      [{ severity: ["high"] }, () => false],
      [{ since: rows[20]!.created_at }, (row: typeof rows[number]) => row.created_at >= rows[20]!.created_at],
    ] as const
  ) {
    assertEquals(
      await found(manager, mark, { page_size: 3, ...options }),
      newest("updated_at", keep),
      JSON.stringify(options),
    );
  }
});

Deno.test("who moves a message holds up nobody who writes to its ticket", async () => {
  const manager = await person("manager"), sender = newSender(), { number } = MUNICIPALITIES.mbombela;
  const [moved, later] = [newWord(), newWord()];
  await accepted(sender, number, { body: newWord() });
  const { message_sid } = await accepted(sender, number, { body: moved });
  const { id } = await ticketOf(message_sid);
  const { id: target } = await makeTicket("mbombela");
  await database((sql) =>
    sql.begin(async (tx) => {
      await tx`update public.inbound_messages set ticket_id = ${target} where message_sid = ${message_sid}`;
      await accepted(sender, number, { body: later }); // a circle, if words were locked before tickets
      await tx`update public.tickets set updated_at = now() where id in (${id}, ${target})`;
    })
  );
  assertEquals([await found(manager, moved), await found(manager, later)], [[target], [id]]);
});

Deno.test("the words of tickets from before are filled in, and a ticket that turns sensitive meanwhile gets none", async () => {
  const admin = await person("admin"), word = newWord();
  const { id: before } = await makeTicket("mbombela", { description: word });
  const { id: turning } = await makeTicket("mbombela", { description: word });
  const fill = await Deno.readTextFile(
    new URL("../../migrations/20261123090656_search_words.sql", import.meta.url),
  );
  await database(async (sql) => {
    await sql`delete from private.ticket_words where ticket_id in (${before}, ${turning})`;
    assertEquals(await found(admin, word), []);
    let filling: PromiseLike<unknown> = Promise.resolve();
    await sql.begin(async (tx) => {
      await tx`update public.tickets set is_sensitive = true where id = ${turning}`;
      filling = sql.unsafe(fill).execute();
      await until(
        "it has seen the ticket as it was, and waits for its row of words",
        async () =>
          (await sql`select from pg_stat_activity where wait_event_type = 'Lock' and query like '-- The words of the tickets%'`)
            .length === 1,
      );
    });
    await filling;
  });
  assertEquals(await found(admin, word), [before]);
  assert(!(await kept(turning)).includes(word));
});
