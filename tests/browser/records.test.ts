/// <reference lib="dom" />
// The page of records: for admins and police liaison, and nobody else.
import { assert, assertEquals } from "../support/assert.ts";
import { ticketFile } from "../support/files.ts";
import { makeTicket, MUNICIPALITIES, ok, person } from "../support/stack.ts";
import { violations } from "./support/axe.ts";
import { openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

const { number, gbvNumber } = MUNICIPALITIES.mbombela;

Deno.test("admin and liaison see who opened GBV files, whether the log is whole, and how many tickets; numbers are for admins", async () => {
  const { id } = await makeTicket("mbombela", { is_sensitive: true });
  const liaison = await person("saps_liaison");
  const file = await ticketFile(liaison, id);
  const elsewhere = await person("admin", "polokwane");
  await ok(liaison.supabase.functions.invoke("signed-url", { body: { file_id: file.fileId } }));

  for (const role of ["admin", "saps_liaison"] as const) {
    const { page, leave, complaints } = await stage.signIn(role, {
      viewport: { width: role === "admin" ? 375 : 1440, height: 900 },
      colorScheme: role === "admin" ? "dark" : "light",
    });
    await page.getByRole("button", { name: "Records" }).click();
    await page.getByRole("region", { name: "Custody log" }).getByText("The newest records are whole.")
      .waitFor();
    const read = page.getByRole("region", { name: "GBV files opened" }).getByRole("listitem").first();
    await read.getByText(
      role === "admin" ? `SAPS liaison (user ${liaison.userId.slice(0, 8)})` : "SAPS liaison (you)",
    )
      .waitFor();
    const counts = await ok(liaison.supabase.rpc("ticket_counts")) as {
      status: string;
      is_sensitive: boolean;
      tickets: number;
    }[];
    const hidden = counts.find(({ status, is_sensitive }) => status === "open" && is_sensitive)!.tickets;
    await page.getByRole("row", { name: /^Open / }).getByRole("cell").last().getByText(String(hidden), {
      exact: true,
    })
      .waitFor();
    const numbers = page.getByRole("region", { name: "WhatsApp numbers" });
    await numbers.getByText(role === "admin" ? `${gbvNumber}: GBV` : "Admins see them here.").waitFor();
    assertEquals(await numbers.getByText(`${number}: general`).count(), role === "admin" ? 1 : 0);
    assertEquals(await violations(page), []);
    await read.getByRole("button").click();
    await page.getByRole("heading", { name: /^TKT-/ }).waitFor();
    assertEquals(complaints, []);
    await leave();
  }
  assertEquals(
    await ok(elsewhere.supabase.from("evidence_access_log").select("id").eq("file_id", file.fileId)),
    [],
  );
});

Deno.test("a manager is offered no records, and their address opens none", async () => {
  const { page, leave } = await stage.signIn("manager");
  assertEquals(await page.getByRole("button", { name: "Records" }).count(), 0);
  await page.evaluate(() => {
    location.hash = "#records";
  });
  await page.getByText("The ticket you had open is no longer available to you.").waitFor();
  assertEquals(await page.getByRole("heading", { name: "Records" }).count(), 0);
  assert(!page.url().includes("#records"));
  await leave();
});
