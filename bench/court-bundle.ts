/** How much memory it takes to make and to verify a court bundle of 2 GB, by the commands that operators run. */
import { headers, MBOMBELA } from "./harness/files.ts";
import type { BenchContext, Comparison, Suite } from "./harness/types.ts";

const MB = 1024 * 1024;
const FILE = 16 * MB;
const FILES = 128;
const SIZE = FILE * FILES / MB;
const root = new URL("../", import.meta.url).pathname;

export const suite: Suite = {
  name: "court-bundle",
  about: "the memory that making and verifying a bundle of 2 GB takes, over the bundle's size",
  localOnly: "Its files cannot be removed from the custody log, and it takes 2 GB of Storage.",

  async prepare(bench) {
    const directory = await Deno.makeTempDir();
    const ticket = await fill(bench);
    let made = `${directory}/none.zip`;
    const env = bench.supabase!.env;
    const bundle = async () => {
      await Deno.remove(made).catch(() => {});
      made = `${directory}/${crypto.randomUUID()}.zip`;
      return await peak(env, "bundle", "--ticket", ticket, "--for", "the court", "--out", made);
    };
    const comparison = (what: string, measure: () => Promise<number>): Comparison => ({
      name: `${what} a court bundle of ${SIZE} MB: peak memory over its size`,
      unit: "MB",
      ours: { label: "this bundle", measure },
      against: { label: "all of it in memory", measure: () => Promise.resolve(SIZE) },
      goal: { atMost: 0.25 },
      rounds: 5,
      warmups: 0,
      seconds: 100,
    });
    return {
      comparisons: [
        comparison("making", bundle),
        comparison("verifying", () => peak(env, "verify-bundle", made)),
      ],
      growths: [],
      close: () => Deno.remove(directory, { recursive: true }),
    };
  },
};

/** A ticket with the files, all hashed; its number. */
async function fill({ sql, url, secretKey, progress }: BenchContext): Promise<string> {
  const begun = performance.now();
  const [ticket] = await sql<{ id: string; tracking_number: string }[]>`
    insert into public.tickets (tenant_id, category) values (${MBOMBELA}, 'water') returning id, tracking_number`;
  const bytes = new Uint8Array(FILE);
  for (let at = 0; at < FILE; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  bytes.set([0, 0, 0, 24, 0x66, 0x74, 0x79, 0x70, 0x6d, 0x70, 0x34, 0x32]); // an MP4
  for (let file = 0; file < FILES; file++) {
    const id = crypto.randomUUID();
    const path = `${MBOMBELA}/${id}/video.mp4`;
    await sql`
      insert into public.media_attachments
        (file_id, tenant_id, ticket_id, bucket, path, filename, content_type, file_size, purpose)
      values (${id}, ${MBOMBELA}, ${
      ticket!.id
    }, 'evidence', ${path}, 'video.mp4', 'video/mp4', ${FILE}, 'evidence')`;
    bytes[FILE - 1] = file; // each is another
    const response = await fetch(`${url}/storage/v1/object/evidence/${path}`, {
      method: "POST",
      headers: { ...headers(secretKey), "content-type": "video/mp4" },
      body: bytes,
    });
    if (!response.ok) throw new Error(`A file could not be stored: ${await response.text()}`);
    await response.body?.cancel();
  }
  for (;;) {
    await (await fetch(`${url}/functions/v1/media-worker`, {
      method: "POST",
      headers: { ...headers(secretKey), prefer: "wait=120" },
    })).body?.cancel();
    const [left] = await sql<{ count: number }[]>`
      select count(*)::integer from public.media_attachments where ticket_id = ${
      ticket!.id
    } and sha256 is null`;
    if (left!.count === 0) break;
  }
  progress(`${SIZE} MB stored and hashed in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  return ticket!.tracking_number;
}

/** MB of a command's process at most. */
async function peak(env: Record<string, string>, name: string, ...args: string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${root}operate/${name}.ts`, ...args],
    cwd: root,
    env,
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let most = 0;
  let ended = false;
  const status = child.status.finally(() => ended = true);
  while (!ended) {
    // the peak so far, so that nothing between two looks is missed but what the last moment adds
    const text = await Deno.readTextFile(`/proc/${child.pid}/status`).catch(() => "");
    most = Math.max(most, Number(/^VmHWM:\s*(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { code } = await status;
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return most;
}
