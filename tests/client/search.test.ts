// A window of words: it equals what the database says, whatever happens to tickets, messages and the connection.
import { listTickets, type TicketWindow } from "../../client/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import { accepted, newSender, ticketOf } from "../support/whatsapp.ts";
import { control, leaveAll, live, newClient, quiet, signedIn, until, type Watch, watch } from "./support.ts";

const { id: tenant, number } = MUNICIPALITIES.polokwane;
const sql = connect();

Deno.test.afterEach(leaveAll);
Deno.test.afterAll(async () => {
  await control("restore");
  await sql.end();
});

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, ...quiet });
}

const newWord = () => `w${crypto.randomUUID().replaceAll("-", "").slice(0, 14)}`;

/** Ordinary tickets with the word, as the tables have them. */
async function tableOf(word: string, { filter = {}, limit = 50 }: TicketWindow = {}): Promise<string[]> {
  const rows = await sql`
    select t.id from public.tickets t
    where t.tenant_id = ${tenant} and not t.is_sensitive and t.status = any (${[
    ...(filter.status ?? ["open", "closed"]),
  ]})
      and (t.description like ${`%${word}%`} or exists (
        select from public.inbound_messages m where m.ticket_id = t.id and m.body like ${`%${word}%`}
      ))
    order by t.updated_at desc, t.id limit ${limit}`;
  return rows.map(({ id }) => id);
}

async function assertFound(watched: Watch, word: string, window?: TicketWindow): Promise<void> {
  const expected = await tableOf(word, window);
  const shown = () => watched.subscription.tickets.map(({ id }) => id);
  await until(
    "the list equals what has the word",
    () => watched.subscription.state === "live" && String(shown()) === String(expected),
  ).catch(() => assertEquals(shown(), expected));
  assertEquals([...watched.told.keys()].toSorted(), expected.toSorted());
  assertEquals(watched.faults, []);
}

test("a window of words follows what tickets and messages say", async () => {
  const word = newWord();
  const { id: other } = await makeTicket("polokwane");
  await makeTicket("polokwane", { description: `A ${word}` });
  await makeTicket("mbombela", { description: `A ${word}` });
  const window = { filter: { text: ` ${word} ` } };
  const manager = await live(watch(await signedIn("manager", "polokwane"), "polokwane", window));
  await assertFound(manager, word);
  assertEquals(manager.subscription.tickets.length, 1);

  const change = async (id: string, fields: Record<string, unknown>) => {
    await ok(service.from("tickets").update(fields).eq("id", id).select("id"));
    await assertFound(manager, word);
  };
  const { id } = await makeTicket("polokwane", { description: `Another ${word}` });
  await assertFound(manager, word);
  await change(other, { description: `It is a ${word}` });
  await change(other, { description: "It is none" });
  await change(id, { severity: "critical" });
  await until("it shows the change", () => manager.subscription.tickets[0]?.severity === "critical");

  const sender = newSender();
  const { message_sid } = await accepted(sender, number, { body: "Good day" });
  await accepted(sender, number, { body: `I meant the ${word}` });
  await assertFound(manager, word);
  assertEquals(manager.subscription.tickets.length, 3, "by its second message");
  await change((await ticketOf(message_sid)).id, { is_sensitive: true });
  await change(id, { is_sensitive: true });
  assertEquals(manager.subscription.tickets.length, 1);
  assertEquals(manager.subscription.fetches, 1, "all of that without reading the window again");
});

test("what happens while nobody hears of it is there afterwards, and what no longer has the word is gone", async () => {
  const word = newWord();
  const { id: leaves } = await makeTicket("polokwane", { description: word });
  const { id: stays } = await makeTicket("polokwane", { description: word });
  const manager = await live(
    watch(await signedIn("manager", "polokwane"), "polokwane", { filter: { text: word } }),
  );
  await assertFound(manager, word);
  await control("cut");
  await until("offline", () => manager.subscription.state === "offline");
  await makeTicket("polokwane", { description: `Unheard of: ${word}` });
  await ok(service.from("tickets").update({ description: "Solved" }).eq("id", leaves).select("id"));
  await ok(service.from("tickets").update({ status: "closed" }).eq("id", stays).select("id"));
  await control("restore");
  await assertFound(manager, word);
  assertEquals(manager.subscription.tickets.length, 2);
});

