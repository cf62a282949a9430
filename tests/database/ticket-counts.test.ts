// ticket_counts: how many tickets there are, without counting them, told to those who may know.
import { assert, assertEquals } from "../support/assert.ts";
import { database } from "../support/functions.ts";
import {
  anonymous,
  connect,
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  service,
} from "../support/stack.ts";

type Counts = Record<string, number>;
type Reader = Pick<Awaited<ReturnType<typeof person>>, "supabase">;

async function told({ supabase }: Reader): Promise<Counts> {
  const rows = await ok(supabase.rpc("ticket_counts"));
  return Object.fromEntries(
    (rows as { status: string; is_sensitive: boolean; tickets: number }[])
      .map(({ status, is_sensitive, tickets }) => [`${status}${is_sensitive ? " gbv" : ""}`, tickets]),
  );
}

/** What row-level security lets the person count. */
async function counted({ supabase }: Reader): Promise<Counts> {
  const counts: Counts = {};
  for (const status of ["open", "in_progress", "escalated", "resolved", "closed"]) {
    for (const sensitive of [false, true]) {
      const { count, error } = await supabase.from("tickets").select("id", { count: "exact", head: true })
        .eq("status", status).eq("is_sensitive", sensitive);
      if (error) throw error;
      if (count) counts[`${status}${sensitive ? " gbv" : ""}`] = count;
    }
  }
  return counts;
}

async function assertTrue(when: string): Promise<void> {
  for (const someone of await everybody()) {
    const expected = someone.role === "citizen" ? {} : await counted(someone);
    assertEquals(await told(someone), expected, `${someone.role} of ${someone.slug}, ${when}`);
  }
}

const addUp = () => database((sql) => sql`select private.add_up_ticket_counts()`);

Deno.test("the counts are those of the tickets that one may read, whatever happens to tickets, added up or not", async () => {
  const ids = [];
  for (const slug of ["mbombela", "polokwane"] as const) {
    for (const fields of [{}, { status: "escalated" }, { is_sensitive: true }, { category: "gbv" }]) {
      ids.push((await makeTicket(slug, fields)).id);
    }
  }
  await assertTrue("opened");
  await addUp();
  await assertTrue("opened and added up");
  await ok(service.from("tickets").update({ status: "closed" }).in("id", ids).select("id"));
  await assertTrue("closed, many at once");
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ids[0]).select("id"));
  await ok(
    service.from("tickets").update({ is_sensitive: false, category: "water" }).eq("id", ids[3]).select("id"),
  );
  await assertTrue("hidden, and shown again");
  await addUp();
  const other = MUNICIPALITIES.polokwane.id;
  await ok(service.from("tickets").update({ tenant_id: other }).eq("id", ids[1]).select("id"));
  await ok(service.from("tickets").delete().in("id", ids.slice(4)).select("id"));
  await assertTrue("handed to the other municipality, and deleted");
  await addUp();
  await assertTrue("added up again");
  // of one that is only reworded there is nothing to note
  await ok(
    service.from("tickets").update({ description: "Burst pipe, left side" }).eq("id", ids[1]).select("id"),
  );
  assertEquals([...await database((sql) => sql`select from private.ticket_count_changes`)], []);
});

Deno.test("who has not signed in is told no counts, and nobody reads or writes the tables beneath", async () => {
  const { error } = await anonymous.rpc("ticket_counts");
  assert(error, "somebody unknown was told the counts");
  const admin = await person("admin");
  for (const table of ["ticket_counts", "ticket_count_changes"]) {
    assert((await admin.supabase.from(table).select()).error, `${table} can be read`);
    assert((await service.from(table).insert({})).error, `${table} can be written`);
  }
});

Deno.test("writers at once: no change is lost, however often it is added up, and a repeatable read does not fail of it", async () => {
  const sql = connect();
  try {
    const tenant = MUNICIPALITIES.mbombela.id;
    const manager = await person("manager");
    const before = (await told(manager)).open ?? 0;
    const write = async (own: ReturnType<typeof connect>) => {
      for (let i = 0; i < 40; i++) {
        await own.begin(i % 3 ? "" : "isolation level repeatable read", async (tx) => {
          await tx`insert into public.tickets (tenant_id, category) values (${tenant}, 'water')`;
          await tx`select private.add_up_ticket_counts()`;
        });
      }
    };
    await Promise.all(Array.from({ length: 4 }, () => write(sql)));
    assertEquals((await told(manager)).open, before + 160);
    await addUp();
    assertEquals((await told(manager)).open, before + 160);
    assertEquals(await told(manager), await counted(manager));
  } finally {
    await sql.end();
  }
});

Deno.test("counts that were tampered with are put right by counting anew, while others write", async () => {
  const sql = connect();
  try {
    const manager = await person("manager");
    await makeTicket("mbombela");
    await addUp();
    await makeTicket("mbombela");
    await sql`update private.ticket_counts set tickets = tickets + 7`;
    assert((await told(manager)).open !== (await counted(manager)).open);
    const writing = Promise.all(
      Array.from({ length: 20 }, () => makeTicket("mbombela", { status: "in_progress" })),
    );
    await sql`select private.recount_tickets()`;
    await writing;
    assertEquals(await told(manager), await counted(manager));
  } finally {
    await sql.end();
  }
});
