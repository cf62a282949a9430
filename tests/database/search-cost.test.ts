// What a search reads to find something: so much and no more, and nothing that the caller may not see.
import { assert, assertEquals } from "../support/assert.ts";
import { makeTicket, MUNICIPALITIES, type Person, person } from "../support/stack.ts";
import { become, takenBack, type Tx } from "./taken-back.ts";

interface Found {
  tickets: { id: string }[];
  next: { time: string; id: string } | null;
}

/** A word that no other test uses. */
const newWord = () => `w${crypto.randomUUID().replaceAll("-", "").slice(0, 14)}`;

/** What a search read: whole tables, the index, rows of words, tickets. */
async function cost(tx: Tx, who: Person, words: string, options: Record<string, unknown> = {}) {
  const counts = async () =>
    (await tx`select
      (select sum(pg_stat_get_xact_numscans(t::regclass)) from unnest(array['public.tickets', 'private.ticket_words', 'public.inbound_messages']) t)::integer as tables,
      pg_stat_get_xact_numscans('private.ticket_words_idx'::regclass)::integer as index,
      (select idx_tup_fetch from pg_stat_xact_all_tables where relid = 'private.ticket_words'::regclass)::integer as rows,
      (select idx_tup_fetch from pg_stat_xact_all_tables where relid = 'public.tickets'::regclass)::integer as tickets`)[
      0
    ] as Record<
      "tables" | "index" | "rows" | "tickets",
      number
    >;
  const before = await counts();
  await become(tx, who);
  const named = Object.keys(options).map((name, index) => `, ${name} => $${index + 2}`).join("");
  const values = Object.values(options) as string[];
  const [row] = await tx.unsafe(`select public.search_tickets($1${named}) as found`, [words, ...values]);
  await tx`reset role`;
  const after = await counts();
  return {
    found: row!.found as Found,
    tables: after.tables - before.tables,
    index: after.index - before.index,
    rows: after.rows - before.rows,
    tickets: after.tickets - before.tickets,
  };
}

Deno.test("among very many tickets a search reads no table from end to end, no other municipality's words, and only so much", async () => {
  const [manager, citizen] = [await person("manager"), await person("citizen")];
  const [common, rare, theirs] = [newWord(), newWord(), newWord()];
  await takenBack(async (tx) => {
    await tx`alter table public.tickets disable trigger tickets_announce_insert`;
    await tx`insert into public.tickets (tenant_id, tracking_number, category, status, description, created_at, updated_at)
      select case when n <= 14000 then ${MUNICIPALITIES.mbombela.id} else ${MUNICIPALITIES.polokwane.id} end::uuid,
        gen_random_uuid(), 'other', case when n between 13000 and 13040 then 'escalated' else 'open' end,
        concat_ws(' ', case when n <= 14000 then ${common}::text else ${theirs}::text end, case when n = 9000 then ${rare}::text end),
        now() - n * interval '1 minute', now() - n * interval '1 minute'
      from generate_series(1, 20000) n`;

    // with what the planner takes a new table for, and with what it knows of its size later
    for (const statement of ["select", "analyze public.tickets", "analyze private.ticket_words"]) {
      await tx.unsafe(statement);
      const first = await cost(tx, manager, common);
      assertEquals([first.tables, first.index, first.found.tickets.length], [0, 0, 50], "a common word");
      assert(first.rows <= 1000 && first.tickets < 2000, `${first.rows} rows, ${first.tickets} tickets`);
      const one = await cost(tx, manager, rare);
      assertEquals(
        [one.tables, one.index, one.found.tickets.length, one.found.next],
        [0, 1, 1, null],
        "a rare word",
      );
      assert(one.rows <= 1001, `${one.rows} rows`);
      const begun = await cost(tx, manager, `${common} ${rare.slice(0, 9)}`);
      assertEquals([begun.tables, begun.found.tickets.length], [0, 1], "one that is only begun");
      const other = await cost(tx, manager, theirs.slice(0, 9));
      assertEquals([other.tables, other.found.tickets.length], [0, 0], "another municipality's word");
      assert(other.rows <= 1000, `${other.rows} rows`);
      const newest = await cost(tx, manager, common, { sort: "created_at" });
      assertEquals([newest.tables, newest.found.tickets.length], [0, 50], "by another order");
      assert(newest.tickets < 2000, `${newest.tickets} tickets`);
      const own = await cost(tx, citizen, common);
      assertEquals([own.tables, own.index, own.found], [0, 0, { tickets: [], next: null }], "a citizen");
      assert(own.tickets < 100, `${own.tickets} tickets`);

      // common, and so far back that a page ends before it: the next ones go on
      const far = await cost(tx, manager, common, { status: ["escalated"] });
      assertEquals([far.tables, far.found.tickets.length], [0, 0]);
      assert(far.found.next, "a place to go on from");
      assert(far.rows <= 21_002 && far.tickets < 13_000, `${far.rows} rows, ${far.tickets} tickets`);
      const rest = await cost(tx, manager, common, {
        status: ["escalated"],
        after_time: far.found.next.time,
        after_id: far.found.next.id,
      });
      assertEquals(rest.found.tickets.length, 41);
    }
  });
});

Deno.test("sensitive tickets, however many, change nothing that a search gives or costs those who may not see them", async () => {
  const [manager, liaison] = [await person("manager"), await person("saps_liaison")];
  const [common, secret] = [newWord(), newWord()];
  await takenBack(async (tx) => {
    await tx`insert into public.tickets (tenant_id, tracking_number, category, description, created_at, updated_at)
      select ${manager.tenant}, gen_random_uuid(), 'other', ${common}, now() - n * interval '1 minute', now() - n * interval '1 minute'
      from generate_series(1, 12000) n`;
    const asked = [[secret, {}], [common, {}], [common, { status: ["closed"] }], ["TKT", {}]] as const;
    const all = async () => {
      const answers = [];
      for (const [words, options] of asked) {
        // (Row-level security passes by hidden rows of tickets themselves, as for every list of them.)
        const { tickets: _, ...read } = await cost(tx, manager, words, options);
        answers.push(read);
      }
      return answers;
    };
    const without = await all();
    assert(without[2]!.found.next, "a page that ends on a ticket which is not shown");
    await tx`insert into public.tickets (tenant_id, tracking_number, category, is_sensitive, description, created_at, updated_at)
      select ${manager.tenant}, ${secret} || ' ' || n, 'gbv', true, ${common}, now() - n * interval '1 second', now() - n * interval '5 minutes'
      from generate_series(1, 2000) n`;
    assertEquals(await all(), without);
    assertEquals((await cost(tx, liaison, secret)).found.tickets.length, 50);
  });
});

Deno.test("a policy of the project's own narrows what is found, and where a page goes on", async () => {
  const manager = await person("manager"), word = newWord();
  const { id } = await makeTicket("mbombela", { description: word });
  await makeTicket("mbombela", { description: word, category: "roads" });
  await takenBack(async (tx) => {
    await tx`create policy "no roads" on public.tickets as restrictive for select to authenticated using (category <> 'roads')`;
    const { found } = await cost(tx, manager, word);
    assertEquals(found.tickets.map((ticket) => ticket.id), [id]);
    const { found: paged } = await cost(tx, manager, word, { page_size: 1 });
    assertEquals(paged.next?.id, id);
  });
});
