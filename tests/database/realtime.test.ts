// What the ticket trigger sends, read where it lands; each story is taken back.
import { assertEquals } from "../support/assert.ts";
import { connect, MUNICIPALITIES } from "../support/stack.ts";

const sql = connect();
const tenant = MUNICIPALITIES.mbombela.id;

type Tx = Parameters<Parameters<typeof sql.begin>[1]>[0];

const story = (name: string, tell: (tx: Tx) => Promise<void>) =>
  Deno.test({
    name,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      const takeBack = new Error("taken back");
      await sql.begin(async (tx) => {
        await tell(tx);
        throw takeBack;
      }).catch((error) => {
        if (error !== takeBack) throw error;
      });
    },
  });

const newTicket = async (tx: Tx) =>
  (await tx`insert into public.tickets (tenant_id, category) values (${tenant}, 'water') returning id`)[0]!
    .id as string;

/** Type and ticket of what this transaction has sent, but for what `before` did. */
async function sent(tx: Tx, work: () => PromiseLike<unknown>): Promise<string[]> {
  const known = (await tx`select id from realtime.messages`).map(({ id }) => id);
  await work();
  const rows = await tx`
    select payload ->> 'type' || ' ' || coalesce(payload ->> 'ticket_id', '') as told from realtime.messages
    where not id = any(${known}::uuid[]) order by 1`;
  return rows.map(({ told }) => told);
}

story("a ticket whose id is changed goes and comes", async (tx) => {
  const id = await newTicket(tx);
  const other = crypto.randomUUID();
  assertEquals(
    await sent(tx, () => tx`update public.tickets set id = ${other} where id = ${id}`),
    [`DELETE ${id}`, `INSERT ${other}`],
  );
});

story("events go on when a column gets another type, in the session that sent some before", async (tx) => {
  const id = await newTicket(tx);
  const change = () => tx`update public.tickets set severity = 'high' where id = ${id}`;
  assertEquals(await sent(tx, change), [`UPDATE ${id}`]);
  await tx`alter table public.tickets alter column severity type varchar(40)`;
  assertEquals(await sent(tx, change), [`UPDATE ${id}`]);
});

story("who changes no ticket touches nothing of Realtime's", async (tx) => {
  await tx`update public.tickets set severity = 'high' where id = ${crypto.randomUUID()}`;
  const locks = await tx`
    select mode from pg_locks where pid = pg_backend_pid() and relation = 'realtime.messages'::regclass`;
  assertEquals([...locks], []);
});
