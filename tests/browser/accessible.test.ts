/// <reference lib="dom" />
// By keyboard alone, and by the rules that axe-core checks: WCAG 2.2 A and AA.
import type { Page } from "playwright-core";
import { assert, assertEquals } from "../support/assert.ts";
import { makeTicket, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import { violations } from "./support/axe.ts";
import { isLive, openStage, picturesDecoded, row, type Stage } from "./support/stage.ts";

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

/** Presses Tab until the focus is where the text or label says. */
async function tabTo(page: Page, text: string): Promise<void> {
  const passed: string[] = [];
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      return `${element?.labels?.[0]?.textContent ?? ""} ${element?.textContent ?? ""}`;
    });
    if (focused.includes(text)) return;
    passed.push(focused.trim());
  }
  throw new Error(`Tab never reached "${text}", only: ${passed.join(" | ")}`);
}

const focusedText = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? "");

Deno.test("by keyboard alone: sign in, open a ticket, change its status", async () => {
  const { id } = await makeTicket("mbombela");
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  const visit = await stage.visit();
  const { page } = visit;
  await page.getByLabel("Email").waitFor();

  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("Admin");
  assertEquals(await page.getByLabel("Email").inputValue(), "admin@mbombela.test");
  await tabTo(page, "Password");
  await page.keyboard.press("Enter");
  await isLive(page);
  assertEquals(await focusedText(page), "Tickets");

  await tabTo(page, tracking_number);
  await page.keyboard.press("Enter");
  assertEquals(await focusedText(page), tracking_number);
  await tabTo(page, "Status");
  await page.keyboard.type("In p");
  await tabTo(page, "Change status");
  await page.keyboard.press("Enter");
  await row(page, tracking_number).getByText("In progress").waitFor();
  const { status } = await ok(service.from("tickets").select("status").eq("id", id).single());
  assertEquals(status, "in_progress");
  assertEquals(await focusedText(page), "Change status");
  await visit.leave();
});

Deno.test("a list that changes takes the focus from nobody", async () => {
  const { id } = await makeTicket("mbombela");
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  const { page, leave } = await stage.signIn("manager");
  await row(page, tracking_number).focus();
  const { id: other } = await makeTicket("mbombela", { status: "escalated", category: "waste" });
  await row(page, "Waste").filter({ hasText: "Escalated" }).first().waitFor();
  await ok(service.from("tickets").update({ severity: "critical" }).eq("id", id).select());
  await row(page, tracking_number).getByText("Critical").waitFor();
  assert((await focusedText(page)).includes(tracking_number), "the focus has gone");

  await ok(service.from("tickets").update({ is_sensitive: true }).in("id", [id, other]).select());
  await row(page, tracking_number).waitFor({ state: "detached" });
  assertEquals(await focusedText(page), "Tickets");
  await leave();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, width] of [["a desktop", 1280], ["a phone", 360]] as const) {
    Deno.test(`axe finds nothing wrong on ${device}, ${colorScheme}`, async () => {
      const files = [await sampleFile("burst-pipe.jpg"), await sampleFile("proof-of-residence.pdf")];
      const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, { files });
      await settled(message_sid, 2);
      const { tracking_number } = await ticketOf(message_sid);
      const { page, leave } = await stage.visit({ colorScheme, viewport: { width, height: 800 } });
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      assertEquals(await violations(page), []);

      await page.getByLabel("Email").fill("admin@mbombela.test");
      await page.getByRole("button", { name: "Sign in" }).click();
      await row(page, tracking_number).waitFor();
      await isLive(page);
      assertEquals(await violations(page), []);

      await row(page, tracking_number).click();
      await picturesDecoded(page, 1);
      assertEquals(await violations(page), []);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assertEquals(sideways, 0, "it scrolls sideways");

      await page.getByRole("button", { name: "Certificate of" }).first().click();
      assertEquals(await violations(page), []);
      await page.getByLabel("Name", { exact: true }).fill("T. Dlamini");
      await page.getByLabel("Office").fill("Records officer");
      await page.getByRole("button", { name: "Issue the certificate" }).click();
      await page.getByRole("heading", { name: "Certificate of electronic evidence" }).waitFor();
      assertEquals(await violations(page), []);
      assertEquals(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
      await page.getByRole("button", { name: "Back" }).click();

      await page.getByRole("button", { name: "Court bundle…" }).click();
      assertEquals(await violations(page), []);
      await page.getByRole("button", { name: "Cancel" }).click();

      await page.getByRole("button", { name: "Mark as sensitive…" }).click();
      assertEquals(await violations(page), []);
      await leave();
    });
  }
}
