/** Taking media in: how fast, and in how much memory, over passing them through and over buffering them. */
import { startAsker } from "./harness/client.ts";
import { headers, MBOMBELA, removeFiles } from "./harness/files.ts";
import { keepMedia, LARGEST } from "./harness/media.ts";
import type { Side, Suite } from "./harness/types.ts";
import type { Medium } from "./harness/webhook.ts";

const MB = 1024 * 1024;
const COUNT = 10;
const OURS = "bench-take-in";

export const suite: Suite = {
  name: "take-in",
  about:
    "ten 16 MB media downloaded, checked, hashed, uploaded, over passed through unseen and over all buffered",
  localOnly: "It needs the pretend Twilio, which has the media, and the functions' own processes.",
  stack: { functions: { config: new URL("config.toml", import.meta.url).pathname } },

  async prepare(bench) {
    const supabase = bench.supabase!;
    const asker = startAsker(supabase.mark);
    const media = await keepMedia(supabase.env, COUNT, LARGEST);
    const four = await keepMedia(supabase.env, 1, 4 * MB);
    const one = await keepMedia(supabase.env, 1, MB + 1);
    const small = await keepMedia(supabase.env, 1, 1000);

    /** Milliseconds in which a function stores these media; they are gone on return. */
    async function store(name: string, wanted: Medium[]): Promise<number> {
      const contentType = wanted[0]!.contentType;
      const extension = contentType === "video/mp4" ? "mp4" : "jpg";
      const places = wanted.map(({ url }) => ({
        url,
        path: `${MBOMBELA}/${crypto.randomUUID()}/medium.${extension}`,
      }));
      const ms = await asker.p50({
        url: `${bench.url}/functions/v1/${name}`,
        headers: headers(bench.secretKey),
        body: JSON.stringify({ media: places, contentType }),
      }, 1);
      await removeFiles(bench, "evidence", places.map(({ path }) => path));
      return ms;
    }

    const rate = (label: string, name: string): Side => ({
      label,
      measure: async () => COUNT * LARGEST / MB / (await store(name, media) / 1000),
    });
    /** By how much a fresh process grows at most. */
    const memory = (label: string, name: string): Side => ({
      label,
      async measure() {
        await supabase.functions!.restart(name);
        await store(name, small);
        const pid = supabase.functions!.pids()[name]!;
        await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5"); // the peak starts anew
        const before = await resident(pid, "VmRSS");
        await store(name, media);
        return Math.max(await resident(pid, "VmHWM") - before, 0.1);
      },
    });

    return {
      comparisons: [
        {
          name: "taking in ten 16 MB media: MB/s over passing them through",
          unit: "MB/s",
          ours: rate("this bundle", OURS),
          against: rate("passed through", "rival-pass-through"),
          others: [rate("all buffered at once", "rival-buffer-all")],
          goal: { atLeast: 0.75 },
          seconds: 50,
        },
        {
          name: "taking in ten 16 MB media: growth of resident memory over all buffered at once",
          unit: "MB",
          ours: memory("this bundle", OURS),
          against: memory("all buffered at once", "rival-buffer-all"),
          others: [memory("passed through", "rival-pass-through")],
          goal: { atMost: 0.1 },
          rounds: 5,
          seconds: 45,
        },
      ],
      growths: [{
        name: "taking in one medium: time",
        unit: "ms",
        of: "MB",
        sizes: [1, 4, 16],
        measure: (size) => store(OURS, size === 1 ? one : size === 4 ? four : media.slice(0, 1)),
        rounds: 7,
        seconds: 6,
      }],
      close: () => asker.close(),
    };
  },
};

/** MB, from /proc: `VmRSS` now, `VmHWM` at the peak. */
async function resident(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}
