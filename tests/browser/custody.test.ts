/// <reference lib="dom" />
// What came of a file: why it was not taken in and another try at it, and the certificate of one that was.
import type { Page } from "playwright-core";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { announce } from "../support/files.ts";
import { call, until } from "../support/functions.ts";
import {
  connect,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  sample,
  SECRET_KEY,
  service,
  sha256,
} from "../support/stack.ts";
import { accepted, mediaOf, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import { violations } from "./support/axe.ts";
import { openStage, picturesDecoded, row, type Stage } from "./support/stage.ts";

const { number, gbvNumber } = MUNICIPALITIES.mbombela;

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

/** A round of the media worker. */
const work = () => call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });

/** A photo of which far too much comes, the first time only. */
async function failedPhoto() {
  const photo = await sampleFile("burst-pipe.jpg");
  const { message_sid } = await accepted(newSender(), number, {
    files: [photo],
    options: { faults: { oversize: 17 * 2 ** 20, times: 1 } },
  });
  const [medium] = await settled(message_sid, 1);
  assertEquals([medium!.status, medium!.last_error], ["failed", "payload_too_large"]);
  return { ...await ticketOf(message_sid), message_sid, file_id: medium!.file_id };
}

/** As if it had been for a reason that passes. */
async function unreachablePhoto() {
  const photo = await failedPhoto();
  const sql = connect();
  await sql`update public.media_attachments set last_error = 'media_unavailable' where file_id = ${photo.file_id}`;
  await sql.end();
  return photo;
}

Deno.test("a failed file: why, another try, and it is there", async () => {
  const { tracking_number, message_sid } = await unreachablePhoto();
  const worker = await stage.signIn("field_worker");
  const { page } = worker;
  await row(page, tracking_number).click();
  await page.getByText("Not received. WhatsApp’s provider could not be reached.").waitFor();

  const again = page.getByRole("button", { name: "Try again" });
  await page.route("**/rpc/retry_media", (route) => route.abort());
  await again.click();
  await page.getByText("This did not work. Please try again.").waitFor();
  assertEquals((await mediaOf(message_sid))[0]!.status, "failed");
  assert(worker.complaints.length > 0, "the call was not cut off");
  worker.complaints.length = 0;

  await page.unroute("**/rpc/retry_media");
  await again.focus();
  await page.keyboard.press("Enter");
  const waiting = page.getByText("Not here yet: we keep trying.");
  await waiting.waitFor();
  assertEquals(await again.count(), 0);
  assert(await waiting.evaluate((element) => element === document.activeElement), "the focus has gone");
  assertEquals((await mediaOf(message_sid))[0]!.status, "pending");

  await until("the file is stored", async () => {
    await work();
    return (await mediaOf(message_sid))[0]!.status === "stored";
  });
  await picturesDecoded(page, 1);
  assertEquals(await page.getByRole("button", { name: "Certificate" }).count(), 0);
  assertEquals(worker.complaints, []);
  await worker.leave();
});

Deno.test("no other try for a citizen, another municipality, or a file that was deleted or is too large", async () => {
  const { tracking_number, file_id } = await unreachablePhoto();
  const { tracking_number: large } = await failedPhoto();
  const elsewhere = await stage.visit();
  await elsewhere.page.getByLabel("Email").fill("field_worker@polokwane.test");
  await elsewhere.page.getByRole("button", { name: "Sign in" }).click();
  const citizen = await stage.signIn("citizen");
  for (const { page } of [elsewhere, citizen]) {
    await page.locator('.connection[data-state="live"]').waitFor();
    await page.getByText(/^\d+ tickets?$/).waitFor();
    assertEquals(await row(page, tracking_number).count(), 0);
    assertEquals(await page.getByRole("button", { name: "Try again" }).count(), 0);
  }
  for (const stranger of [await person("field_worker", "polokwane"), await person("citizen")]) {
    const { error } = await stranger.supabase.rpc("retry_media", { file_id });
    assertEquals(error?.message, "not_found");
  }

  const { message_sid } = await accepted(newSender(), number, {
    files: [await sampleFile("burst-pipe.jpg")],
  });
  const [medium] = await settled(message_sid, 1);
  await ok(service.storage.from(medium!.bucket).remove([medium!.path]));
  const manager = await stage.signIn("manager");
  await row(manager.page, (await ticketOf(message_sid)).tracking_number).click();
  await manager.page.getByText("Not received. It was stored, and has been deleted since.").waitFor();
  assertEquals(await manager.page.getByRole("button", { name: "Try again" }).count(), 0);
  await row(manager.page, large).click();
  await manager.page.getByText("Not received. It is too large.").waitFor();
  assertEquals(await manager.page.getByRole("button", { name: "Try again" }).count(), 0);
  await Promise.all([elsewhere, citizen, manager].map((visit) => visit.leave()));
});

