/// <reference lib="dom" />
// What residents wrote, as staff read it: in order, with its files; and a GBV report, opened step by step, each recorded.
import { assert, assertEquals } from "../support/assert.ts";
import { connect, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import { accepted, mediaOf, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
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

const records = async (ticketId: string) =>
  (await sql`select event, details ->> 'include_sender' as sender from public.custody_records
    where ticket_id = ${ticketId} and event = 'report_opened' order by recorded_at`).map(({ sender }) =>
    sender
  );

Deno.test("messages in their order, each with its own files and place; reading them makes the ticket read", async () => {
  const sender = newSender();
  const first = await accepted(sender, number, {
    body: "Water everywhere",
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await accepted(sender, number, {
    body: "Here it is",
    params: { Latitude: "-25.4753", Longitude: "30.9694", Address: "12 Main Road" },
  });
  const last = await accepted(sender, number, {
    body: "And closer",
    files: [await sampleFile("burst-pipe-detail.png")],
  });
  await settled(first.message_sid, 1);
  await settled(last.message_sid, 1);
  const ticket = await ticketOf(first.message_sid);

  const worker = await stage.signIn("field_worker");
  const { page } = worker;
  await row(page, ticket.tracking_number).filter({ hasText: "Unread" }).filter({
    hasText: "Water everywhere",
  }).click();
  await picturesDecoded(page, 2);
  const entries = page.locator(".timeline > li");
  const shown = await entries.evaluateAll((all) =>
    all.map((entry) => [entry.querySelector(".words")!.textContent, entry.querySelectorAll("img").length])
  );
  assertEquals(shown, [["Water everywhere", 1], ["Here it is", 0], ["And closer", 1]]);
  // Large, by the keyboard alone; afterwards it is where it was.
  const thumbnail = page.getByRole("button", { name: /large$/ }).first();
  await thumbnail.press("Enter");
  const viewer = page.getByRole("dialog");
  await viewer.getByText(/, 1 of 2$/).waitFor();
  await page.keyboard.press("ArrowRight");
  await viewer.getByText(/, 2 of 2$/).waitFor();
  assert((await viewer.getByRole("link", { name: "Download" }).getAttribute("href"))!.includes("download="));
  assertEquals(await violations(page), []);
  await page.keyboard.press("Escape");
  assert(await thumbnail.evaluate((button) => button === document.activeElement), "the focus has gone");

  const place = page.getByRole("link", { name: /12 Main Road/ });
  assertEquals(await place.getAttribute("href"), "geo:-25.4753,30.9694?q=-25.4753,30.9694");
  await row(page, ticket.tracking_number).filter({ hasNotText: "Unread" }).waitFor();
  assertEquals(await page.getByRole("button", { name: /Show who wrote/ }).isVisible(), false);
  assertEquals(worker.complaints, []);

  // Back goes to the list, forward to the ticket, a reload stays there.
  await page.goBack();
  await page.getByText("Choose a ticket").waitFor();
  await page.goForward();
  await page.getByRole("heading", { name: ticket.tracking_number }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: ticket.tracking_number }).waitFor();
  await worker.leave();
});

Deno.test("a GBV report: its words, who wrote, and each picture are opened apart, and the openings are recorded", async () => {
  const sender = newSender();
  const files = [await sampleFile("burst-pipe.jpg")];
  const { message_sid } = await accepted(sender, gbvNumber, { body: "He hit me again", files });
  await settled(message_sid, 1);
  const ticket = await ticketOf(message_sid);
  const police = await stage.signIn("saps_liaison");
  const { page } = police;
  await page.getByRole("button", { name: "GBV" }).click();
  await row(page, ticket.tracking_number).click();
  await page.getByText("The words of this report are sealed.").waitFor();
  assertEquals(await page.getByRole("button", { name: /Show who wrote/ }).isVisible(), false);
  assertEquals(await records(ticket.id), []);

  await page.getByRole("button", { name: /Read the report/ }).click();
  await page.getByText("He hit me again").waitFor();
  assertEquals(await records(ticket.id), ["false"]);
  const digits = sender.replace(/\D/g, "");
  assert(!(await page.content()).includes(digits), "who wrote is shown before it was asked for");
  await page.getByRole("button", { name: /Show who wrote/ }).click();
  await page.getByText(new RegExp(digits)).waitFor();
  assertEquals(await records(ticket.id), ["false", "true"]);

  await page.getByRole("button", { name: /Show files/ }).click();
  await picturesDecoded(page, 1);
  assertEquals(await page.locator("img.veiled").count(), 1);
  await page.getByRole("button", { name: /^Show .*\.jpe?g$/ }).click();
  assertEquals(await page.locator("img.veiled").count(), 0);

  // The general list beside it: the report closes.
  await page.getByRole("button", { name: "General" }).click();
  await page.getByText("Choose a ticket").waitFor();
  await police.leave();
});

Deno.test("a field worker who reads what should be hidden hides it; the page says it cannot be undone", async () => {
  const { message_sid } = await accepted(newSender(), number, { body: "My boyfriend" });
  const ticket = await ticketOf(message_sid);
  const { page, leave } = await stage.signIn("field_worker");
  await row(page, ticket.tracking_number).click();
  await page.getByRole("button", { name: "Mark as sensitive…" }).click();
  await page.getByRole("dialog").getByText("You cannot undo this.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Mark as sensitive" }).click();
  await page.getByText("The ticket you had open is no longer available to you.").waitFor();
  assert(!(await page.content()).includes("My boyfriend"), "its words stay in the page");
  const { is_sensitive } = await ok(
    service.from("tickets").select("is_sensitive").eq("id", ticket.id).single(),
  );
  assert(is_sensitive);
  await leave();
});

Deno.test("what comes while somebody looks elsewhere is a number in the title, and no more", async () => {
  const { page, leave } = await stage.signIn("admin");
  await page.evaluate(() =>
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true })
  );
  const { message_sid } = await accepted(newSender(), gbvNumber, { body: "Help" });
  await ticketOf(message_sid);
  await page.waitForFunction(() => /^\(\d+\) Citizen reports$/.test(document.title));
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { get: () => false, configurable: true });
    dispatchEvent(new Event("focus"));
  });
  assertEquals(await page.title(), "Citizen reports");
  await leave();
});

