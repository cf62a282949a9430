/** Runs each function of supabase/config.toml in a process of its own under Edge Runtime's Deno, and keeps it running. */
import { dirname, join, resolve } from "node:path";
import { TextLineStream } from "deno-std/streams/text_line_stream.js";
import { parse } from "deno-std/toml/parse.js";

export interface FunctionConfig {
  name: string;
  /** Absolute path. */
  entrypoint: string;
  verifyJwt: boolean;
}

/** The functions enabled in a config.toml, with the CLI's defaults. */
export async function readFunctionConfig(configPath: string): Promise<FunctionConfig[]> {
  const config = parse(await Deno.readTextFile(configPath)) as {
    functions?: Record<string, { enabled?: boolean; verify_jwt?: boolean; entrypoint?: string }>;
  };
  return Object.entries(config.functions ?? {})
    .filter(([, settings]) => settings.enabled !== false)
    .map(([name, settings]) => ({
      name,
      entrypoint: resolve(dirname(configPath), settings.entrypoint ?? `./functions/${name}/index.ts`),
      verifyJwt: settings.verify_jwt !== false,
    }));
}

export interface FunctionsOptions {
  functions: FunctionConfig[];
  /** All that a function sees of the environment. */
  env: Record<string, string>;
  /** Marks the processes for the run's keeper. */
  mark: Record<string, string>;
  /** Where requests to Twilio's hosts go. */
  twilioUrl: string;
  /** Scratch directory, for the log. */
  directory: string;
  /** Another Deno to run them under; default the one of Edge Runtime's version. */
  deno?: string;
  /** Is told each line a function writes. */
  onLine?: (line: string) => void;
}

export interface Functions {
  names: string[];
  /** Whether the gateway checks for a token before a function is called. */
  verifyJwt(name: string): boolean;
  /** Process ids by name; a function being restarted has none. */
  pids(): Record<string, number>;
  /** Kills a function's process and starts it anew. Or, with `env`, with these variables changed (`undefined`: absent). */
  restart(name: string, env?: Record<string, string | undefined>): Promise<void>;
  /** Everything the functions have written so far, each line prefixed with `[name] `. */
  log(): Promise<string>;
  /** Serves a request whose URL path is `/functions/v1/NAME…`. */
  handle(request: Request): Promise<Response>;
  stop(): Promise<void>;
}

const host = new URL("./function-host.ts", import.meta.url).pathname;
const edgeRuntimeDeno = new URL("../node_modules/deno/deno", import.meta.url).pathname;

/** Starts all functions; resolves when each answers or has failed once (then its requests are answered 503). */
export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  const logPath = join(options.directory, "functions.log");
  const logFile = await Deno.open(logPath, { create: true, append: true, mode: 0o600 });
  const encoder = new TextEncoder();
  const write = (line: string) => {
    logFile.writeSync(encoder.encode(line + "\n"));
    options.onLine?.(line);
  };
  const workers = new Map(
    options.functions.map((config) => [config.name, new Worker(config, options, write)]),
  );
  await Promise.all(Array.from(workers.values(), (worker) => worker.ready()));

  return {
    names: Array.from(workers.keys()),
    verifyJwt: (name) => workers.get(name)?.config.verifyJwt ?? false, // an unknown one is a 404
    pids: () =>
      Object.fromEntries(
        Array.from(workers, ([name, worker]) => [name, worker.pid]).filter(([, pid]) => pid !== undefined),
      ),
    async restart(name, env) {
      const worker = workers.get(name);
      if (!worker) {
        throw new Error(`No function ${name}; there are: ${Array.from(workers.keys()).join(", ")}`);
      }
      await worker.restart(env);
    },
    log: () => Deno.readTextFile(logPath),
    async handle(request) {
      const url = new URL(request.url);
      const path = url.pathname.slice("/functions/v1".length);
      const worker = workers.get(path.split("/")[1] ?? "");
      if (!worker) {
        return Response.json({ code: "NOT_FOUND", message: "Requested function was not found" }, {
          status: 404,
        });
      }
      return await worker.handle(request, path + url.search);
    },
    async stop() {
      await Promise.all(Array.from(workers.values(), (worker) => worker.stop()));
      logFile.close();
    },
  };
}

