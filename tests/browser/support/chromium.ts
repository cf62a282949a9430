/** A real Chromium, unpacked from npm's @sparticuz/chromium into the run's scratch directory, which its keeper removes. */
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { type Browser, chromium } from "playwright-core";
import { SCRATCH } from "./scratch.ts";

const pack = new URL("../../../node_modules/@sparticuz/chromium/bin", import.meta.url).pathname;
const home = join(SCRATCH, "chromium");

/** `rules`: Chromium's --host-resolver-rules. */
export async function launchChromium(rules: string): Promise<Browser> {
  await unpack();
  Deno.env.set("TMPDIR", home); // profiles and artifacts too
  return await chromium.launch({
    executablePath: join(home, "chromium"),
    env: {
      ...Deno.env.toObject(),
      LD_LIBRARY_PATH: join(home, "lib"),
      FONTCONFIG_PATH: home,
      HOME: home,
    },
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=${rules}`,
    ],
  });
}

/** Takes about two seconds, once in a run. */
async function unpack(): Promise<void> {
  if (existsSync(join(home, "chromium"))) return;
  await Deno.mkdir(home, { recursive: true });
  await Promise.all([
    decompress("chromium.br", "unpacking"),
    ...["al2023", "fonts"].map(async (name) => {
      const tar = await decompress(`${name}.tar.br`, `${name}.tar`);
      const { success } = await new Deno.Command("tar", { args: ["-xf", tar, "-C", home] }).output();
      if (!success) throw new Error(`${tar} could not be unpacked`);
    }),
  ]);
  await Deno.writeTextFile(
    join(home, "fonts.conf"),
    `<fontconfig><dir>${home}/fonts</dir><cachedir>${home}/fonts-cache</cachedir></fontconfig>`,
  );
  await Deno.rename(join(home, "unpacking"), join(home, "chromium"));
}

async function decompress(from: string, to: string): Promise<string> {
  const file = join(home, to);
  await pipeline(
    createReadStream(join(pack, from)),
    createBrotliDecompress(),
    createWriteStream(file, { mode: 0o755 }),
  );
  return file;
}