Deno.test("files that failed are listed for staff, and lead to their tickets; GBV ones for those alone who may see them", async () => {
  const photo = await sampleFile("burst-pipe.jpg");
  const missing = { files: [photo], params: { MediaUrl0: "" } };
  const open = await accepted(newSender(), number, missing);
  const secret = await accepted(newSender(), gbvNumber, missing);
  const [failed] = await mediaOf(open.message_sid);
  const [hidden] = await mediaOf(secret.message_sid);
  for (const role of ["ward_councillor", "admin"] as const) {
    const { page, leave, complaints } = await stage.signIn(role, { viewport: { width: 375, height: 800 } });
    const asked = page.waitForResponse("**/rest/v1/media_backlog*");
    await page.getByRole("button", { name: "Files to look after" }).click();
    const answer = await (await asked).text();
    assert(answer.includes(failed!.file_id));
    assertEquals(answer.includes(hidden!.file_id), role === "admin");
    await page.locator(".backlog li").first().waitFor();
    assertEquals(await violations(page), []);
    await page.goBack();
    await page.getByRole("heading", { name: "Tickets" }).waitFor();
    await page.goForward();
    const entry = page.locator(".backlog li").filter({
      hasText: "Not received. WhatsApp’s provider gave no file.",
    });
    await entry.first().getByRole("button").click();
    await page.getByRole("heading", { name: /^TKT-/ }).waitFor();
    assertEquals(complaints, []);
    await leave();
  }
});
