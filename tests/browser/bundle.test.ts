/// <reference lib="dom" />
// verify.html, the page in every court bundle: opened from a disk, without a network, by somebody who has only the zip.
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ticketFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import { makeTicket, ok, person, SECRET_KEY, service } from "../support/stack.ts";
import { violations } from "./support/axe.ts";
import { launchChromium } from "./support/chromium.ts";

const root = new URL("../..", import.meta.url).pathname;

Deno.test({
  name:
    "verify.html says that a whole bundle holds, and which file of a changed one does not; it asks no network",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const directory = await Deno.makeTempDir();
    const browser = await launchChromium("MAP * ~NOTFOUND");
    try {
      const admin = await person("admin");
      const { id } = await makeTicket("mbombela", { is_sensitive: true });
      const file = await ticketFile(admin, id);
      await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
      const { tracking_number } = await ok(
        service.from("tickets").select("tracking_number").eq("id", id).single(),
      );
      const zip = `${directory}/bundle.zip`;
      const made = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--no-check", "operate/bundle.ts"],
          ...["--ticket", tracking_number, "--for", "the court", "--out", zip],
        ],
        cwd: root,
      }).output();
      assert(made.success, new TextDecoder().decode(made.stderr));
      await new Deno.Command("unzip", { args: ["-q", zip], cwd: directory }).output();

      const page = await browser.newPage();
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`file://${directory}/${tracking_number}/verify.html`);
      await page.setInputFiles("#bundle", zip);
      await page.getByRole("heading", { name: "All of it holds." }).waitFor();
      const whole = await page.innerText("#verdict");
      assertStringIncludes(whole, "Missing: Whose key signed the checkpoint was not checked");
      assertStringIncludes(whole, "photo.jpg: as recorded, byte for byte");
      assertStringIncludes(whole, "City of Mbombela recorded its receipt");
      assertStringIncludes(whole, "Missing: No outside authority has stamped the checkpoint");
      assertEquals(await violations(page), []);

      await page.setInputFiles("#folder", `${directory}/${tracking_number}`);
      await page.getByText("Reading the folder …").waitFor({ state: "detached" });
      await page.getByRole("heading", { name: "All of it holds." }).waitFor();
      assertEquals(await page.innerText("#verdict"), whole);

      await page.evaluate(() => {
        const transfer = new DataTransfer();
        transfer.items.add(document.querySelector<HTMLInputElement>("#bundle")!.files![0]!);
        document.querySelector("#verdict")!.replaceChildren();
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
      });
      await page.getByRole("heading", { name: "All of it holds." }).waitFor();

      const keys = `${directory}/${tracking_number}/data/public-keys.json`;
      const [{ public_key }] = JSON.parse(await Deno.readTextFile(keys));
      await page.getByLabel("The municipality's public key").fill(public_key);
      await page.keyboard.press("Enter");
      await page.getByText("was not checked").waitFor({ state: "detached" });
      await page.getByRole("heading", { name: "All of it holds." }).waitFor();
      await page.getByLabel("The municipality's public key").fill(btoa("another"));
      await page.keyboard.press("Enter");
      await page.getByText("photo.jpg fails the check “the key is the one you gave”.").waitFor();
      await page.getByLabel("The municipality's public key").fill("");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "All of it holds." }).waitFor();

      // a copy from elsewhere, by its bytes alone
      const copy = { name: "from-a-phone.jpg", mimeType: "image/jpeg" };
      const original = Buffer.from(await file.blob.arrayBuffer());
      await page.setInputFiles("#copy", { ...copy, buffer: original });
      await page.getByText("from-a-phone.jpg is photo.jpg, byte for byte.").waitFor();
      await page.setInputFiles("#copy", { ...copy, buffer: original.subarray(1) });
      await page.getByText("from-a-phone.jpg is none of the files in this bundle.").waitFor();

      const bytes = await Deno.readFile(zip);
      const picture = new Uint8Array(await file.blob.arrayBuffer());
      const text = new TextDecoder("latin1");
      const at = text.decode(bytes).indexOf(text.decode(picture.slice(0, 64)));
      bytes[at + 100]! ^= 1;
      await Deno.writeFile(`${directory}/changed.zip`, bytes);
      await page.setInputFiles("#bundle", `${directory}/changed.zip`);
      await page.getByRole("heading", { name: "Something in this bundle was changed." }).waitFor();
      assertStringIncludes(await page.innerText("#verdict"), "photo.jpg: NOT as recorded");
      assertEquals(await page.locator("#copy").isVisible(), false); // nothing here to compare with
      await page.setInputFiles("#bundle", `${directory}/${tracking_number}/README.txt`);
      await page.getByRole("heading", { name: "This is not a bundle, or it is incomplete." }).waitFor();
      assertEquals(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("blob:")), []);
    } finally {
      await browser.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});
