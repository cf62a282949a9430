/**
 * What Edge Runtime is to one function: imports its entrypoint and serves `export default { fetch }`. Runs under the
 * Deno version that Edge Runtime has; configured by arguments, so that the environment is the function's alone:
 * `function-host.ts ENTRYPOINT PRETEND_TWILIO_URL`. Prints `listening PORT` first. Ends when stdin closes.
 */
const [entrypoint, twilioUrl] = Deno.args;

// The end of whoever started this one must be its end too.
(async () => {
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
})();

// Deno itself needed these to start; a function on the platform does not have them.
const ofDeno = [
  "PATH",
  "HOME",
  "DENO_DIR",
  "DENO_NO_UPDATE_CHECK",
  "DENO_TLS_CA_STORE",
  "NO_COLOR",
  "TMPDIR",
  "LOCAL_SUPABASE_RUN",
];
for (const name of ofDeno) Deno.env.delete(name);

const background = new Set<Promise<unknown>>();

Object.assign(globalThis, {
  EdgeRuntime: {
    /** Keeps an isolate alive on the platform; this process lives anyway, so a failure only has to be seen. */
    waitUntil<T>(promise: Promise<T>): Promise<T> {
      const settled = Promise.resolve(promise)
        .catch((error) => console.error("EdgeRuntime.waitUntil:", error))
        .finally(() => background.delete(settled));
      background.add(settled);
      return promise;
    },
  },
});

const realFetch = globalThis.fetch;

function isTwilio(url: URL): boolean {
  return /^api\..*twilio\.com$|\.twiliocdn\.com$|^s3-external-1\.amazonaws\.com$/.test(url.hostname);
}

/** The network: what leaves for Twilio's hosts arrives at the pretend Twilio, which reads the host asked for. */
async function fetchThroughPretendNetwork(
  input: Request | URL | string,
  init?: RequestInit,
): Promise<Response> {
  const asked = new URL(input instanceof Request ? input.url : String(input));
  if (!twilioUrl || !isTwilio(asked)) return await realFetch(input, init);

  const request = new Request(input, init);
  const headers = new Headers(request.headers);
  headers.set("x-pretend-host", asked.host);
  const response = await realFetch(
    new Request(new URL(asked.pathname + asked.search, twilioUrl), {
      method: request.method,
      headers,
      body: request.body,
      redirect: request.redirect === "follow" ? "manual" : request.redirect,
      signal: request.signal,
    }),
  );
  const location = response.headers.get("location");
  if (request.redirect === "follow" && location && [301, 302, 303, 307, 308].includes(response.status)) {
    await response.body?.cancel();
    const next = new URL(location, asked);
    const followed = new Headers(request.headers);
    if (next.origin !== asked.origin) followed.delete("authorization");
    return await fetchThroughPretendNetwork(next, { headers: followed, signal: request.signal });
  }
  return Object.defineProperty(response, "url", { value: asked.href });
}
globalThis.fetch = fetchThroughPretendNetwork as typeof fetch;

const { default: module } = await import(new URL(entrypoint!, "file:///").href);
if (typeof module?.fetch !== "function") {
  console.error(`${entrypoint} has no "export default { fetch }"`);
  Deno.exit(1);
}

/**
 * Calls the function, and reads to its end a large body that it left, or cancelled: closing a connection that still
 * holds data would destroy the answer. The platform's proxies do the same.
 */
async function callFunction(request: Request): Promise<Response> {
  const length = request.headers.get("content-length");
  if (!request.body || length !== null && Number(length) < 65536) return await module.fetch(request);

  const reader = request.body.getReader();
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const seen = new Request(request.url, { method: request.method, headers: request.headers, body });
  const response: Response = await module.fetch(seen);
  const untouched = !seen.bodyUsed && !seen.body!.locked && response.body !== seen.body;
  if (cancelled || untouched) { while (!(await reader.read()).done); }
  return response;
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  onError(error) {
    console.error(error);
    return Response.json({ code: "WorkerError", message: "Function exited due to an error" }, {
      status: 500,
    });
  },
}, callFunction);
