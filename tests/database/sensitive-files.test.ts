// A sensitive ticket's files are hidden and on their way to gbv-evidence, whatever made the ticket sensitive.
import { assertEquals } from "../support/assert.ts";
import { ticketFile } from "../support/files.ts";
import { connect, makeTicket, ok, type Person, person, service, SLUGS } from "../support/stack.ts";

interface FileState {
  is_sensitive: boolean;
  due: boolean;
}

async function stateOf(fileId: string): Promise<FileState> {
  const sql = connect();
  const [row] = await sql<FileState[]>`
    select is_sensitive, next_attempt_at is not distinct from '-infinity' as due
    from public.media_attachments where file_id = ${fileId}`;
  await sql.end();
  return row!;
}

async function readableBy(reader: Person, fileId: string): Promise<boolean> {
  const rows = await ok(reader.supabase.from("media_attachments").select("file_id").eq("file_id", fileId));
  const { data } = await reader.supabase.functions.invoke("signed-url", { body: { file_id: fileId } });
  assertEquals(Boolean(data), rows!.length === 1, "table and function differ");
  return rows!.length === 1;
}

/** Ways by which a ticket becomes sensitive; not all of them name the flag. */
const WAYS: Record<string, (admin: Person, ticketId: string) => Promise<void>> = {
  "the flag": async (admin, id) => {
    await ok(admin.supabase.from("tickets").update({ is_sensitive: true }).eq("id", id).select());
  },
  "its category": async (admin, id) => {
    await ok(admin.supabase.from("tickets").update({ category: "gbv" }).eq("id", id).select());
  },
  "a backend's update of many": async (admin, id) => {
    await ok(
      service.from("tickets").update({ category: "gbv" }).eq("tenant_id", admin.tenant).eq("id", id).select(),
    );
  },
  "a trigger of the project's own, on another column": async (admin, id) => {
    const sql = connect();
    await sql.unsafe(`
      create function public.own_rule() returns trigger language plpgsql as $$
      begin new.is_sensitive := new.is_sensitive or new.severity = 'critical'; return new; end $$;
      create trigger a_own_rule before update on public.tickets for each row execute function public.own_rule()`);
    try {
      await ok(admin.supabase.from("tickets").update({ severity: "critical" }).eq("id", id).select());
    } finally {
      await sql.unsafe("drop trigger a_own_rule on public.tickets; drop function public.own_rule()");
      await sql.end();
    }
  },
};

for (const [way, flip] of Object.entries(WAYS)) {
  for (const slug of SLUGS) {
    Deno.test(`a ticket of ${slug} that turns sensitive by ${way} hides its files and has them moved`, async () => {
      const admin = await person("admin", slug);
      const manager = await person("manager", slug);
      const ticket = await makeTicket(admin.slug);
      const { fileId } = await ticketFile(manager, ticket.id);
      assertEquals(await readableBy(manager, fileId), true);
      assertEquals(await stateOf(fileId), { is_sensitive: false, due: false });

      await flip(admin, ticket.id);

      assertEquals(await readableBy(manager, fileId), false);
      assertEquals(await stateOf(fileId), { is_sensitive: true, due: true });
      const waiting = await ok(
        admin.supabase.from("media_backlog").select("situation").eq("file_id", fileId),
      );
      assertEquals(waiting, [{ situation: "awaiting_move" }]);
    });
  }
}

Deno.test("a file that goes to a sensitive ticket is hidden with it", async () => {
  const admin = await person("admin"), manager = await person("manager");
  const from = await makeTicket(admin.slug), to = await makeTicket(admin.slug, { category: "gbv" });
  const { fileId } = await ticketFile(manager, from.id);
  const sql = connect();
  await sql`update public.media_attachments set ticket_id = ${to.id} where file_id = ${fileId}`;
  await sql.end();
  assertEquals(await stateOf(fileId), { is_sensitive: true, due: true });
  assertEquals(await readableBy(manager, fileId), false);
});

Deno.test("a sensitive ticket's file outside gbv-evidence stays in the backlog, also when the queue has forgotten it", async () => {
  const admin = await person("admin"), manager = await person("manager");
  const ticket = await makeTicket(admin.slug);
  const { fileId } = await ticketFile(manager, ticket.id);
  await ok(admin.supabase.from("tickets").update({ category: "gbv" }).eq("id", ticket.id).select());
  const sql = connect();
  await sql`update public.media_attachments set next_attempt_at = null where file_id = ${fileId}`;
  await sql.end();
  assertEquals(
    await ok(admin.supabase.from("media_backlog").select("situation").eq("file_id", fileId)),
    [{ situation: "awaiting_move" }],
  );
  assertEquals(
    await ok(manager.supabase.from("media_backlog").select("situation").eq("file_id", fileId)),
    [],
  );
});

Deno.test("a file announced while its ticket turns sensitive is never left open", async () => {
  const admin = await person("admin"), manager = await person("manager");
  const ticket = await makeTicket(admin.slug);
  const writer = connect(), flipper = connect();
  const fileId = crypto.randomUUID();
  let flipped: Promise<unknown>;
  await writer.begin(async (tx) => {
    await tx`
      insert into public.media_attachments
        (file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, purpose, created_by)
      values (${fileId}, ${admin.tenant}, ${ticket.id}, 'evidence', ${`${admin.tenant}/${fileId}/a.jpg`}, 'a.jpg',
        'image/jpeg', 10, 'evidence', ${manager.userId})`;
    flipped = flipper`update public.tickets set is_sensitive = true where id = ${ticket.id}`.then(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100)); // the flip waits for this transaction
  });
  await flipped!;
  assertEquals((await stateOf(fileId)).is_sensitive, true);
  await Promise.all([writer.end(), flipper.end()]);
});
