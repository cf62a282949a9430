/// <reference lib="dom" />
// What somebody does with a ticket, and that nothing of it stays after him.
import { Buffer } from "node:buffer";
import { assert, assertEquals } from "../support/assert.ts";
import { makeTicket, MUNICIPALITIES, ok, service, sha256 } from "../support/stack.ts";
import { accepted, newSender, sampleFile, ticketOf } from "../support/whatsapp.ts";
import { openStage, picturesDecoded, row, type Stage } from "./support/stage.ts";

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

async function newTicket(): Promise<{ id: string; number: string }> {
  const { id } = await makeTicket("mbombela");
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  return { id, number: tracking_number };
}

/** A photo that decodes, and is long enough to be seen on its way. */
async function longPhoto(): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes } = await sampleFile("burst-pipe.jpg");
  const long = new Uint8Array(700_000);
  long.set(bytes);
  return long;
}

Deno.test("an upload's progress bar moves, and the file appears", async () => {
  const ticket = await newTicket();
  const manager = await stage.signIn("manager");
  const { page } = manager;
  await row(page, ticket.number).click();
  await page.getByText("No files.").waitFor();

  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 400_000,
  });
  await page.evaluate(() => {
    const seen: number[] = [];
    Reflect.set(globalThis, "progressSeen", seen);
    new MutationObserver(() => {
      const bar = document.querySelector("progress");
      if (bar) seen.push(bar.value / bar.max);
    }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["value"] });
  });
  const photo = await longPhoto();
  await page.getByLabel("Choose files").setInputFiles({
    name: "drain.jpg",
    mimeType: "image/jpeg",
    buffer: Buffer.from(photo),
  });
  await picturesDecoded(page, 1);

  const seen: number[] = await page.evaluate(() => Reflect.get(globalThis, "progressSeen"));
  const between = new Set(seen.filter((value) => value > 0 && value < 1));
  assert(between.size >= 3, `the bar stood at ${seen}`);
  assertEquals(seen, seen.toSorted((a, b) => a - b), "the bar went back");
  const record = await ok(
    service.from("media_attachments").select("status, filename, declared_sha256").eq("ticket_id", ticket.id)
      .single(),
  );
  assertEquals(record, { status: "stored", filename: "drain.jpg", declared_sha256: await sha256(photo) });
  assertEquals(manager.complaints, []);
  await manager.leave();
});

Deno.test("a manager puts category and severity right; a councillor is not offered to", async () => {
  const ticket = await newTicket();
  const [manager, councillor] = [await stage.signIn("manager"), await stage.signIn("ward_councillor")];
  await row(manager.page, ticket.number).click();
  const open = manager.page.getByRole("article");
  await open.getByLabel("Category").selectOption("Roads");
  await open.getByLabel("Severity").selectOption("Critical");
  await open.getByRole("button", { name: "Change category and severity" }).click();
  await row(councillor.page, ticket.number).getByText("Roads · Critical").waitFor();
  await row(councillor.page, ticket.number).click();
  await councillor.page.getByText("No files.").waitFor();
  assertEquals(await councillor.page.getByRole("article").getByLabel("Category").count(), 0);
  await manager.leave();
  await councillor.leave();
});

Deno.test("files are dropped onto the page; one that is refused says why", async () => {
  const ticket = await newTicket();
  const worker = await stage.signIn("field_worker");
  const { page } = worker;
  await row(page, ticket.number).click();
  const photo = [...(await sampleFile("burst-pipe-detail.png")).bytes];
  const dropped = await page.evaluateHandle((photo) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(photo)], "detail.png", { type: "image/png" }));
    transfer.items.add(new File(["#!/bin/sh"], "script.sh", { type: "text/x-sh" }));
    return transfer;
  }, photo);
  await page.locator(".drop-zone").dispatchEvent("drop", { dataTransfer: dropped });

  await picturesDecoded(page, 1);
  await page.locator(".uploads").getByText("This kind of file is not accepted.").waitFor();
  const options = await page.getByLabel("What is it?").locator("option").allTextContents();
  assertEquals(options, ["Evidence", "Document", "Proof of residence"]);
  await worker.leave();
});

Deno.test("a file that did not come is listed with the reason in words", async () => {
  const photo = await sampleFile("burst-pipe.jpg");
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    files: [photo, photo],
    params: { MediaUrl0: "" },
    options: { media_faults: [null, { status: 500 }] },
  });
  const { tracking_number } = await ticketOf(message_sid);
  const { page, leave } = await stage.signIn("ward_councillor");
  await row(page, tracking_number).click();
  await page.getByText("Not received. WhatsApp’s provider gave no file.").waitFor();
  await page.getByText("Not here yet: we keep trying. WhatsApp’s provider could not be reached.").waitFor();
  assertEquals(await page.locator(".files :is(img, video, a)").count(), 0);
  await leave();
});

Deno.test("a citizen sees their own tickets, and nobody else's", async () => {
  const other = await newTicket();
  const { page, frames, leave } = await stage.signIn("citizen");
  await page.getByText("3 tickets").waitFor();
  assertEquals(await row(page, other.number).count(), 0);
  assertEquals(frames(), "");
  await row(page, "Water").click();
  await page.locator("p.description").getByText("Burst pipe at the corner").waitFor();
  assertEquals(await page.getByRole("button", { name: "Change status" }).count(), 0);
  await leave();
});

Deno.test("sign-out leaves nothing of the tickets, not even what was still on its way", async () => {
  const files = [await sampleFile("burst-pipe.jpg"), await sampleFile("voice-note.ogg")];
  const sender = newSender();
  const { message_sid } = await accepted(sender, MUNICIPALITIES.mbombela.number, { files });
  const { tracking_number, description } = await ticketOf(message_sid);
  const manager = await stage.signIn("manager");
  const { page } = manager;
  await row(page, tracking_number).click();
  await picturesDecoded(page, 1);

  // Once more, with the answer that has the signed URLs held back until after the sign-out; and that of the sign-out.
  const held = Promise.withResolvers<void>();
  for (const late of ["**/functions/v1/signed-url", "**/auth/v1/logout*"]) {
    await page.route(late, async (route) => {
      await held.promise;
      await route.continue().catch(() => {});
    });
  }
  await page.evaluate(async () => {
    const players = [
      ...document.querySelectorAll<HTMLMediaElement | HTMLImageElement>(".files :is(audio, img)"),
    ];
    Reflect.set(globalThis, "players", players);
    await document.querySelector("audio")!.play();
  });
  const asked = page.waitForRequest("**/functions/v1/signed-url");
  await accepted(sender, MUNICIPALITIES.mbombela.number, { files });
  await asked;
  await page.getByRole("button", { name: "Sign out" }).click();
  const atOnce = await page.content();
  const playing = await page.evaluate(() => {
    const players: HTMLMediaElement[] = Reflect.get(globalThis, "players");
    return players.map((player) => [player.hasAttribute("src"), player.paused ?? true]);
  });
  assertEquals(playing, [[false, true], [false, true]]);
  held.resolve();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const content of [atOnce, await page.content()]) {
    for (const trace of ["TKT-", description!, "whatsapp-1", "token=", "<audio", "City of Mbombela"]) {
      assert(!content.includes(trace), `${trace} is still in the page`);
    }
  }
  const stored = await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
  assertEquals(stored, []);
  await page.reload();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await manager.leave();
});