test("words with other filters, over several pages, and the last words shown are what counts", async () => {
  const [word, other] = [newWord(), newWord()];
  await sql`insert into public.tickets (tenant_id, category, status, description, updated_at)
    select ${tenant}, 'waste', case when n % 3 = 0 then 'closed' else 'open' end, ${word}, now() - n * interval '1 minute'
    from generate_series(1, 300) n`;
  await makeTicket("polokwane", { description: other });
  const manager = await live(watch(await signedIn("manager", "polokwane"), "polokwane", { limit: 5 }));
  for (
    const window of [{ limit: 150 }, { limit: 400 }, { filter: { status: ["closed"] } }, {
      limit: 20,
    }] as TicketWindow[]
  ) {
    manager.subscription.show({ ...window, filter: { ...window.filter, text: word } });
    await assertFound(manager, word, window);
    assertEquals(manager.subscription.hasMore, window.limit !== 400, JSON.stringify(window));
  }
  // so many go that what follows must be read
  const gone = await tableOf(word, { limit: 48 });
  await sql`delete from public.tickets where id in ${sql(gone)}`;
  await assertFound(manager, word, { limit: 20 });

  manager.subscription.show({ filter: { text: other.slice(0, 9) } });
  manager.subscription.show({ filter: { text: word }, limit: 400 });
  manager.subscription.show({ filter: { text: other } });
  await assertFound(manager, other);
  const tracking_number = manager.subscription.tickets[0]!.tracking_number!;
  manager.subscription.show({ filter: { text: tracking_number } });
  await assertFound(manager, other);
  manager.subscription.show({ filter: { text: word, number: tracking_number } });
  await until("none", () => manager.subscription.tickets.length === 0);
  await sql`delete from public.tickets where tenant_id = ${tenant} and category = 'waste'`;
});

test("a GBV report is found by its number in its own window, and in nobody's general one", async () => {
  const { id } = await makeTicket("polokwane", { is_sensitive: true, description: null });
  const [{ tracking_number: text }] =
    await sql`select tracking_number from public.tickets where id = ${id}` as unknown as [
      { tracking_number: string },
    ];
  for (
    const [role, sensitive, expected] of [["admin", true, 1], ["admin", false, 0], [
      "manager",
      false,
      0,
    ]] as const
  ) {
    const filter = { text, ...(sensitive && { sensitive }) };
    const list = await live(watch(await signedIn(role, "polokwane"), "polokwane", { sensitive, filter }));
    assertEquals(list.subscription.tickets.length, expected, `${role}, ${sensitive}`);
    await list.subscription.close();
  }
});

test("a citizen searches among their own, page by page, and the words stand in no address", async () => {
  const word = newWord();
  const addresses: string[] = [];
  const citizen = newClient({
    global: {
      fetch: (input, init) => {
        addresses.push(String(input));
        return fetch(input, init);
      },
    },
  });
  const { data: { session } } = await (await signedIn("citizen", "polokwane")).auth.getSession();
  await citizen.auth.setSession(session!);
  const own = [];
  for (let n = 0; n < 3; n++) {
    own.push((await makeTicket("polokwane", { description: word, reporter_id: session!.user.id })).id);
    await makeTicket("polokwane", { description: word });
  }
  const first = await listTickets(citizen, { filter: { text: word }, limit: 2, order: "created_at" });
  const second = await listTickets(citizen, {
    filter: { text: word },
    limit: 2,
    order: "created_at",
    after: first.next,
  });
  assertEquals([...first.tickets, ...second.tickets].map(({ id }) => id), own.toReversed());
  assertEquals(second.next, null);
  assert(!addresses.join().includes(word));
});
