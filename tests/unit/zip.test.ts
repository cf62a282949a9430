// A bundle's zip is read as bundles are written: no bit around its files can differ unseen.
import { makeZip } from "client-zip";
import { readZip } from "../../shared/bundle/zip.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

const NAMES = ["TKT/data/evidence/1/photo.jpg", "TKT/Foto – nº 2.jpg", "TKT/bagit.txt"];

async function zip(): Promise<Uint8Array<ArrayBuffer>> {
  const parts = NAMES.map((name) => ({ name, input: `of ${name}`, lastModified: new Date() }));
  return new Uint8Array(await new Response(makeZip(parts)).arrayBuffer());
}

async function read(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const entries = await readZip(new Blob([bytes]));
  return JSON.stringify(
    await Promise.all(
      entries.map(async ({ path, stream }) => [path, await new Response(await stream()).text()]),
    ),
  );
}

Deno.test("every flipped bit of a zip is found, in its files and around them", async () => {
  const bytes = await zip();
  const whole = await read(bytes);
  assertEquals(JSON.parse(whole), NAMES.map((name) => [name, `of ${name}`]));
  const missed: string[] = [];
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      bytes[at]! ^= 1 << bit;
      if (await read(bytes).catch(() => "") === whole) missed.push(`byte ${at}, bit ${bit}`);
      bytes[at]! ^= 1 << bit;
    }
  }
  assertEquals(missed, []);
});

Deno.test("a zip that was cut or lengthened anywhere is refused", async () => {
  const bytes = await zip();
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(() => read(bytes.slice(0, length)));
  }
  await assertRejects(() => read(new Uint8Array([...bytes, 0])));
  await assertRejects(() => read(new Uint8Array([0, ...bytes])));
});
