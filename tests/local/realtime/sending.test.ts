// Messages sent from the database: triggers, partitions, order, rollbacks.
import postgres from "postgres";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { clientOf, events, listen, send, sql, urlOf, useScratchTopics } from "./support.ts";

useScratchTopics();

Deno.test("send() in a trigger: as definer it is heard, as invoker the row is saved and the message lost", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:rows");
  const warnings: string[] = [];
  const writer = postgres(urlOf("postgres"), {
    max: 1,
    onnotice: (notice) => warnings.push(notice.message!),
  });
  await writer.begin(async (tx) => {
    await tx`set local role authenticated`;
    await tx`insert into scratch.invoker values (1)`;
    await tx`insert into scratch.definer values (2)`;
  });
  await writer.end();
  assertEquals(
    warnings,
    [
      'WarnSendingBroadcastMessage: new row violates row-level security policy for table "messages"',
    ],
  );
  assertEquals((await sql`select n from scratch.invoker`).map(({ n }) => n), [1]);
  const [message] = await heard.until(1);
  assertEquals((message!.payload as { n: number }).n, 2);
  await sql`select realtime.send('{}', 'end', 'scratch:rows')`;
  await heard.until(2);
});

Deno.test("with no partition for today send() warns, and the write succeeds", async () => {
  const warnings: string[] = [];
  const admin = postgres(urlOf("supabase_admin"), {
    max: 1,
    onnotice: (notice) => warnings.push(notice.message!),
  });
  const undo = new Error();
  await admin.begin(async (tx) => {
    // In a transaction that is undone, so that nobody else misses the partition; others' joins wait meanwhile.
    await tx.unsafe(`do $$ begin execute format('alter table realtime.messages detach partition realtime.%I',
      to_char(now() at time zone 'utc', '"messages_"YYYY_MM_DD')); end $$`);
    await tx`insert into scratch.definer values (77)`;
    assertEquals((await tx`select from scratch.definer where n = 77`).length, 1);
    throw undo;
  }).catch((error) => assertEquals(error, undo));
  await admin.end();
  assertEquals(warnings, ['WarnSendingBroadcastMessage: no partition of relation "messages" found for row']);
});

Deno.test("what send() and the server refuse is dropped, the statement succeeds", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:odd");
  await sql`select realtime.send('[1]', 'array', 'scratch:odd')`;
  await sql`select realtime.send('"x"', 'scalar', 'scratch:odd')`;
  await sql`select realtime.send(null, 'no payload', 'scratch:odd')`;
  await sql`select realtime.send('{}', null, 'scratch:odd')`;
  await sql`select realtime.send('{}', 'no topic', null)`;
  await sql`select realtime.send('{}', 'neither', 'scratch:odd', null)`;
  await sql`select realtime.send(jsonb_build_object('x', repeat('x', 256001)), 'too large', 'scratch:odd')`;
  await sql`insert into realtime.messages (topic, extension, event, payload, private)
    values ('scratch:odd', 'broadcast', 'array', '[1]', true)`;
  await send("scratch:odd", "fine");
  await heard.until(1);
  assertEquals(events(heard), ["fine"]);
  await assertRejects(
    async () =>
      await sql`select realtime.broadcast_changes('scratch:odd', 'x', 'TRUNCATE', 't', 's', null, null)`,
    Error,
    "Failed to process the row: Unexpected operation type: TRUNCATE",
  );
});

Deno.test("messages come in commit order from four writers", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:order");
  const commits = 50;
  await sql`create table scratch.counter as select 0 as n`;
  await Promise.all(Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; n < commits; n++) {
      await sql.begin(async (tx) => {
        await tx`select realtime.send(${tx.json({ writer, at: "early" })}, 'row', 'scratch:order')`;
        // The lock makes the counter's order the commits' order.
        const [row] = await tx<{ n: number }[]>`update scratch.counter set n = n + 1 returning n`;
        await tx`select realtime.send(${tx.json({ writer, at: row!.n })}, 'row', 'scratch:order')`;
      });
    }
  }));
  const messages = await heard.until(8 * commits);
  const order = messages.map(({ payload }) => (payload as { at: unknown }).at).filter((at) => at !== "early");
  assertEquals(order, Array.from({ length: 4 * commits }, (_, index) => index + 1));
});

Deno.test("a rollback sends nothing, a savepoint rolled back sends nothing", async () => {
  const heard = await listen(await clientOf("manager"), "scratch:undone");
  const undo = new Error();
  await sql.begin(async (tx) => {
    await tx`select realtime.send('{}', 'undone', 'scratch:undone')`;
    throw undo;
  }).catch((error) => assertEquals(error, undo));
  await sql.begin(async (tx) => {
    await tx`select realtime.send('{}', 'before', 'scratch:undone')`;
    await tx.savepoint(async (inner) => {
      await inner`select realtime.send('{}', 'undone', 'scratch:undone')`;
      throw undo;
    }).catch(() => {});
    await tx`select realtime.send('{}', 'after', 'scratch:undone')`;
  });
  await heard.until(2);
  assertEquals(events(heard), ["before", "after"]);
});
