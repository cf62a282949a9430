/// <reference lib="dom" />
// Whether a copy was taken in, told by its bytes; and that this tells nobody of what they may not see.
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { findCopies } from "../../client/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { ticketFile } from "../support/files.ts";
import { call, until } from "../support/functions.ts";
import { makeTicket, ok, type Person, person, SECRET_KEY, service } from "../support/stack.ts";
import { violations } from "./support/axe.ts";
import { openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
Deno.test.beforeAll(async () => {
  stage = await openStage();
});
Deno.test.afterAll(() => stage.close());

/** A stored file whose hash is known, on a ticket of Mbombela. */
async function known(isSensitive: boolean, owner?: Person) {
  const { id } = await makeTicket("mbombela", { is_sensitive: isSensitive });
  const file = await ticketFile(owner ?? await person("admin"), id);
  await until("its hash is known", async () => {
    await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
    const { sha256 } = await ok(
      service.from("media_attachments").select("sha256").eq("file_id", file.fileId).single(),
    );
    return sha256 !== null;
  });
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  return { ...file, ticket: tracking_number as string };
}

async function choose(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.locator('.drop-zone input[type="file"]').setInputFiles({
    name,
    mimeType: "image/jpeg",
    buffer: Buffer.from(bytes),
  });
}

/** What the page says, without the copy's name and hash. */
async function answer(page: Page, name: string): Promise<string> {
  await page.getByText(`No file that you can see here is ${name}.`).waitFor();
  return (await page.locator(".copies").innerText()).replaceAll(name, "NAME").replace(/[0-9a-f]{64}/, "HASH");
}

Deno.test("a copy is told by its bytes, under whatever name, and leads to its ticket; a changed one is not", async () => {
  const file = await known(false);
  const bytes = new Uint8Array(await file.blob.arrayBuffer());
  const { page, complaints, leave } = await stage.signIn("field_worker");
  await page.getByRole("button", { name: "Check a copy" }).click();
  await choose(page, "from-a-phone.jpg", bytes);
  await page.getByText("from-a-phone.jpg was taken in. Byte for byte, it is:").waitFor();
  assertEquals(await violations(page), []);
  await choose(page, "changed.jpg", bytes.with(9, bytes[9]! ^ 1));
  await answer(page, "changed.jpg");
  await page.reload(); // the page is in the address
  await choose(page, "again.jpg", bytes);
  await page.getByRole("button", { name: "Open the ticket of photo.jpg" }).click();
  await page.getByRole("heading", { name: file.ticket }).waitFor();
  assertEquals(complaints, []);
  await leave();
});

Deno.test("a GBV file's bytes tell nothing to staff who may not see it: the answer is that for a file that never was", async () => {
  const file = await known(true);
  const bytes = new Uint8Array(await file.blob.arrayBuffer());
  const { page, leave } = await stage.signIn("manager");
  await page.getByRole("button", { name: "Check a copy" }).click();
  await choose(page, "hidden.jpg", bytes);
  const hidden = await answer(page, "hidden.jpg");
  await choose(page, "never.jpg", crypto.getRandomValues(new Uint8Array(2000)));
  assertEquals(hidden, await answer(page, "never.jpg"));
  await leave();

  const police = await stage.signIn("saps_liaison");
  await police.page.getByRole("button", { name: "Check a copy" }).click();
  await choose(police.page, "copy.jpg", bytes);
  await police.page.getByText("copy.jpg was taken in.").waitFor();
  await police.leave();
});

Deno.test("who finds a copy by its bytes: those who may see the file, in its municipality", async () => {
  const [ordinary, hidden] = [await known(false, await person("field_worker")), await known(true)];
  for (const slug of ["mbombela", "polokwane"] as const) {
    for (const role of ["citizen", "field_worker", "manager", "admin", "saps_liaison"] as const) {
      const { supabase } = await person(role, slug);
      const finds = async (blob: Blob) => (await findCopies(supabase, blob)).files.length;
      const isStaff = role !== "citizen" && slug === "mbombela";
      const seesAll = isStaff && (role === "admin" || role === "saps_liaison");
      assertEquals(
        [await finds(ordinary.blob), await finds(hidden.blob)],
        [+isStaff, +seesAll],
        `${role} of ${slug}`,
      );
    }
  }
});
