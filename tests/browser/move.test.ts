/// <reference lib="dom" />
// "Move this message": managers and admins take what belongs elsewhere out of an ordinary ticket, police liaison and admins out of
// a GBV report; whoever may not is offered nothing.
import { assert, assertEquals } from "../support/assert.ts";
import { connect, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import { violations } from "./support/axe.ts";
import { openStage, picturesDecoded, row, type Stage } from "./support/stage.ts";

const { number, gbvNumber } = MUNICIPALITIES.mbombela;
const sql = connect();

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(async () => {
  await stage.close();
  await sql.end();
});

const moves = async (sid: string) =>
  (await sql`select user_role from public.custody_records
    where event = 'message_moved' and details ->> 'message_sid' = ${sid} order by recorded_at`)
    .map(({ user_role }) => user_role);

Deno.test("a manager moves a message with its photo to a new ticket, and back by the number; another resident's is refused", async () => {
  const sender = newSender();
  const first = await accepted(sender, number, { body: "Water everywhere" });
  const second = await accepted(sender, number, {
    body: "And the street light is dead",
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await settled(second.message_sid, 1);
  const ticket = await ticketOf(first.message_sid);
  const strangers = await ticketOf((await accepted(newSender(), number, { body: "Potholes" })).message_sid);

  const { page, complaints, leave } = await stage.signIn("manager");
  await row(page, ticket.tracking_number).click();
  await picturesDecoded(page, 1);
  const entry = page.locator(".timeline > li").filter({ hasText: "street light" });
  const move = entry.getByRole("button", { name: /^Move this message/ });
  const dialog = page.getByRole("dialog", { name: "Move this message?" });

  // Looked at and left: nothing is moved, and the keyboard is where it was.
  await move.press("Enter");
  await dialog.getByText("And the street light is dead").waitFor();
  assertEquals(await dialog.getByLabel("Its number").isVisible(), false);
  assertEquals(await violations(page), []);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert(await move.evaluate((button) => button === document.activeElement), "the focus has gone");
  assertEquals((await ticketOf(second.message_sid)).id, ticket.id);

  const moveTo = async (target: string) => {
    await move.click();
    await dialog.getByLabel("Another open ticket of the same resident").check();
    await dialog.getByLabel("Its number").fill(target);
    await dialog.getByRole("button", { name: "Move", exact: true }).click();
  };
  for (const wrong of [strangers.tracking_number, "TKT-20000101-NONE22"]) {
    await moveTo(wrong);
    await entry.getByText("The same resident has no open ticket with this number.").waitFor();
  }

  await move.click();
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await page.getByRole("status").getByText(/^Moved to TKT-/).waitFor();
  await entry.waitFor({ state: "detached" });
  assertEquals(await page.locator(".timeline > li").count(), 1);
  assertEquals(await page.locator(".files img").count(), 0, "its photo has stayed");
  assert(
    await page.locator("h2").first().evaluate((heading) =>
      heading.ownerDocument.activeElement?.tagName === "H2"
    ),
  );
  const fresh = await ticketOf(second.message_sid);
  assertEquals(fresh.description, "And the street light is dead");
  assertEquals(await moves(second.message_sid), ["manager"]);

  await row(page, fresh.tracking_number).click();
  await picturesDecoded(page, 1);
  await moveTo(ticket.tracking_number.toLowerCase());
  await page.getByRole("status").getByText(`Moved to ${ticket.tracking_number}.`).waitFor();
  await row(page, ticket.tracking_number).click();
  await picturesDecoded(page, 1);
  assertEquals((await ticketOf(second.message_sid)).id, ticket.id);
  // the browser says of the refusal that it was one
  assertEquals(complaints.filter((complaint) => !/status of 404/.test(complaint)), []);
  await leave();
});

Deno.test("an admin moves what belongs to a GBV report into it, where it is hidden; police liaison picks from the sender's others", async () => {
  const sender = newSender();
  const first = await accepted(sender, number, { body: "A pothole" });
  const secret = await accepted(sender, number, { body: "My boyfriend did this" });
  const gbv = await ticketOf((await accepted(sender, gbvNumber, { body: "Help me" })).message_sid);
  const ticket = await ticketOf(first.message_sid);

  const admin = await stage.signIn("admin");
  await row(admin.page, ticket.tracking_number).click();
  const entry = admin.page.locator(".timeline > li").filter({ hasText: "boyfriend" });
  await entry.getByRole("button", { name: /^Move this message/ }).click();
  const dialog = admin.page.getByRole("dialog", { name: "Move this message?" });
  await dialog.getByText("it is hidden from all but police liaison and admins").waitFor();
  await dialog.getByLabel("Another open ticket of the same resident").check();
  await dialog.getByLabel("Its number").fill(gbv.tracking_number);
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await entry.waitFor({ state: "detached" });
  assert(!(await admin.page.locator("main").innerText()).includes("boyfriend"));
  const { is_sensitive, body } = await ok(
    service.from("inbound_messages").select("is_sensitive, body").eq("message_sid", secret.message_sid)
      .single(),
  );
  assertEquals([is_sensitive, body], [true, null]);
  await admin.leave();

  const police = await stage.signIn("saps_liaison");
  await row(police.page, ticket.tracking_number).click();
  await police.page.getByText("A pothole").first().waitFor();
  assertEquals(
    await police.page.getByRole("button", { name: /^Move this message/ }).count(),
    0,
    "an ordinary ticket",
  );
  await police.page.getByRole("button", { name: "GBV" }).click();
  await row(police.page, gbv.tracking_number).click();
  const last = police.page.locator(".timeline > li").last();
  await last.getByRole("button", { name: /^Move this message/ }).click();
  const chooser = police.page.getByRole("dialog", { name: "Move this message?" });
  await chooser.getByText("its words stay sealed").waitFor();
  assertEquals(
    await chooser.locator("option").evaluateAll((all) => all.map((option) => option.getAttribute("value"))),
    [ticket.tracking_number],
  );
  assertEquals(await violations(police.page), []);
  await chooser.getByRole("button", { name: "Cancel" }).click();
  assertEquals(await moves(secret.message_sid), ["admin"]);
  await police.leave();
});

Deno.test("who may move nothing is offered nothing: field workers and councillors", async () => {
  const { message_sid } = await accepted(newSender(), number, { body: "A burst pipe" });
  const ticket = await ticketOf(message_sid);
  for (const role of ["field_worker", "ward_councillor"] as const) {
    const { page, leave } = await stage.signIn(role);
    await row(page, ticket.tracking_number).click();
    await page.locator(".timeline > li").getByText("A burst pipe").waitFor();
    assertEquals(await page.getByRole("button", { name: /^Move this message/ }).count(), 0, role);
    await leave();
  }
});
