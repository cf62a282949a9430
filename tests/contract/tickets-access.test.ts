// The access table's rows about tickets, by supabase-js, for every role of both municipalities.
import { SEE_SENSITIVE, WRITE_TICKETS } from "../support/access.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  anonymous,
  everybody,
  makeTicket,
  ok,
  type Person,
  person,
  service,
  SLUGS,
} from "../support/stack.ts";

async function sees(reader: Person, ticketId: string): Promise<boolean> {
  return (await ok(reader.supabase.from("tickets").select("*").eq("id", ticketId))).length === 1;
}

async function writes(writer: Person, ticketId: string): Promise<boolean> {
  const severity = "critical";
  await service.from("tickets").update({ severity: "low" }).eq("id", ticketId);
  await writer.supabase.from("tickets").update({ severity }).eq("id", ticketId);
  return (await ok(service.from("tickets").select("severity").eq("id", ticketId).single())).severity ===
    severity;
}

for (const slug of SLUGS) {
  for (const sensitive of [false, true]) {
    Deno.test(`${sensitive ? "sensitive" : "ordinary"} tickets of ${slug}: who reads and who writes`, async () => {
      const ticket = await makeTicket(slug, { is_sensitive: sensitive });
      for (const who of await everybody()) {
        const own = who.slug === slug;
        const expectedRead = own && (sensitive ? SEE_SENSITIVE.includes(who.role) : who.role !== "citizen");
        const expectedWrite = own && (sensitive ? SEE_SENSITIVE : WRITE_TICKETS).includes(who.role);
        assertEquals(await sees(who, ticket.id), expectedRead, `${who.role} of ${who.slug} reads`);
        assertEquals(await writes(who, ticket.id), expectedWrite, `${who.role} of ${who.slug} writes`);
      }
    });

    Deno.test(`${sensitive ? "sensitive" : "ordinary"} tickets of ${slug}: who opens one`, async () => {
      const tenant_id = (await person("admin", slug)).tenant;
      for (const who of await everybody()) {
        const expected = who.slug === slug && (sensitive ? SEE_SENSITIVE : WRITE_TICKETS).includes(who.role);
        const { error } = await who.supabase.from("tickets").insert({
          tenant_id,
          category: "other",
          is_sensitive: sensitive,
        });
        assertEquals(error === null, expected, `${who.role} of ${who.slug}: ${error?.message}`);
      }
    });
  }
}

Deno.test("a citizen reads his own ticket, until it turns sensitive, and never writes it", async () => {
  const citizen = await person("citizen");
  const ticket = await makeTicket("mbombela", { reporter_id: citizen.userId });
  assert(await sees(citizen, ticket.id));
  assert(!await writes(citizen, ticket.id));
  assert(!await sees(await person("citizen", "polokwane"), ticket.id));
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  assert(!await sees(citizen, ticket.id));
});

Deno.test("a ticket of a citizen in another municipality than his own is not his", async () => {
  const citizen = await person("citizen");
  const ticket = await makeTicket("polokwane", { reporter_id: citizen.userId });
  assert(!await sees(citizen, ticket.id));
});

Deno.test("an admin hides a ticket by marking it sensitive; a manager cannot make it visible again", async () => {
  const ticket = await makeTicket("mbombela");
  const [admin, manager] = [await person("admin"), await person("manager")];
  await ok(admin.supabase.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  assert(!await sees(manager, ticket.id));
  assert(await sees(await person("saps_liaison"), ticket.id));
  await manager.supabase.from("tickets").update({ is_sensitive: false }).eq("id", ticket.id);
  assert(
    (await ok(service.from("tickets").select("is_sensitive").eq("id", ticket.id).single())).is_sensitive,
  );
});

Deno.test("no user moves a ticket to another municipality, and none deletes one", async () => {
  const ticket = await makeTicket("mbombela");
  for (const role of ["manager", "admin", "saps_liaison"] as const) {
    const { supabase } = await person(role);
    const tenant_id = (await person("admin", "polokwane")).tenant;
    await supabase.from("tickets").update({ tenant_id }).eq("id", ticket.id);
    await supabase.from("tickets").delete().eq("id", ticket.id);
    const row = await ok(service.from("tickets").select("tenant_id").eq("id", ticket.id).single());
    assertEquals(row.tenant_id, (await person(role)).tenant);
  }
});

Deno.test("who has not signed in reads no ticket", async () => {
  assertEquals((await anonymous.from("tickets").select("id")).error?.code, "42501");
});

Deno.test("a ticket gets its tracking number, TKT-YYYYMMDD-XXXXXX, by itself", async () => {
  const numbers = await Promise.all(Array.from({ length: 20 }, async () => {
    const { id } = await makeTicket("mbombela");
    return (await ok(service.from("tickets").select("tracking_number").eq("id", id).single()))
      .tracking_number as string;
  }));
  for (const number of numbers) assert(/^TKT-\d{8}-[2-9A-HJ-NP-Z]{6}$/.test(number), number);
  assertEquals(new Set(numbers).size, numbers.length);
});

Deno.test("a report of category gbv is sensitive, whatever its writer says", async () => {
  const { id } = await makeTicket("mbombela", { category: "gbv", is_sensitive: false });
  assert(!await sees(await person("field_worker"), id));
  const manager = await person("manager");
  const { error } = await manager.supabase.from("tickets").insert({
    tenant_id: manager.tenant,
    category: "gbv",
  });
  assertEquals(error?.code, "42501");
  const open = await makeTicket("mbombela");
  await service.from("tickets").update({ category: "gbv" }).eq("id", open.id);
  assert(!await sees(manager, open.id));
});

Deno.test("nobody sets whose WhatsApp follow-ups a ticket gets, its number or its times", async () => {
  const manager = await person("manager");
  const ticket = await makeTicket("mbombela");
  for (
    const fields of [{ sender_ref: "x" }, { created_at: "2027-01-01" }, { tracking_number: "T" }, {
      id: crypto.randomUUID(),
    }]
  ) {
    const inserted = await manager.supabase.from("tickets").insert({ tenant_id: manager.tenant, ...fields });
    assertEquals(inserted.error?.code, "42501", JSON.stringify(fields));
    const updated = await manager.supabase.from("tickets").update(fields).eq("id", ticket.id);
    assertEquals(updated.error?.code, "42501", JSON.stringify(fields));
  }
});
