// What is due: media to fetch, files to hash, to move and to delete. POST with a secret key, each minute → {done, failed}.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { runDueWork } from "../../shared/evidence/worker.ts";
import type { Environment } from "../../shared/platform/environment.ts";
import { pipeline } from "../../shared/request/pipeline.ts";
import { requireSecretKey } from "../../shared/request/system.ts";

/** Makes the handler. Answers 200, or 401, 405, 500, 503 as docs/errors.md says. */
export function mediaWorker(environment: Environment): (request: Request) => Promise<Response> {
  const name = "media-worker";

  return pipeline({ name, environment, browsers: false }, async (request, { requestId, note }) => {
    requireSecretKey(request, environment);
    const round = await runDueWork(environment, { name, requestId });
    note("done", round.done);
    note("failed", round.failed);
    return Response.json(round);
  });
}

export default { fetch: mediaWorker(Deno.env) };
