// list_tickets: pages that are those of the table, of whatever filter, for whoever may read them.
import { assert, assertEquals } from "../support/assert.ts";
import { database } from "../support/functions.ts";
import { anonymous, everybody, MUNICIPALITIES, ok, type Person, person } from "../support/stack.ts";

interface Row {
  id: string;
  created_at: string;
  updated_at: string;
}
interface Page {
  tickets: Row[];
  next: { time: string; id: string } | null;
}
type Sort = "updated_at" | "created_at";

const CATEGORY = "waste";

/** In both municipalities, of every status, ordinary and sensitive, many of one moment; the citizens' own among them. */
async function withTickets(work: () => Promise<void>): Promise<void> {
  const citizens = new Map<string, string>();
  for (const slug of ["mbombela", "polokwane"] as const) {
    citizens.set(MUNICIPALITIES[slug].id, (await person("citizen", slug)).userId);
  }
  for (const [tenant, citizen] of citizens) {
    await database((sql) =>
      sql`
      insert into public.tickets (tenant_id, category, status, severity, is_sensitive, reporter_id, created_at, updated_at)
      select ${tenant}, ${CATEGORY}, (array['open', 'in_progress', 'escalated', 'resolved', 'closed'])[1 + n % 5],
        (array['low', 'high'])[1 + n % 2], n % 7 = 0, case when n % 4 = 0 then ${citizen}::uuid end,
        now() - n / 10 * interval '1 hour', now() - n % 6 * interval '1 minute'
      from generate_series(1, 90) n`
    );
  }
  try {
    await work();
  } finally {
    await database((sql) => sql`delete from public.tickets where category = ${CATEGORY}`);
  }
}

/** What row-level security gives of the table. */
async function fromTable(
  { supabase }: Person,
  sort: Sort,
  filter: Record<string, unknown>,
): Promise<string[]> {
  let query = supabase.from("tickets").select("id").order(sort, { ascending: false }).order("id");
  for (const column of ["status", "category", "severity"]) {
    if (filter[column]) query = query.in(column, filter[column] as string[]);
  }
  if (filter.sensitive !== undefined) query = query.eq("is_sensitive", filter.sensitive);
  if (filter.since) query = query.gte("created_at", filter.since);
  if (filter.number) query = query.eq("tracking_number", filter.number);
  if (filter.ids) query = query.in("id", filter.ids as string[]);
  return (await ok(query)).map(({ id }) => id as string);
}

async function page({ supabase }: Person, args: Record<string, unknown>): Promise<Page> {
  return await ok(supabase.rpc("list_tickets", args)) as unknown as Page;
}

/** All pages of a few rows, one behind the other. */
async function paged(reader: Person, sort: Sort, filter: Record<string, unknown>): Promise<string[]> {
  const ids: string[] = [];
  let next: Page["next"] = null;
  do {
    const place = next && { after_time: next.time, after_id: next.id };
    const read: Page = await page(reader, { sort, page_size: 7, ...filter, ...place });
    assert(filter.page_size !== undefined || read.tickets.length <= 7);
    ids.push(...read.tickets.map(({ id }) => id));
    next = read.next;
  } while (next);
  return ids;
}

Deno.test("every page of every filter is the table's, for everybody of both municipalities, with no row twice or left out", async () => {
  await withTickets(async () => {
    const [any] = await database((sql) =>
      sql`select tracking_number, array(select id from public.tickets where category = ${CATEGORY} limit 60) as ids
      from public.tickets where category = ${CATEGORY} and is_sensitive limit 1`
    );
    const filters: Record<string, unknown>[] = [
      { category: [CATEGORY] },
      { category: [CATEGORY], status: ["open", "escalated", "open"] },
      { category: [CATEGORY], status: ["closed"], severity: ["high"] },
      { category: [CATEGORY], sensitive: true },
      { category: [CATEGORY], sensitive: false, status: ["in_progress"] },
      { category: [CATEGORY, "roads"], since: new Date(Date.now() - 3 * 3_600_000).toISOString() },
      { status: ["none of ours"] },
      { number: any!.tracking_number },
      { ids: any!.ids, page_size: 1000 },
    ];
    let seen = 0;
    for (const reader of await everybody()) {
      for (const filter of filters) {
        for (const sort of ["updated_at", "created_at"] as const) {
          const expected = await fromTable(reader, sort, filter);
          const what = `${reader.role} of ${reader.slug}, ${sort}, ${JSON.stringify(filter)}`;
          assertEquals(await paged(reader, sort, filter), expected, what);
          seen += expected.length;
        }
      }
    }
    assert(seen > 3000, `only ${seen} rows were compared`);
  });
});

Deno.test("a page says nothing of what its reader may not see, and does not end early for it", async () => {
  await withTickets(async () => {
    const [field, admin] = [await person("field_worker"), await person("admin")];
    const { tickets } = await page(field, { category: [CATEGORY], page_size: 50 });
    assertEquals(tickets.length, 50);
    const all = await page(admin, { category: [CATEGORY], page_size: 50 });
    const hidden = all.tickets.filter(({ id }) => !tickets.some((ticket) => ticket.id === id));
    assert(hidden.length > 0);
    const text = JSON.stringify(await page(field, { ids: all.tickets.map(({ id }) => id) }));
    for (const { id } of hidden.slice(0, 7)) assert(!text.includes(id));
    assertEquals((await page(field, { sensitive: true })).tickets, []);
  });
});

Deno.test("who has not signed in has no list; what makes no sense is refused, with its reason", async () => {
  assert((await anonymous.rpc("list_tickets")).error);
  const { supabase } = await person("manager");
  for (
    const args of [{ sort: "description" }, { sort: null }, { page_size: 0 }, { page_size: 1001 }, {
      page_size: null,
    }]
  ) {
    const { error } = await supabase.rpc("list_tickets", args);
    assertEquals([error?.code, error?.message], ["PT400", "invalid_request"], JSON.stringify(args));
  }
  const { error } = await supabase.rpc("list_tickets", { sort: "id; drop table tickets" });
  assertEquals(error?.code, "PT400");
});
