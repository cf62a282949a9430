/**
 * A pretend Management API, on loopback: as much of it as `supabase secrets`, `supabase functions deploy --use-api` and
 * `npm run deploy` ask for. The CLI is pointed at it by a profile.
 */
import { createHash } from "node:crypto";

/** One function as it was uploaded. */
export interface UploadedFunction {
  /** By path; what the platform's bundler would get. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
  verifyJwt: boolean;
  entrypoint: string;
  importMap: string;
  version: number;
}

export interface ManagementApi {
  ref: string;
  /** What the CLI needs in its environment to talk to this API as if it were Supabase's. */
  env: Record<string, string>;
  /** Those that are live. */
  functions: Map<string, UploadedFunction>;
  secrets: Map<string, string>;
  /** Method and path of each request, in order. */
  requests: string[];
  stop(): Promise<void>;
}

interface Metadata {
  entrypoint_path: string;
  import_map_path: string;
  verify_jwt: boolean;
}

/** Starts it, with one project that has no functions and no secrets. */
export async function startManagement(): Promise<ManagementApi> {
  const ref = "abcdefghijklmnopqrst";
  const token = `sbp_${crypto.getRandomValues(new Uint8Array(20)).toHex()}`;
  const functions = new Map<string, UploadedFunction>();
  /** Uploaded, and not live yet. */
  const bundled = new Map<string, UploadedFunction>();
  const secrets = new Map<string, string>();
  const requests: string[] = [];

  async function answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      return Response.json({ message: "Unauthorized" }, { status: 401 });
    }
    switch (`${request.method} ${pathname.replace(`/v1/projects/${ref}`, "")}`) {
      case "GET /secrets":
        return Response.json(
          Array.from(secrets, ([name, value]) => ({
            name,
            value: createHash("sha256").update(value).digest("hex"),
            updated_at: new Date().toISOString(),
          })),
        );
      case "POST /secrets":
        for (const { name, value } of await request.json()) secrets.set(name, value);
        return new Response(null, { status: 201 });
      case "GET /functions":
        return Response.json(Array.from(functions, ([slug, live]) => described(slug, live)));
      case "POST /functions/deploy": {
        const slug = searchParams.get("slug")!;
        const upload = await uploaded(await request.formData(), functions.get(slug));
        (searchParams.get("bundleOnly") === "true" ? bundled : functions).set(slug, upload);
        return Response.json(described(slug, upload), { status: 201 });
      }
      case "PUT /functions": // after several uploads: they go live together
        for (const { slug, verify_jwt } of await request.json()) {
          functions.set(slug, { ...bundled.get(slug)!, verifyJwt: verify_jwt });
        }
        return Response.json({ functions: Array.from(functions, ([slug, live]) => described(slug, live)) });
      default:
        return Response.json({ message: `the pretend Management API has no ${request.method} ${pathname}` }, {
          status: 404,
        });
    }
  }

  const directory = await Deno.makeTempDir({ prefix: "management-" });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  const url = `http://127.0.0.1:${server.addr.port}`;
  // YAML to the CLI
  const profile = `${directory}/profile.yaml`;
  await Deno.writeTextFile(
    profile,
    JSON.stringify({ name: "pretend", api_url: url, dashboard_url: url, project_host: "pretend.invalid" }),
  );
  return {
    ref,
    env: {
      SUPABASE_PROFILE: profile,
      SUPABASE_ACCESS_TOKEN: token,
      SUPABASE_HOME: directory, // nothing of the developer's own login
      SUPABASE_TELEMETRY_DISABLED: "1",
      SUPABASE_API_MAX_RETRIES: "0",
      NO_COLOR: "1",
    },
    functions,
    secrets,
    requests,
    async stop() {
      await server.shutdown();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

function described(slug: string, { version, verifyJwt, entrypoint, importMap }: UploadedFunction) {
  return {
    id: slug,
    slug,
    name: slug,
    status: "ACTIVE",
    version,
    verify_jwt: verifyJwt,
    entrypoint_path: entrypoint,
    import_map_path: importMap,
    created_at: Date.now(),
    updated_at: Date.now(),
  };
}

async function uploaded(form: FormData, before?: UploadedFunction): Promise<UploadedFunction> {
  const metadata: Metadata = JSON.parse(await text(form.get("metadata")!));
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const file of form.getAll("file") as File[]) files.set(file.name, await file.bytes());
  return {
    files,
    verifyJwt: metadata.verify_jwt,
    entrypoint: metadata.entrypoint_path,
    importMap: metadata.import_map_path,
    version: (before?.version ?? 0) + 1,
  };
}

async function text(field: FormDataEntryValue): Promise<string> {
  return typeof field === "string" ? field : await field.text();
}
