/** The one public address: checks API keys, turns them into tokens, answers browsers' preflights, routes by prefix. */
import type { AllKeys } from "./keys.ts";
import type { Handler } from "./types.ts";
import { json } from "./json.ts";

export type ServiceName = "auth" | "rest" | "storage" | "realtime" | "functions";

export interface Gateway {
  url: string;
  /** Until a service is mounted its requests are answered 503. */
  mount(name: ServiceName, handler: Handler): void;
  /** What `mount` needs before it: keys carry the gateway's URL, so they come after it. */
  useKeys(keys: AllKeys, verifyJwt: (functionName: string) => boolean): void;
  stop(): Promise<void>;
}

const services: ServiceName[] = ["auth", "rest", "storage", "realtime", "functions"];

export function startGateway(port: number): Gateway {
  const handlers = new Map<ServiceName, Handler>();
  let keys: AllKeys | undefined;
  let verifyJwt = (_name: string) => true;

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, prefix, version, rest] = url.pathname.split("/");
    const service = services.find((name) => name === prefix && version === "v1");
    if (!service) return refuse(404, { message: "no Route matched with those values" });
    const handler = handlers.get(service);
    if (!handler || !keys) {
      return refuse(503, { message: `${service} is not part of this stand-in, or not up yet` });
    }

    if (service === "functions") {
      const refusal = request.method === "OPTIONS" || !verifyJwt(rest ?? "")
        ? undefined
        : await checkJwt(request, keys);
      return refusal ?? await handler(request);
    }
    if (request.method === "OPTIONS") return preflight(request);
    const admitted = await admit(request, service, url, keys);
    // Only the request as it came can be upgraded to a WebSocket.
    const upgrades = service === "realtime" && request.headers.has("upgrade");
    if (upgrades && admitted instanceof Request) return await handler(request);
    return withCors(admitted instanceof Response ? admitted : await handler(admitted));
  }

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: () => {},
  }, async (request) => {
    try {
      return await answer(request);
    } catch (error) {
      console.error(`${request.method} ${new URL(request.url).pathname}:`, error);
      return refuse(500, { message: "An unexpected error occurred" });
    }
  });

  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    mount: (name, handler) => void handlers.set(name, handler),
    useKeys(newKeys, newVerifyJwt) {
      keys = newKeys;
      verifyJwt = newVerifyJwt;
    },
    async stop() {
      // Open streams would hold a graceful shutdown up for ever.
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([server.shutdown(), new Promise((resolve) => timer = setTimeout(resolve, 200))]);
      clearTimeout(timer);
    },
  };
}

/** Checks the API key and gives the request the Authorization it stands for. */
async function admit(
  request: Request,
  service: ServiceName,
  url: URL,
  keys: AllKeys,
): Promise<Request | Response> {
  const apikey = request.headers.get("apikey") ?? url.searchParams.get("apikey");
  const authorization = request.headers.get("authorization");
  const token = apikey === null ? undefined : await tokenOf(apikey, keys);

  if (apikey !== null && token === undefined) return refuse(401, { message: "Invalid API key" });
  // Storage's signed and public URLs carry no key; it asks for a token itself where it needs one.
  const open = service === "storage" || url.pathname.startsWith("/auth/v1/.well-known/");
  if (token === undefined && !open) return refuse(401, { message: "No API key found in request" });

  const headers = new Headers(request.headers);
  if (token !== undefined && (authorization === null || authorization.startsWith("Bearer sb_"))) {
    headers.set("authorization", `Bearer ${token}`);
  }
  url.searchParams.delete("apikey");
  return new Request(url, { method: request.method, headers, body: request.body });
}

/** The token an API key stands for; undefined when it is none of ours. */
async function tokenOf(apikey: string, keys: AllKeys): Promise<string | undefined> {
  if (apikey === keys.secret) return keys.serviceRoleToken;
  if (apikey === keys.publishable) return keys.anonToken;
  return await isValid(apikey, keys) ? apikey : undefined;
}

async function isValid(token: string, keys: AllKeys): Promise<boolean> {
  return await keys.verify(token).then(() => true, () => false);
}

/** `verify_jwt`: lets API keys pass as well, so it authenticates nobody. Returns the refusal, if any. */
async function checkJwt(request: Request, keys: AllKeys): Promise<Response | undefined> {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const credential = bearer !== undefined && !bearer.startsWith("sb_")
    ? bearer
    : request.headers.get("apikey") ?? bearer;
  if (credential === undefined) return refuse(401, { code: 401, message: "Missing authorization header" });
  if (await tokenOf(credential, keys) === undefined) {
    return refuse(401, { code: 401, message: "Invalid JWT" });
  }
  return undefined;
}

const allowAll = { "access-control-allow-origin": "*" };

function refuse(status: number, body: Record<string, unknown>): Response {
  return json(body, { status, headers: allowAll });
}

function preflight(request: Request): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...allowAll,
      "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
      "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "*",
      "access-control-max-age": "3600",
    },
  });
}

function withCors(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", "*");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