/** An environment with some variables changed, or left out where they are `undefined`. */
export function changed(
  env: Record<string, string>,
  changes: Record<string, string | undefined> = {},
): Record<string, string> {
  const entries = Object.entries({ ...env, ...changes });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

interface Running {
  pid: number;
  port: number;
}

/** One function's process and its successors. */
class Worker {
  #child?: Deno.ChildProcess;
  /** The port, or undefined when the latest start failed. */
  #running?: Promise<Running | undefined>;
  #exited: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Ends a wait for the next try. */
  #wake = () => {};
  #overrides: Record<string, string | undefined> = {};
  #delay = 0;
  pid?: number;

  constructor(
    readonly config: FunctionConfig,
    readonly options: FunctionsOptions,
    readonly write: (line: string) => void,
  ) {
    this.#start();
  }

  async ready(): Promise<boolean> {
    return await this.#running !== undefined;
  }

  async handle(request: Request, path: string): Promise<Response> {
    const running = await this.#running;
    if (!running) {
      await request.body?.cancel();
      return Response.json({ code: "BOOT_ERROR", message: "Function failed to start (please check logs)" }, {
        status: 503,
      });
    }
    const url = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.set("x-forwarded-host", url.host);
    headers.set("x-forwarded-port", url.port);
    headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
    headers.set("x-forwarded-for", "127.0.0.1");
    headers.set("x-forwarded-path", url.pathname);
    headers.delete("host");
    // This hop is never compressed; fetch would unpack it behind the client's back.
    headers.set("accept-encoding", "identity");
    try {
      return await fetch(`http://127.0.0.1:${running.port}${path}`, {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
      });
    } catch (error) {
      this.write(`[${this.config.name}] request failed: ${error instanceof Error ? error.message : error}`);
      // If it has died, let the next request find its successor.
      if (await hasEnded(this.#child!)) await this.#running;
      return Response.json({
        code: "WORKER_ERROR",
        message: "Function exited due to an error (please check logs)",
      }, {
        status: 500,
      });
    }
  }

  async restart(env: Record<string, string | undefined> = {}): Promise<void> {
    this.#overrides = env;
    this.#stopped = true;
    this.#kill();
    await this.#exited;
    this.#stopped = false;
    this.#delay = 0;
    this.#start();
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#kill();
    await this.#exited;
  }

  #kill(): void {
    this.#wake();
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // Already gone.
    }
  }

  #start(): void {
    const { config, options } = this;
    const env = changed(options.env, this.#overrides);
    const child = this.#child = new Deno.Command(options.deno ?? edgeRuntimeDeno, {
      args: [
        ["run", "--quiet", "--no-prompt", "--no-lock"],
        ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"],
        [host, config.entrypoint, options.twilioUrl],
      ].flat(),
      clearEnv: true,
      env: { ...ofDeno(), ...env, ...options.mark },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = child.pid;

    const listening = Promise.withResolvers<number | undefined>();
    const output = Promise.all([
      this.#readLines(child.stdout, (line) => {
        const port = /^listening (\d+)$/.exec(line)?.[1];
        if (!port) return false;
        listening.resolve(Number(port));
        return true;
      }),
      this.#readLines(child.stderr, () => false),
    ]);
    this.#running = listening.promise.then((port) =>
      port === undefined ? undefined : { pid: child.pid, port }
    );

    this.#exited = (async () => {
      const status = await child.status;
      await output;
      await child.stdin.close().catch(() => {});
      listening.resolve(undefined);
      this.pid = undefined;
      if (this.#stopped) return;
      this.write(`[${config.name}] process ended with ${status.signal ?? `status ${status.code}`}`);
      // At once after a crash or a kill, slower and slower for one that does not even start.
      const hadStarted = await listening.promise !== undefined;
      this.#delay = hadStarted || status.signal === "SIGKILL" ? 0 : Math.min(5000, this.#delay * 2 + 100);
      if (this.#delay > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, this.#delay);
          this.#wake = () => (clearTimeout(timer), resolve());
        });
        if (this.#stopped) return;
      }
      this.#start();
    })();
  }

  async #readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => boolean): Promise<void> {
    const lines = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
      .pipeThrough(
        new TextLineStream(),
      );
    for await (const line of lines) {
      if (!take(line)) this.write(`[${this.config.name}] ${line}`);
    }
  }
}

/** Whether a process that has just broken a connection ends, too. */
async function hasEnded(child: Deno.ChildProcess): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stillUp = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), 200));
  const ended = await Promise.race([child.status.then(() => true), stillUp]);
  clearTimeout(timer);
  return ended;
}

/** What Deno needs to run; function-host.ts removes it again before the function is imported. */
function ofDeno(): Record<string, string> {
  const env: Record<string, string> = { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  for (const name of ["PATH", "HOME", "DENO_DIR", "DENO_TLS_CA_STORE", "TMPDIR"]) {
    const value = Deno.env.get(name);
    if (value) env[name] = value;
  }
  return env;
}
