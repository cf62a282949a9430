/// <reference lib="dom" />
// The search box, at a desk and on a phone.
import { assertEquals } from "../support/assert.ts";
import { makeTicket, MUNICIPALITIES, ok, person, service } from "../support/stack.ts";
import { accepted, newSender, ticketOf } from "../support/whatsapp.ts";
import { isLive, openStage, row, type Stage } from "./support/stage.ts";

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

const newWord = () => `w${crypto.randomUUID().replaceAll("-", "").slice(0, 14)}`;

for (const [where, width] of [["at a desk", 1280], ["on a phone", 390]] as const) {
  Deno.test(`${where}, what residents wrote is found while it is typed, and what comes later appears by itself`, async () => {
    const word = newWord();
    const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
      body: `Amanzi ${word}`,
    });
    const { tracking_number, id } = await ticketOf(message_sid);
    await makeTicket("mbombela");
    const manager = await stage.signIn("manager", { viewport: { width, height: 844 } });
    const { page } = manager;
    const box = page.getByRole("searchbox", { name: "Search" });
    await box.pressSequentially(word.slice(0, 10));
    await page.getByText("1 ticket", { exact: true }).waitFor();
    await row(page, tracking_number).waitFor();

    const later = await makeTicket("mbombela", { description: `Also ${word}` });
    const { tracking_number: other } = await ok(
      service.from("tickets").select("tracking_number").eq("id", later.id).single(),
    );
    await row(page, other).waitFor();
    await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", id).select("id"));
    await row(page, tracking_number).waitFor({ state: "detached" });

    await box.fill(`${newWord()} nothing`);
    await page.getByText("No tickets", { exact: true }).waitFor();
    await box.fill(other.toLowerCase());
    await page.getByText("1 ticket", { exact: true }).waitFor();
    await box.fill("");
    await page.getByText("1 ticket", { exact: true }).waitFor({ state: "detached" });
    assertEquals(manager.complaints, []);
    await manager.leave();
  });
}

Deno.test("a citizen searches among their own tickets", async () => {
  const word = newWord();
  const { userId } = await person("citizen");
  await makeTicket("mbombela", { description: word });
  const { id } = await makeTicket("mbombela", { description: `My ${word}`, reporter_id: userId });
  const citizen = await stage.signIn("citizen");
  await citizen.page.getByRole("searchbox", { name: "Search" }).fill(word);
  await citizen.page.getByText("1 ticket", { exact: true }).waitFor();
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  await row(citizen.page, tracking_number).waitFor();
  await isLive(citizen.page);
  assertEquals(citizen.complaints, []);
  await citizen.leave();
  await ok(service.from("tickets").delete().eq("id", id).select("id"));
});
