/**
 * The scratch directory of one run and the keeper that cleans up after it. Whatever ends the run, `kill -9` included,
 * closes the keeper's stdin; the keeper (keeper.sh) then ends every process of the run and removes the directory.
 */
import { join } from "node:path";
import { tmpdir } from "node:os";

const prefix = "citizen-evidence-";
const keeperScript = new URL("./keeper.sh", import.meta.url).pathname;

export interface Scratch {
  directory: string;
  /** Environment by which the keeper recognises the run's processes: give it to every child. */
  mark: Record<string, string>;
  /** Ends the run's processes and removes the directory. */
  remove(): Promise<void>;
}

export async function makeScratch(): Promise<Scratch> {
  await sweep();
  const directory = join(tmpdir(), prefix + crypto.randomUUID());
  // Run as root, Postgres is nobody's, and must be able to pass through.
  const mode = Deno.uid() === 0 ? "711" : "700";
  const keeper = new Deno.Command("sh", {
    args: [keeperScript, directory, mode],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    detached: true, // a Ctrl-C is for the run, which then closes the pipe
    clearEnv: true, // so that the keeper does not carry the mark of a run around this one
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin" },
  }).spawn();
  const made = await keeper.stdout[Symbol.asyncIterator]().next();
  if (made.done) throw new Error(`${directory} could not be made`);

  // Named only once it is locked: a sweep takes an owner.lock that nobody holds for a dead run's.
  const owner = await Deno.open(join(directory, "owner"), { create: true, write: true, mode: 0o600 });
  await owner.lock(true);
  await Deno.rename(join(directory, "owner"), join(directory, "owner.lock"));

  return {
    directory,
    mark: { LOCAL_SUPABASE_RUN: directory },
    async remove() {
      await keeper.stdin.close().catch(() => {});
      await keeper.status;
      owner.close();
    },
  };
}

/** Cleans up after runs whose process is gone and whose keeper was killed as well. */
async function sweep(): Promise<void> {
  const stale: string[] = [];
  for await (const entry of Deno.readDir(tmpdir())) {
    if (!entry.isDirectory || !entry.name.startsWith(prefix)) continue;
    const directory = join(tmpdir(), entry.name);
    try {
      using owner = await Deno.open(join(directory, "owner.lock"), { write: true });
      if (await owner.tryLock(true)) stale.push(directory);
    } catch {
      // Another user's, or just being made or removed.
    }
  }
  await Promise.all(
    stale.map((directory) =>
      new Deno.Command("sh", {
        args: [keeperScript, directory],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).output()
    ),
  );
}
