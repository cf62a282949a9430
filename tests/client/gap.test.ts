// Whatever is cut, and whatever is written meanwhile: afterwards the list equals the table. GAP_ROUNDS sets the rounds.
import { assert, assertEquals } from "../support/assert.ts";
import { connect, makeTicket, MUNICIPALITIES } from "../support/stack.ts";
import {
  assertEqualsTable,
  assertEqualsWindow,
  control,
  leaveAll,
  live,
  pause,
  quiet,
  signedIn,
  table,
  watch,
  watching,
} from "./support.ts";

const rounds = Number(Deno.env.get("GAP_ROUNDS") ?? 50);
const changes = 500;
const writers = 4;
const tenant = MUNICIPALITIES.mbombela.id;
/** A list such as a dashboard shows. */
const WINDOW = { filter: { status: ["open", "escalated"] }, order: "created_at", limit: 10 } as const;

/** What went wrong can be gone through again with the same seed. */
const seed = Number(Deno.env.get("GAP_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
let state = seed;
/** mulberry32 */
function random(): number {
  state = state + 0x6d2b79f5 | 0;
  let t = Math.imul(state ^ state >>> 15, 1 | state);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
}
const below = (limit: number) => Math.floor(random() * limit);
const pick = <T>(values: readonly T[]): T => values[below(values.length)]!;

const sql = connect();

Deno.test.afterEach(leaveAll);
Deno.test.afterAll(async () => {
  await control("restore");
  await sql.end();
});

/** As many changes of every kind, by several writers at once; some alone, some with others in one transaction. */
async function write(ids: string[], count: number): Promise<void> {
  const todo = Array.from({ length: writers }, (_, n) => Math.floor((count + n) / writers));
  await Promise.all(todo.map(async (left) => {
    while (left > 0) {
      if (random() < 0.05) {
        ids.push((await makeTicket("mbombela", { is_sensitive: random() < 0.3 })).id); // as a backend writes
        left--;
        continue;
      }
      const size = Math.min(left, random() < 0.3 ? 1 : 2 + below(12));
      left -= size;
      // In the order of ids, so that writers wait for each other and never in a circle.
      const statements = Array.from({ length: size }, () => oneChange(ids)).sort();
      await sql.unsafe(statements.map(([, statement]) => statement).join(";"));
    }
  }));
}

function oneChange(ids: string[]): [id: string, statement: string] {
  const kind = random();
  if (kind < 0.2 || ids.length < 20) {
    const id = crypto.randomUUID();
    ids.push(id);
    const values = `'${id}', '${tenant}', ${random() < 0.3}, '${pick(SEVERITIES)}'`;
    return [id, `insert into public.tickets (id, tenant_id, is_sensitive, severity) values (${values})`];
  }
  if (kind < 0.38) {
    const id = ids.splice(below(ids.length), 1)[0]!;
    return [id, `delete from public.tickets where id = '${id}'`];
  }
  const id = pick(ids);
  const set = kind < 0.55
    ? "is_sensitive = not is_sensitive"
    : kind < 0.8
    ? `status = '${pick(STATUSES)}'`
    : `severity = '${pick(SEVERITIES)}'`;
  return [id, `update public.tickets set ${set} where id = '${id}'`];
}
const STATUSES = ["open", "in_progress", "escalated", "resolved", "closed"] as const;
const SEVERITIES = ["low", "medium", "high", "critical"] as const;

/** Cuts, does the work partly before, in and after it, and brings Realtime back. */
async function interrupted(work: (count: number) => Promise<void>, count: number): Promise<void> {
  // Often no more are missed than replay holds, often many more.
  const during = random() < 0.5 ? Math.min(count, below(25)) : below(count);
  const before = below(count - during + 1);
  const first = work(before);
  await pause(below(20));
  const kind = pick(["drop_sockets", "cut", "cut", "drop_sockets twice"]);
  await control(kind === "cut" ? "cut" : "drop_sockets");
  const second = work(during);
  if (kind === "drop_sockets twice") {
    await pause(below(200));
    await control("drop_sockets");
  }
  if (random() < 0.7) await second;
  await pause(below(50));
  if (kind === "cut") await control("restore");
  await Promise.all([first, second, work(count - before - during)]);
}

Deno.test({
  name:
    `${rounds} interruptions, each among ${changes} changes by ${writers} writers: the lists equal the table`,
  ...quiet,
  async fn() {
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) ids.push((await makeTicket("mbombela")).id);
    const [admin, manager] = [await watching("admin"), await watching("manager")];
    let quietRounds = 0;
    const latest = await live(watch(await signedIn("manager"), "mbombela", WINDOW));
    for (let round = 1; round <= rounds * 1.2; round++) {
      const where = `round ${round}, GAP_SEED=${seed}`;
      const count = round % 6 === 0 ? 0 : changes;
      const told = admin.calls + manager.calls;
      try {
        await interrupted((count) => write(ids, count), count);
        await pause(below(30));
        await assertEqualsTable(admin, true);
        await assertEqualsTable(manager, false);
        await assertEqualsWindow(latest, WINDOW);
      } catch (error) {
        throw new Error(where, { cause: error });
      }
      assert(!manager.changes.some(({ ticket }) => ticket.is_sensitive), where);
      if (count > 0) continue;
      quietRounds++;
      assertEquals(admin.calls + manager.calls, told, `${where}: nothing was written`);
    }
    console.log(
      `${quietRounds} rounds without changes; fetches: admin ${admin.subscription.fetches}, manager ` +
        `${manager.subscription.fetches}; rows ${(await table("mbombela", true)).length}; seed ${seed}`,
    );
    await sql`delete from public.tickets where tenant_id = ${tenant} and id in ${sql(ids)}`;
  },
});