Deno.test("a stored file that is not what its browser announced carries a warning", async () => {
  const { id } = await makeTicket("mbombela");
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  const owner = await person("field_worker");
  const files = [
    [await sampleFile("burst-pipe.jpg"), await sha256(sample())],
    [await sampleFile("tiny.gif"), undefined], // which is no JPEG
  ] as const;
  for (const [{ bytes }, declared] of files) {
    const slot = await announce(owner, { ticket_id: id, file_size: bytes.length, sha256: declared });
    const blob = new Blob([bytes], { type: "image/jpeg" });
    await ok(owner.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  }
  await until("both are hashed", async () => {
    await work();
    const media = await ok(service.from("media_attachments").select("sha256").eq("ticket_id", id));
    return media.every(({ sha256 }) => sha256 !== null);
  });
  const { page, leave } = await stage.signIn("admin");
  await row(page, tracking_number).click();
  await page.getByText("Warning: this is not the file that the browser announced.").waitFor();
  await page.getByText("Warning: it is not the kind of file it claims to be.").waitFor();
  await issue(page);
  await page.getByRole("alert").getByText("Not the file that was announced").waitFor();
  await leave();
});

/** A GBV report with one photo. */
async function gbvPhoto() {
  const photo = await sampleFile("burst-pipe-detail.png");
  const { message_sid } = await accepted(newSender(), gbvNumber, { body: "He hit me again", files: [photo] });
  const [medium] = await settled(message_sid, 1);
  return { ...await ticketOf(message_sid), message_sid, file_id: medium!.file_id, photo };
}

/** Opens the certificate of the only file of a GBV ticket. */
async function openCertificate(page: Page, trackingNumber: string): Promise<void> {
  await page.getByRole("button", { name: /^GBV/ }).click();
  await row(page, trackingNumber).click();
  await page.getByText("Issuing is recorded.").waitFor();
  await issue(page);
  await page.getByRole("heading", { name: "Certificate of electronic evidence" }).waitFor();
}

/** Has the first file's certificate issued. */
async function issue(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Certificate of" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("T. Dlamini");
  await page.getByLabel("Office").fill("Records officer");
  await page.getByRole("button", { name: "Issue the certificate" }).click();
}

const visibleText = (page: Page) => page.evaluate(() => document.body.innerText);

Deno.test("the certificate of a GBV file: its hash, each look at it, an intact log; on paper nothing else", async () => {
  const { tracking_number, message_sid, file_id, photo } = await gbvPhoto();
  const hash = await sha256(photo.bytes);
  const police = await stage.signIn("saps_liaison");
  const { page } = police;
  await page.getByRole("button", { name: /^GBV/ }).click();
  await row(page, tracking_number).click();
  await page.getByRole("button", { name: "Show files" }).click();
  await picturesDecoded(page, 1);
  await openCertificate(page, tracking_number);

  const fact = (name: string) =>
    page.locator(".facts div").filter({ has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) })
      .locator("dd").textContent();
  assertEquals(await fact("SHA-256"), hash);
  assertEquals(await fact("Ticket"), tracking_number);
  assertEquals(await fact("File id"), file_id);
  assertEquals(await fact("Source"), `WhatsApp, message ${message_sid}, medium 1`);
  assertMatch((await fact("State"))!, /^Intact when issued/);
  assertEquals(await fact("To be signed by"), "T. Dlamini, Records officer");
  assertEquals(await page.getByRole("alert").count(), 0);
  const records = await ok(
    service.from("custody_records").select("seq, event, user_id, hash").eq("file_id", file_id).order(
      "recorded_at",
    ),
  );
  assertEquals(records.map(({ event }) => event), ["received", "stored", "url_signed", "certified"]);
  const rows = await page.locator(".history tbody tr").allTextContents();
  assertEquals(rows.length, records.length);
  records.forEach(({ seq, user_id, hash }, index) => {
    for (const part of [String(seq), user_id ?? "System", hash]) assert(rows[index]!.includes(part), part);
  });
  assertMatch((await fact("Its root"))!, /^[0-9a-f]{64}$/);

  const last = page.locator(".history .full").last();
  assert(!await last.isVisible(), "the hashes are whole before anybody asked");
  await page.getByRole("button", { name: "Full hashes" }).click();
  assert(await last.isVisible(), "the whole hash is not to be had");
  await page.getByRole("button", { name: "Full hashes" }).click();

  await page.emulateMedia({ media: "print" });
  const printed = await visibleText(page);
  for (const part of ["City of Mbombela", tracking_number, hash, records[0]!.hash, "Signature"]) {
    assert(printed.includes(part), `${part} is not printed`);
  }
  for (const part of ["Citizen reports", "Sign out", "Back", "Print", "Add files", "Tickets"]) {
    assert(!printed.split("\n").includes(part), `${part} is printed`);
  }
  const paper = await page.evaluate(() => {
    const { color } = getComputedStyle(document.querySelector(".certificate dd")!);
    return [color, getComputedStyle(document.querySelector(".certificate")!).backgroundColor];
  });
  assertEquals(paper, ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]);
  const pdf = await page.pdf({ preferCSSPageSize: true });
  const pages = new TextDecoder("latin1").decode(pdf).match(/\/Type\s*\/Page\b/g) ?? [];
  assert(pages.length === 1 || pages.length === 2, `${pages.length} pages`);
  await page.emulateMedia({ media: "screen" });

  await page.getByRole("button", { name: "Back" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  assertEquals(await page.evaluate(() => document.activeElement?.textContent), "Certificate…");
  assert(
    !await page.content().then((content) => content.includes(hash)),
    "the certificate stays in the page",
  );
  assertEquals(police.complaints, []);
  await police.leave();
});

Deno.test("a certificate is issued with the name and office of who signs it: in the log as a commitment, and not before", async () => {
  const { tracking_number, file_id } = await gbvPhoto();
  const { page, leave } = await stage.signIn("admin");
  const certified = () =>
    ok(service.from("custody_records").select("details").eq("file_id", file_id).eq("event", "certified"));
  await page.getByRole("button", { name: /^GBV/ }).click();
  await row(page, tracking_number).click();
  const button = page.getByRole("button", { name: "Certificate of" });
  await button.click();
  assertEquals(await violations(page), []);
  await page.getByRole("button", { name: "Issue the certificate" }).click(); // names nobody: the form stays
  await page.getByLabel("Name", { exact: true }).fill("T. Dlamini");
  await page.getByRole("button", { name: "Cancel" }).click();
  assertEquals([await page.getByRole("dialog").count(), (await certified()).length], [0, 0]);
  assertEquals(await page.getByRole("heading", { name: "Certificate of electronic evidence" }).count(), 0);

  await issue(page);
  await page.getByText("T. Dlamini, Records officer").waitFor();
  const [{ details }] = await certified() as [{ details: Record<string, string> }];
  assertMatch(details.signer_commitment!, /^[0-9a-f]{64}$/);
  assert(!JSON.stringify(details).includes("Dlamini"), "a name is in the log");
  await leave();
});

Deno.test("a log that was tampered with is said so, on the screen and on paper", async () => {
  const { tracking_number } = await gbvPhoto();
  const { page, leave } = await stage.signIn("admin");
  await page.route("**/rpc/custody_certificate", async (route) => {
    const response = await route.fetch();
    const certificate = await response.json();
    certificate.log.intact = false;
    certificate.log.first_fault = { seq: 7, problem: "this record was changed" };
    await route.fulfill({ response, json: certificate });
  });
  await openCertificate(page, tracking_number);
  for (const media of ["screen", "print"] as const) {
    await page.emulateMedia({ media });
    const text = await visibleText(page);
    assert(text.includes("The records were tampered with"), text);
    assert(text.includes("Record 7: this record was changed."), text);
    assert(text.includes("Not intact"), text);
  }
  await leave();
});

Deno.test("no certificate for a manager; one that is open goes with the sign-in", async () => {
  const { message_sid } = await accepted(newSender(), number, {
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await settled(message_sid, 1);
  const { tracking_number } = await ticketOf(message_sid);
  const [manager, admin] = await Promise.all([stage.signIn("manager"), stage.signIn("admin")]);
  await row(manager.page, tracking_number).click();
  await picturesDecoded(manager.page, 1);
  assertEquals(await manager.page.getByRole("button", { name: "Certificate" }).count(), 0);
  assertEquals(await manager.page.getByText("Issuing is recorded.").filter({ visible: true }).count(), 0);

  const { page } = admin;
  await row(page, tracking_number).click();
  await issue(page);
  await page.getByText("Intact when issued").waitFor();
  await page.evaluate(() => {
    document.querySelector<HTMLElement>("header button:last-child")!.click(); // as when the session ends
  });
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  assert(!(await page.content()).includes(tracking_number), "the certificate stays in the page");
  await Promise.all([manager, admin].map((visit) => visit.leave()));
});
