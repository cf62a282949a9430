/// <reference lib="dom" />
// A court bundle from the dashboard: made in the browser, saved, and verified by somebody who has only the zip.
import type { Page } from "playwright-core";
import { readZip } from "../../shared/bundle/zip.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { call, until } from "../support/functions.ts";
import { connect, MUNICIPALITIES, SECRET_KEY } from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";
import { violations } from "./support/axe.ts";
import { openStage, picturesDecoded, row, type Stage } from "./support/stage.ts";

const root = new URL("../..", import.meta.url).pathname;
const sql = connect();
let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(async () => {
  await stage.close();
  await sql.end();
});

/** A round of the media worker: it signs checkpoints. */
const work = () => call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });

/** A GBV report with two photos. */
async function report() {
  const sender = newSender();
  const { message_sid } = await accepted(sender, MUNICIPALITIES.mbombela.gbvNumber, {
    body: "He hit me again",
    files: [await sampleFile("burst-pipe.jpg"), await sampleFile("burst-pipe-detail.png")],
  });
  const media = await settled(message_sid, 2);
  return { ...await ticketOf(message_sid), sender, message_sid, ids: media.map(({ file_id }) => file_id) };
}

async function openDialog(page: Page, trackingNumber: string): Promise<void> {
  await page.getByRole("button", { name: /^GBV/ }).click();
  await row(page, trackingNumber).click();
  await page.getByRole("button", { name: "Court bundle…" }).click();
  await page.getByLabel("Who asked for it").fill("Sgt Nkosi, CAS 12/11/2026");
}

/** Presses the button, and has the log signed. */
async function make(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Make the bundle" }).click();
  await page.getByText("Waiting for the log to be signed.").waitFor();
  await until("the bundle is read", async () => {
    await work();
    return !(await page.getByText("Waiting for the log to be signed.").isVisible());
  });
}

/** Headless Chromium has no dialog to choose a place: as in browsers without one. */
const withoutPicker = () => Reflect.deleteProperty(globalThis, "showSaveFilePicker");

/** A place on the disk, as the browser's own dialog would give. */
const withPicker = () =>
  void Reflect.set(globalThis, "showSaveFilePicker", async ({ suggestedName }: { suggestedName: string }) => {
    const folder = await navigator.storage.getDirectory();
    return await folder.getFileHandle(suggestedName, { create: true });
  });

async function verify(zip: string): Promise<string> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "operate/verify-bundle.ts", zip],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 0, said);
  return said;
}

async function recordsOf(event: string, ids: string[]) {
  return await sql`
    select file_id, ticket_id, user_role, details from public.custody_records
    where event = ${event} and (file_id in ${sql(ids)} or ticket_id in ${sql(ids)})`;
}

