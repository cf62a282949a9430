// The planner's estimates are made of all rows, and anybody may ask for them (`Prefer: count=planned`, EXPLAIN).
import { assert, assertEquals } from "../support/assert.ts";
import { database } from "../support/functions.ts";
import { makeTicket } from "../support/stack.ts";
import { takenBack } from "./taken-back.ts";

/** Random ids, of which statistics tell nothing. */
const RANDOM = ["tickets.id", "media_attachments.file_id", "inbound_messages.message_sid"];

Deno.test("no estimate of a column that users may filter by tells how many rows are hidden, whichever columns there are", async () => {
  await database(async (sql) => {
    const columns = await sql`
      select c.relname || '.' || a.attname as name, coalesce(a.attstattarget, -1)::integer as statistics
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
        and c.relname in ('tickets', 'media_attachments', 'inbound_messages', 'custody_records')
        and has_column_privilege('authenticated', c.oid, a.attnum, 'select')
        and a.atttypid <> 'bytea'::regtype
      order by 1`;
    assert(columns.length > 50, "the columns were not found");
    const known = columns.filter(({ statistics }) => statistics !== 0).map(({ name }) => name);
    assertEquals(known, RANDOM.toSorted());
  });
});

Deno.test("of the words that tickets are found by, and of what any index computes, the planner knows nothing", async () => {
  await makeTicket("mbombela", { description: "A word of its own" });
  await takenBack(async (tx) => {
    for (const table of ["private.ticket_words", "public.tickets", "public.inbound_messages"]) {
      await tx.unsafe(`analyze ${table}`);
    }
    const known = await tx`
      select s.starelid::regclass::text as name from pg_statistic s
      where s.starelid = 'private.ticket_words'::regclass
        or s.starelid in (
          select i.indexrelid from pg_index i join pg_class c on c.oid = i.indrelid
          where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        )`;
    assertEquals(known.map(({ name }) => name), []);
  });
});
