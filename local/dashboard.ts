/** The example dashboard, built for one running Supabase and served from its scratch directory. */
import { extname, join } from "node:path";
import { typeByExtension } from "deno-std/media_types/type_by_extension.js";
import type { Supabase } from "./supabase.ts";

const root = new URL("..", import.meta.url).pathname;

/** An origin that the functions allow. */
export const DASHBOARD_PORT = 5173;

/** Builds and serves it for as long as this process lives. Returns its URL, or in words why there is none. */
export async function startDashboard({ url, env, users, mark, directory }: Supabase): Promise<string> {
  const built = join(directory, "dashboard");
  try {
    await buildDashboard({
      supabaseUrl: url,
      publishableKey: env.SUPABASE_PUBLISHABLE_KEY!,
      directory: built,
      users,
      password: env.DEMO_PASSWORD,
      mark,
    });
    return serveDashboard(built).url;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      return `not served: port ${DASHBOARD_PORT} is taken, and the functions allow no other origin`;
    }
    console.error(error instanceof Error ? error.message : error);
    return "not served: it could not be built, see above";
  }
}

export interface BuildOptions {
  supabaseUrl: string;
  publishableKey: string;
  /** Where the built page goes. */
  directory: string;
  /** Offered on the sign-in form, with the password filled in. */
  users?: string[];
  password?: string;
  /** Environment that marks the process for the run's keeper. */
  mark?: Record<string, string>;
}

export async function buildDashboard(options: BuildOptions): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(join(root, "node_modules/.bin/vite"), {
    args: ["build", "--mode", "trial", "--outDir", options.directory, "--logLevel", "warn"],
    cwd: join(root, "examples/dashboard"),
    env: {
      ...options.mark,
      VITE_SUPABASE_URL: options.supabaseUrl,
      VITE_SUPABASE_PUBLISHABLE_KEY: options.publishableKey,
      VITE_DEMO_USERS: (options.users ?? []).join(","),
      VITE_DEMO_PASSWORD: options.password ?? "",
      NO_COLOR: "1",
    },
    stdin: "null",
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  throw new Error(`The dashboard could not be built: ${said.trim()}`);
}

export interface Dashboard {
  url: string;
  stop(): Promise<void>;
}

/** Serves a built page; throws Deno.errors.AddrInUse where the port is taken. */
export function serveDashboard(directory: string, port = DASHBOARD_PORT): Dashboard {
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url); // free of ..
    const path = pathname === "/" ? "/index.html" : pathname;
    const file = await Deno.readFile(join(directory, path)).catch(() => undefined);
    if (!file) return new Response("Not found", { status: 404 });
    return new Response(file, {
      headers: {
        "content-type": typeByExtension(extname(path)) ?? "application/octet-stream",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      },
    });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}
