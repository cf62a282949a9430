/**
 * Sends requests and times them, in a process of its own, so that what answers (the stand-in runs in the benchmark's
 * process) does not share a thread with what asks. Reads a Job a line, writes `{times}` or `{error}` a line.
 */
import { TextLineStream } from "deno-std/streams/text_line_stream.js";

export interface HttpRequest {
  url: string;
  method?: string;
  headers: Record<string, string>;
  body: string;
}

export interface Job {
  /** Taken in turns. */
  requests: HttpRequest[];
  /** How many are sent in all … */
  count: number;
  /** … and how many at a time. */
  connections: number;
}

/** Milliseconds from asking to the last byte of the answer. */
async function time({ url, method = "POST", headers, body }: HttpRequest): Promise<number> {
  const started = performance.now();
  const response = await fetch(url, { method, headers, body });
  const answer = await response.text();
  const ms = performance.now() - started;
  if (!response.ok) {
    throw new Error(`${new URL(url).pathname} answered ${response.status}: ${answer.slice(0, 500)}`);
  }
  return ms;
}

async function run({ requests, count, connections }: Job): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (next < count) times.push(await time(requests[next++ % requests.length]!));
  }));
  return times;
}

if (import.meta.main) {
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array<ArrayBuffer>, string>)
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    const result = await run(JSON.parse(line)).then(
      (times) => ({ times }),
      (error) => ({ error: error.message }),
    );
    console.log(JSON.stringify(result));
  }
}
