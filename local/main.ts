/** The stand-in's command line: `start` keeps it up, `run -- COMMAND` lends it to one command. */
import { constants } from "node:os";
import { startDashboard } from "./dashboard.ts";
import { StartError, startSupabase, type Supabase } from "./supabase.ts";

const usage = `A small stand-in for hosted Supabase, without Docker.

  start [--port N] [--verbose]                     keep it up until Ctrl-C (port 54321 unless given)
  run [--port N] [--verbose] -- COMMAND [ARGS]     start it, run COMMAND with its addresses and keys in the
                                                   environment, stop it, exit as COMMAND did (a free port unless given)

  --verbose   also show what the functions write`;

interface Arguments {
  mode: "start" | "run";
  port?: number;
  verbose: boolean;
  command: string[];
}

function parseArguments(args: string[]): Arguments {
  const separator = args.indexOf("--");
  const own = separator < 0 ? args.slice() : args.slice(0, separator);
  const command = separator < 0 ? [] : args.slice(separator + 1);
  const mode = own.shift();
  if (mode !== "start" && mode !== "run") {
    misused(mode === undefined ? "Say what to do." : `There is no "${mode}".`);
  }
  let port: number | undefined;
  let verbose = false;
  while (own.length) {
    const option = own.shift()!;
    if (option === "--verbose") verbose = true;
    else if (option === "--port" || option.startsWith("--port=")) {
      const value = option === "--port" ? own.shift() ?? "" : option.slice("--port=".length);
      port = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
      if (!(port >= 1 && port <= 65535)) misused(`--port needs a number from 1 to 65535, not "${value}".`);
    } else if (mode === "run" && !option.startsWith("-")) {
      misused(`Put "--" before the command: run -- ${[option, ...own].join(" ")}`);
    } else misused(`There is no option "${option}".`);
  }
  if (mode === "run" && command.length === 0) misused("Say which command to run: run -- COMMAND [ARGS]");
  if (mode === "start" && command.length > 0) misused('"start" takes no command; use: run -- COMMAND [ARGS]');
  return { mode, port, verbose, command };
}

function misused(problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  Deno.exit(2);
}

/**
 * Calls back when the process that started this one is gone: npm killed by `kill -9` passes nothing on. Under nohup
 * it is meant to stay.
 */
function watchParent(gone: () => void): void {
  if (ignoresHangup()) return;
  const parent = Deno.ppid;
  // npm starts scripts with `sh -c`, which outlives npm: then npm is to be watched too.
  const grandparent = isShellWrapper(parent) ? parentOf(parent) : undefined;
  const timer = setInterval(() => {
    if (Deno.ppid === parent && (grandparent === undefined || parentOf(parent) === grandparent)) return;
    clearInterval(timer);
    gone();
  }, 250);
  Deno.unrefTimer(timer);
}

function ignoresHangup(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return (BigInt(`0x${ignored}`) & 1n) === 1n; // signal 1 is the lowest bit
  } catch {
    return false;
  }
}

function isShellWrapper(pid: number): boolean {
  try {
    const [program, option] = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    return /(^|\/)(sh|dash|bash)$/.test(program ?? "") && option === "-c";
  } catch {
    return false; // no /proc here
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
  } catch {
    return undefined;
  }
}

const signalNumber = (signal: string) => constants.signals[signal as keyof typeof constants.signals] ?? 0;

async function main(): Promise<number> {
  const { mode, port, verbose, command } = parseArguments(Deno.args);
  // given.ts has told the environment of a stack that others started
  if (mode === "run" && Deno.env.get("GIVEN_STACK")) {
    return (await new Deno.Command(command[0]!, { args: command.slice(1) }).spawn().status).code;
  }

  let supabase: Supabase | undefined;
  let child: Deno.ChildProcess | undefined;
  const ended = Promise.withResolvers<number>();
  const onSignal = (signal: Deno.Signal) => {
    // Still starting: leave, and the run's keeper cleans up.
    if (!supabase) Deno.exit(128 + signalNumber(signal));
    if (!child) return ended.resolve(signal === "SIGINT" ? 0 : 128 + signalNumber(signal));
    // A terminal has sent Ctrl-C to the command as well.
    if (signal === "SIGINT" && Deno.stdin.isTerminal()) return;
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
  };
  watchParent(() => {
    console.error("The process that started this one is gone: stopping. (nohup keeps it up without.)");
    onSignal("SIGTERM");
    ended.resolve(128 + signalNumber("SIGTERM"));
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => onSignal(signal));
  }

  const startedAt = performance.now();
  const elapsed = () => `${Math.round(performance.now() - startedAt)} ms`.padStart(8);
  try {
    supabase = await startSupabase({
      port: port ?? (mode === "start" ? 54321 : 0),
      twilioPort: mode === "start" && port === undefined ? 54327 : 0, // where whatsapp.ts looks
      log: (line) => console.error(`${elapsed()}  ${line}`),
      onFunctionLine: verbose ? (line) => console.error(line) : undefined,
      // 0 turns the timer off, for tests that call the worker themselves
      workerSeconds: Number(Deno.env.get("LOCAL_WORKER_SECONDS") ?? 2),
    });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      console.error(
        `Port ${port ?? 54321} is taken, perhaps by another stand-in. Stop that one, or choose: --port N`,
      );
    } else console.error(error instanceof StartError ? error.message : error);
    return 1;
  }

  if (mode === "start") {
    console.log(welcome(supabase, await startDashboard(supabase)));
  } else {
    try {
      child = new Deno.Command(command[0]!, {
        args: command.slice(1),
        env: { ...supabase.env, ...supabase.mark },
        stdin: "inherit",
        stdout: "inherit",
        stderr: "inherit",
      }).spawn();
      child.status.then((status) =>
        ended.resolve(status.signal ? 128 + signalNumber(status.signal) : status.code)
      );
    } catch (error) {
      console.error(`${command[0]} could not be run: ${error instanceof Error ? error.message : error}`);
      ended.resolve(127);
    }
  }
  const status = await ended.promise;
  await supabase.stop();
  return status;
}

function welcome({ url, env, users, functions }: Supabase, dashboard: string): string {
  const names = functions?.names ?? [];
  const twilio = env.PRETEND_TWILIO_URL === "http://127.0.0.1:54327"
    ? ""
    : `PRETEND_TWILIO_URL=${env.PRETEND_TWILIO_URL} `;
  return `
Supabase stand-in is up. Ctrl-C stops it and removes all its data.

  dashboard         ${dashboard}

  URL               ${url}
  publishable key   ${env.SUPABASE_PUBLISHABLE_KEY}
  secret key        ${env.SUPABASE_SECRET_KEY}
  database          ${env.SUPABASE_DB_URL}
  pretend Twilio    ${env.PRETEND_TWILIO_URL}
  functions         ${
    names.map((name) => `${url}/functions/v1/${name}`).join("\n                    ") || "none"
  }

  users             ${users.join("\n                    ") || "none"}
  password          ${env.DEMO_PASSWORD}

Send a WhatsApp message and watch it arrive (to +27130000002 it is a GBV report):

  ${twilio}npm run whatsapp -- --to +27130000001 --file examples/media/burst-pipe.jpg

Use it with the usual client:

  const supabase = createClient("${url}", "${env.SUPABASE_PUBLISHABLE_KEY}");
  await supabase.auth.signInWithPassword({ email: "${users[0] ?? "…"}", password: "${env.DEMO_PASSWORD}" });

Or give a command its environment, in a stand-in of its own: npm run local -- COMMAND
`;
}

Deno.exit(await main());