Deno.test("police make a bundle in the browser; it verifies, and every step of it is recorded", async () => {
  const directory = await Deno.makeTempDir();
  const { id, tracking_number, ids } = await report();
  const { page, complaints, leave } = await stage.signIn("saps_liaison");
  try {
    await page.evaluate(withoutPicker);
    await openDialog(page, tracking_number);
    assertEquals(await violations(page), []);
    await page.getByLabel("Add the messages").check();
    const downloading = page.waitForEvent("download");
    await make(page);
    const download = await downloading;
    assertEquals(download.suggestedFilename(), `${tracking_number}.zip`);
    const zip = `${directory}/bundle.zip`;
    await download.saveAs(zip);
    await page.getByText(`${tracking_number}.zip is saved: 2 files.`).waitFor();
    assertEquals(await violations(page), []);
    await page.getByRole("button", { name: "Close" }).click();

    const said = await verify(zip);
    assertStringIncludes(said, "The log was signed at");
    assert(!said.includes("later than the checkpoint"), said);
    const entries = await readZip(new Blob([await Deno.readFile(zip)]));
    const text = async (name: string) =>
      await new Response(await entries.find(({ path }) => path.endsWith(name))!.stream()).text();
    const { messages } = JSON.parse(await text("/data/messages.json"));
    assertEquals(messages.map(({ text, sender }: Record<string, string>) => [text, sender]), [
      ["He hit me again", undefined],
    ]);
    assertStringIncludes(await text("/verify.html"), "Verify this bundle");

    const bundled = await recordsOf("bundled", ids);
    assertEquals(bundled.map(({ user_role }) => user_role), ["saps_liaison", "saps_liaison"]);
    assert(!JSON.stringify(bundled).includes("Nkosi"), "a name is in the log");
    assertEquals((await recordsOf("url_signed", ids)).length, 2);
    const [opened, ...more] = await recordsOf("report_opened", [id]);
    assertEquals([opened!.details.include_sender, more.length], [false, 0]);
    assertEquals(complaints, []);
  } finally {
    await leave();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle is written to the place that was chosen as it is made; of chosen files only those, with senders only if asked", async () => {
  const directory = await Deno.makeTempDir();
  const { tracking_number, sender, ids } = await report();
  const { page, leave } = await stage.signIn("admin");
  try {
    await page.evaluate(withPicker);
    await openDialog(page, tracking_number);
    await page.getByRole("checkbox", { name: /burst-pipe|\.png|\.jpg/ }).last().uncheck();
    await page.getByLabel("Add the messages").check();
    await page.getByLabel("Add who wrote them").check();
    await make(page);
    await page.getByText(`${tracking_number}.zip is saved: 1 file.`).waitFor();
    const bytes = await page.evaluate(async (name) => {
      const folder = await navigator.storage.getDirectory();
      const file = await (await folder.getFileHandle(name)).getFile();
      return [...new Uint8Array(await file.arrayBuffer())];
    }, `${tracking_number}.zip`);
    const zip = `${directory}/bundle.zip`;
    await Deno.writeFile(zip, Uint8Array.from(bytes));
    await verify(zip);
    const entries = await readZip(new Blob([Uint8Array.from(bytes)]));
    assertEquals(entries.filter(({ path }) => path.includes("/data/evidence/")).length, 1);
    const messages = entries.find(({ path }) => path.endsWith("/data/messages.json"))!;
    assertStringIncludes(await new Response(await messages.stream()).text(), sender);
    assertEquals((await recordsOf("bundled", ids)).length, 1);
    assertEquals((await recordsOf("url_signed", ids)).length, 1);
  } finally {
    await leave();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle that is cancelled, or whose file cannot be fetched, is not saved", async () => {
  const { tracking_number } = await report();
  const { page, leave } = await stage.signIn("admin");
  await page.evaluate(withPicker);
  let downloads = 0;
  page.on("download", () => downloads++);
  await openDialog(page, tracking_number);
  await page.route("**/object/sign/**", (route) => route.abort());
  await make(page);
  await page.getByText("The bundle could not be made. Please try again.").waitFor();
  await page.unroute("**/object/sign/**");
  const left = await page.evaluate(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return names;
  });
  assertEquals(left, []);
  await page.evaluate(withoutPicker);

  await page.getByRole("button", { name: "Make the bundle" }).click();
  await page.getByText("Waiting for the log to be signed.").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await work();
  await page.waitForTimeout(1_500); // longer than it looks for a checkpoint
  assertEquals([await page.getByRole("dialog").count(), downloads], [0, 0]);
  await leave();
});

Deno.test("no bundle is offered to a manager", async () => {
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number, {
    files: [await sampleFile("burst-pipe.jpg")],
  });
  await settled(message_sid, 1);
  const { tracking_number } = await ticketOf(message_sid);
  for (const role of ["admin", "manager"] as const) {
    const { page, leave } = await stage.signIn(role);
    await row(page, tracking_number).click();
    await picturesDecoded(page, 1);
    const offered = await page.getByRole("button", { name: "Court bundle…" }).count();
    assertEquals(offered, role === "admin" ? 1 : 0, role);
    await leave();
  }
});
