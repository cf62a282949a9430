/**
 * Asks over HTTP and times it, from processes of their own: requests/s by autocannon, which costs the two cores least;
 * times by load.ts, since autocannon's are whole milliseconds.
 */
import { TextLineStream } from "deno-std/streams/text_line_stream.js";
import type { HttpRequest, Job } from "./load.ts";
import { quantile } from "./statistics.ts";

export type { HttpRequest };

const root = new URL("../../", import.meta.url).pathname;
const autocannon = `${root}node_modules/autocannon/autocannon.js`;

/** A process that sends requests and times them. */
export interface Asker {
  /** Milliseconds of each of `count` requests, `connections` at a time. Throws when one is not answered 2xx. */
  times(job: Job): Promise<number[]>;
  /** Median milliseconds of `count` requests, one after the other. */
  p50(requests: HttpRequest | HttpRequest[], count: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts one; `mark` goes into its environment (Supabase.mark). */
export function startAsker(mark: Record<string, string> = {}): Asker {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "--allow-net", new URL("load.ts", import.meta.url).pathname],
    env: mark,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array<ArrayBuffer>, string>)
    .pipeThrough(new TextLineStream())
    .getReader();

  async function times(job: Job): Promise<number[]> {
    await writer.write(new TextEncoder().encode(JSON.stringify(job) + "\n"));
    const { value } = await lines.read();
    if (value === undefined) throw new Error("The process that sends requests has ended");
    const result = JSON.parse(value) as { times: number[] } | { error: string };
    if ("error" in result) throw new Error(result.error);
    return result.times;
  }

  return {
    times,
    p50: async (requests, count) =>
      quantile(await times({ requests: [requests].flat(), count, connections: 1 }), 0.5),
    async close() {
      await writer.close();
      await lines.cancel();
      await child.status;
    },
  };
}

/** Answers per second at so many connections, by autocannon. Throws when one is not 2xx. */
export async function throughput(
  { url, headers, body }: HttpRequest,
  { connections, seconds }: { connections: number; seconds: number },
  mark: Record<string, string> = {},
): Promise<number> {
  const { code, stdout, stderr } = await new Deno.Command("node", {
    args: [
      autocannon,
      ["--json", "--method", "POST", "--connections", String(connections), "--duration", String(seconds)],
      Object.entries(headers).flatMap(([name, value]) => ["--headers", `${name}=${value}`]),
      ["--body", body, url],
    ].flat(),
    env: mark,
  }).output();
  if (code !== 0) throw new Error(`autocannon: ${new TextDecoder().decode(stderr)}`);
  const result = JSON.parse(new TextDecoder().decode(stdout));
  const bad = result.non2xx + result.errors;
  if (bad || !result["2xx"]) throw new Error(`${new URL(url).pathname}: ${bad} answers were not 2xx`);
  return result["2xx"] / result.duration;
}
