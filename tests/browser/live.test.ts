// What reaches an open page by itself, and what never does.
import { assert, assertEquals } from "../support/assert.ts";
import { makeTicket, MUNICIPALITIES, ok, service } from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import {
  isLive,
  openStage,
  picturesDecoded,
  realtime,
  row,
  type Stage,
  type Visit,
} from "./support/stage.ts";

const { number, gbvNumber } = MUNICIPALITIES.mbombela;

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

/** A ticket as the page shows it, made by the service. */
async function newTicket(fields: Record<string, unknown> = {}): Promise<{ id: string; number: string }> {
  const { id } = await makeTicket("mbombela", fields);
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  return { id, number: tracking_number };
}

async function leaveAll(...visits: Visit[]): Promise<void> {
  await Promise.all(visits.map((visit) => visit.leave()));
}

Deno.test("a resident's WhatsApp photo appears in an open page, without a reload", async () => {
  const manager = await stage.signIn("manager");
  const { page } = manager;
  await page.evaluate(() => Reflect.set(globalThis, "sameDocument", true));
  const sender = newSender();

  const files = [await sampleFile("burst-pipe.jpg")];
  const first = await accepted(sender, number, { body: "Burst pipe <b>here</b>", files });
  const { tracking_number } = await ticketOf(first.message_sid);
  await row(page, tracking_number).click();
  await page.getByText("Burst pipe <b>here</b>").waitFor();
  await picturesDecoded(page, 1);

  await accepted(sender, number, { files: [await sampleFile("burst-pipe-detail.png")] });
  await picturesDecoded(page, 2);

  assert(await page.evaluate(() => Reflect.get(globalThis, "sameDocument")), "the page was reloaded");
  assertEquals(manager.complaints, []);
  await manager.leave();
});

Deno.test("a GBV report appears for police liaison and admin, and not even its existence reaches a manager", async () => {
  const [manager, admin, police] = await Promise.all([
    stage.signIn("manager"),
    stage.signIn("admin"),
    stage.signIn("saps_liaison"),
  ]);
  const files = [await sampleFile("burst-pipe-detail.png")];
  const { message_sid } = await accepted(newSender(), gbvNumber, { body: "He hit me again", files });
  const ticket = await ticketOf(message_sid);
  const [medium] = await settled(message_sid, 1);

  for (const { page } of [admin, police]) {
    await page.getByRole("button", { name: /^GBV/ }).click();
    await row(page, ticket.tracking_number).click();
    await page.getByRole("button", { name: "Show files" }).click();
    await picturesDecoded(page, 1);
  }

  // Something that the manager is told later: by then he would have been told the other as well.
  const later = await newTicket();
  await row(manager.page, later.number).waitFor();
  const shown = await manager.everShown();
  const frames = manager.frames();
  await manager.page.reload();
  await row(manager.page, later.number).waitFor();
  const responses = await manager.responses();

  for (const known of [frames, shown, responses]) {
    assert(known.includes(known === shown ? later.number : later.id), "the traffic was not recorded");
    for (const secret of [ticket.id, ticket.tracking_number, medium!.file_id, medium!.path, message_sid]) {
      assert(!known.includes(secret), `the manager's page received ${secret}`);
    }
  }
  assert(!shown.includes("GBV"), "the manager's page showed something of GBV");
  assert(!frames.includes(`${MUNICIPALITIES.mbombela.id}:gbv`), "the manager's page asked for the GBV topic");
  assert(admin.frames().includes(ticket.id) && admin.frames().includes(medium!.file_id));

  await leaveAll(manager, admin, police);
});

Deno.test("a ticket that an admin marks as sensitive vanishes from the manager's open page", async () => {
  const [manager, admin] = await Promise.all([stage.signIn("manager"), stage.signIn("admin")]);
  const files = [await sampleFile("burst-pipe.jpg")];
  const { message_sid } = await accepted(newSender(), number, { files });
  const { tracking_number } = await ticketOf(message_sid);
  for (const { page } of [manager, admin]) {
    await row(page, tracking_number).click();
    await picturesDecoded(page, 1);
  }

  await admin.page.getByRole("button", { name: "Mark as sensitive…" }).click();
  await admin.page.getByRole("dialog").getByRole("button", { name: "Mark as sensitive" }).click();

  await row(manager.page, tracking_number).waitFor({ state: "detached" });
  await manager.page.getByText("The ticket you had open is no longer available to you.").waitFor();
  const left = await manager.page.content();
  assert(!left.includes(tracking_number) && !left.includes("token="), "something of it stays in the page");

  await admin.page.getByText("Only police liaison and admins see this ticket.").waitFor();
  await leaveAll(manager, admin);
});

for (const interruption of ["an outage of Realtime", "a network blip"]) {
  Deno.test(`after ${interruption} the page shows what changed meanwhile`, async () => {
    const [kept, hidden] = [await newTicket(), await newTicket()];
    const manager = await stage.signIn("manager");
    const { page } = manager;
    await row(page, hidden.number).waitFor();
    await row(page, kept.number).click();

    let added: { number: string };
    const change = async () => {
      added = await newTicket({ category: "roads" });
      await ok(service.from("tickets").update({ status: "escalated" }).eq("id", kept.id).select());
      await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", hidden.id).select());
    };
    if (interruption === "a network blip") {
      await realtime("drop_sockets");
      await change();
    } else {
      await realtime("cut");
      try {
        await page.locator('.connection:not([data-state="live"])').waitFor();
        await change();
      } finally {
        await realtime("restore");
      }
    }

    await row(page, added!.number).waitFor({ timeout: 25_000 });
    await row(page, kept.number).getByText("Escalated").waitFor();
    await page.getByRole("article").getByText("Escalated").first().waitFor();
    await row(page, hidden.number).waitFor({ state: "detached" });
    await isLive(page);
    await manager.leave();
  });
}
