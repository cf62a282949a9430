/** From the start of a function's process to the headers of its first answer: what the first caller waits for. */
import { bundleFunctions } from "../operate/deploy/bundle.ts";
import { type File, headers, removeFiles, storeFiles } from "./harness/files.ts";
import type { HttpRequest } from "./harness/client.ts";
import { signedWebhook } from "./harness/webhook.ts";
import type { Comparison, Side, Suite } from "./harness/types.ts";

const root = new URL("..", import.meta.url).pathname;
/** Edge Runtime's version. */
const deno = `${root}node_modules/deno/deno`;
const ROUNDS = 15;
/** No start takes so many milliseconds. */
const TIMEOUT_MS = 20_000;

export const suite: Suite = {
  name: "cold-start",
  about: "start of a process to its first answer, Deno 2.1.4, warm module cache, over the official template",
  localOnly: "It starts the functions' processes itself.",
  // none deployed: they are started here
  stack: { functions: false },

  async prepare(bench) {
    const supabase = bench.supabase!;
    const [file] = await storeFiles(bench, "evidence", 1) as [File];
    const asUser = headers(bench.publishableKey, await bench.token("field_worker"));
    const json = (body: unknown, head = asUser) => () => ({
      url: "",
      headers: head,
      body: JSON.stringify(body),
    });
    const place = json({ bucket: file.bucket, path: file.path });
    const upload = {
      purpose: "evidence",
      filename: "photo.jpg",
      content_type: "image/jpeg",
      file_size: 2000,
    };
    // a cache of its own: what others start meanwhile does not touch it, and it goes with the stand-in
    const environment = {
      ...functionEnvironment(supabase.env),
      ...supabase.mark,
      DENO_DIR: `${supabase.directory}/deno`,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      PATH: Deno.env.get("PATH") ?? "",
    };
    const start = (label: string, entrypoint: string, request: () => HttpRequest): Side => ({
      label,
      measure: () => coldStart(entrypoint, request(), environment),
    });
    // as a deploy makes them
    const bundles = `${supabase.directory}/bundles`;
    await bundleFunctions(bundles);
    const template = start("template", `${root}bench/rivals/template.ts`, place);
    const compare = (name: string, request: () => HttpRequest, others: Side[] = []): Comparison => ({
      name: `cold start of ${name}: start to first answer`,
      unit: "ms",
      ours: start(name, `${bundles}/functions/${name}/index.js`, request),
      against: template,
      others: [start("sources", `${root}functions/${name}/index.ts`, request), ...others],
      goal: { atMost: 0.75 },
      rounds: ROUNDS,
      seconds: 8,
    });

    return {
      comparisons: [
        compare("signed-url", place, [
          start("bare", `${root}bench/rivals/bare.ts`, place),
          start("client per request", `${root}bench/rivals/per-request-client.ts`, place),
        ]),
        compare("upload-url", json(upload)),
        compare("twilio-media", () => signedWebhook(supabase.env, [])),
        // not media-worker: a schedule waits for it, and nobody else
      ],
      growths: [],
      close: () => removeFiles(bench, "evidence", [file.path]),
    };
  },
};

/** What the platform gives a function, from what the stand-in tells of itself. */
function functionEnvironment(env: Record<string, string>): Record<string, string> {
  return {
    ...env,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: env.SUPABASE_PUBLISHABLE_KEY }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: env.SUPABASE_SECRET_KEY }),
  };
}

/** Milliseconds from spawning `deno serve ENTRYPOINT` to the headers of its answer, which must be 2xx. */
async function coldStart(
  entrypoint: string,
  { headers, body }: HttpRequest,
  env: Record<string, string>,
): Promise<number> {
  const port = freePort();
  const started = performance.now();
  const child = new Deno.Command(deno, {
    args: [
      ["serve", "--quiet", "--no-check", "--no-lock", "--no-prompt"],
      ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"],
      ["--host", "127.0.0.1", "--port", String(port), entrypoint],
    ].flat(),
    cwd: root,
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  try {
    await untilOpen(port, started + TIMEOUT_MS, entrypoint);
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body });
    const ms = performance.now() - started;
    const answer = await response.text();
    if (!response.ok) throw new Error(`${entrypoint} answered ${response.status}: ${answer.slice(0, 500)}`);
    return ms;
  } catch (error) {
    stop(child);
    throw new Error(`${error instanceof Error ? error.message : error}\n${await errors}`);
  } finally {
    stop(child);
    await child.status;
    await errors;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function untilOpen(port: number, deadline: number, entrypoint: string): Promise<void> {
  while (performance.now() < deadline) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  throw new Error(`${entrypoint} does not listen after ${TIMEOUT_MS} ms`);
}

function stop(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // it has ended already
  }
}
