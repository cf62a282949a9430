/**
 * What a deploy leaves of the repository: the files that the real CLI uploads, in a directory of their own, run by Edge
 * Runtime's Deno with the packages that their import map names, which Deno downloads from npm's registry.
 */
import { dirname, join } from "node:path";
import { TextLineStream } from "deno-std/streams/text_line_stream.js";
import type { ManagementApi, UploadedFunction } from "../support/management.ts";

const root = new URL("../..", import.meta.url).pathname;
const deno = `${root}node_modules/deno/deno`;

/** Bytes; hosted refuses a larger bundle. */
export const MAX_BUNDLE = 20_000_000;

/** Runs the real CLI against the pretend Management API. Returns what it wrote. */
export async function cli(
  api: ManagementApi,
  args: string[],
  workdir = root,
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(`${root}node_modules/.bin/supabase`, {
    args: [...args, `--remote=${api.ref}`, "--yes", "--workdir", workdir],
    env: api.env,
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** A function's uploaded files that have no business on the platform: anything but its own folder and shared code. */
export function strangers(name: string, paths: Iterable<string>): string[] {
  return [...paths].filter((path) =>
    path !== "deno.json" && !path.startsWith(`functions/${name}/`) &&
    !/^shared\/(?!client\/|operate\/)/.test(path)
  );
}

/** Sizes of a function's bundle in bytes. */
export interface Bundle {
  name: string;
  sources: number;
  /** Whole packages, as the platform bundles them; unpacked. */
  packages: number;
}

/** The bundles that the platform would refuse. */
export function tooLarge(bundles: Bundle[]): Bundle[] {
  return bundles.filter(({ sources, packages }) => sources + packages >= MAX_BUNDLE);
}

/** A function's uploaded files, unpacked, with its packages. */
export interface Unpacked {
  bundle: Bundle;
  directory: string;
  entrypoint: string;
  importMap: string;
  /** Environment that Deno itself needs. */
  env: Record<string, string>;
}

/**
 * Writes a function's files below an empty directory and has Deno download their packages. Throws what Deno said where
 * an import cannot be resolved. Nothing above the directory may hold a package.json or node_modules.
 */
export async function unpack(name: string, uploaded: UploadedFunction, empty: string): Promise<Unpacked> {
  const directory = join(empty, name, "files");
  let sources = 0;
  for (const [path, bytes] of uploaded.files) {
    await Deno.mkdir(dirname(join(directory, path)), { recursive: true });
    await Deno.writeFile(join(directory, path), bytes);
    sources += bytes.length;
  }
  const denoDir = join(empty, name, "deno");
  const env = {
    DENO_DIR: denoDir,
    DENO_TLS_CA_STORE: "system",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    NPM_CONFIG_REGISTRY: await registry(),
    PATH: Deno.env.get("PATH")!,
    HOME: Deno.env.get("HOME") ?? empty, // .npmrc: a registry may ask for a token
  };
  const entrypoint = join(directory, uploaded.entrypoint);
  const importMap = join(directory, uploaded.importMap);
  const { code, stderr } = await new Deno.Command(deno, {
    args: ["cache", "--quiet", "--no-lock", "--config", importMap, entrypoint],
    cwd: directory,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(`${name}: ${new TextDecoder().decode(stderr)}`);
  return {
    bundle: { name, sources, packages: await sizeOf(join(denoDir, "npm")) },
    directory,
    entrypoint,
    importMap,
    env,
  };
}

let known: Promise<string> | undefined;

/** The registry that npm uses on this machine. */
function registry(): Promise<string> {
  return known ??= new Deno.Command("npm", { args: ["config", "get", "registry"], cwd: root }).output()
    .then(({ stdout }) => new TextDecoder().decode(stdout).trim());
}

/** Bytes of all files below; not of the registry's answers that Deno keeps beside the packages. */
async function sizeOf(directory: string): Promise<number> {
  let size = 0;
  const entries = await Array.fromAsync(Deno.readDir(directory)).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return []; // nothing was downloaded
    throw error;
  });
  for (const { name, isDirectory } of entries) {
    const path = join(directory, name);
    if (isDirectory) size += await sizeOf(path);
    else if (name !== "registry.json") size += (await Deno.stat(path)).size;
  }
  return size;
}

/** A running function. */
export interface Running {
  url: string;
  stop(): Promise<void>;
}

/**
 * Runs an unpacked function with nothing but this environment. EdgeRuntime and Twilio's hosts are the local stack's, from
 * a copy of its one file that imports nothing. Throws what it wrote when it does not start.
 */
export async function run(
  { directory, entrypoint, importMap, env }: Unpacked,
  functionEnv: Record<string, string>,
  twilioUrl: string,
): Promise<Running> {
  const host = join(dirname(directory), "host.ts");
  await Deno.copyFile(`${root}local/function-host.ts`, host);
  const child = new Deno.Command(deno, {
    args: [
      ["run", "--quiet", "--no-prompt", "--no-lock", "--cached-only", "--config", importMap],
      ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"],
      [host, entrypoint, twilioUrl],
    ].flat(),
    cwd: directory,
    clearEnv: true,
    env: { ...env, ...functionEnv },
    stdin: "piped", // its end is the host's end
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const port = Promise.withResolvers<string | undefined>();
  const stdout = (async () => {
    const text = child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
    for await (const line of text.pipeThrough(new TextLineStream())) {
      const listening = /^listening (\d+)$/.exec(line)?.[1];
      if (listening) port.resolve(listening);
    }
    port.resolve(undefined);
  })();
  const stop = async () => {
    await child.stdin.close().catch(() => {}); // it has ended by itself
    await Promise.all([child.status, stdout, stderr]);
  };
  const listening = await port.promise;
  if (!listening) {
    await stop();
    throw new Error(await stderr);
  }
  return { url: `http://127.0.0.1:${listening}`, stop };
}
