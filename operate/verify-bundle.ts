// Whether a court bundle is whole, offline: npm run verify-bundle -- FILE.zip, or the folder it was unzipped to
// Exit status: 0 all of it holds, 1 something does not, 2 it could not be read.
import { verifyBundle, withoutClutter } from "../shared/bundle/verify.ts";
import { type Entry, readZip, type Source } from "../shared/bundle/zip.ts";
import { readOptions, runCommand, UsageError } from "./project.ts";

const USAGE =
  `npm run verify-bundle -- [--key KEY] FILE.zip, or the folder it was unzipped to    (asks nobody: no project, no network.
--key: the public key in base64, got from elsewhere than the bundle)`;

await runCommand(async (args) => {
  const { values: { key }, positionals: [path, ...more] } = readOptions(
    USAGE,
    args,
    { key: { type: "string" } },
    true,
  );
  if (path === undefined || more.length > 0) throw new UsageError(USAGE);
  try {
    let bad = 0;
    for (const { name, checks, facts, missing } of await verifyBundle(await entriesOf(path), key)) {
      const wrong = checks.filter(({ good }) => !good);
      console.log(
        `${wrong.length ? "WRONG " : "ok    "} ${name.replaceAll("\n", " ")}: ${
          checks.length - wrong.length
        } of ${checks.length} checks hold`,
      );
      for (const { what } of wrong) console.log(`         WRONG: ${what}`);
      for (const fact of facts) console.log(`         ${fact}`);
      for (const what of missing) console.log(`         MISSING: ${what}`);
      bad += wrong.length;
    }
    return bad === 0 ? 0 : 1;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} is not a bundle, or is incomplete: ${(error as Error).message}`);
  }
});

async function entriesOf(path: string): Promise<Entry[]> {
  const { size, isDirectory } = await Deno.stat(path).catch((error) => {
    throw new UsageError(`${path} cannot be read: ${error.message}\n${USAGE}`);
  });
  return isDirectory
    ? withoutClutter(await Array.fromAsync(filesIn(path)))
    : await readZip(source(path, size));
}

async function* filesIn(folder: string): AsyncGenerator<Entry> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesIn(path);
    else {
      const { size } = await Deno.stat(path);
      yield { path, size, stream: () => Promise.resolve(source(path, size).slice(0, size).stream()) };
    }
  }
}

/** A file, read piece by piece. */
function source(path: string, size: number): Source {
  return {
    size,
    slice: (start, end) => ({
      stream() {
        let file: Deno.FsFile | undefined;
        let at = start;
        return new ReadableStream({
          async pull(controller) {
            file ??= await Deno.open(path);
            await file.seek(at, Deno.SeekMode.Start);
            const part = new Uint8Array(Math.min(256 * 1024, end - at));
            const count = part.length ? await file.read(part) : null;
            if (count) {
              at += count;
              controller.enqueue(part.subarray(0, count));
            }
            if (!count || at >= end) {
              file.close();
              controller.close();
            }
          },
        });
      },
    }),
  };
}
