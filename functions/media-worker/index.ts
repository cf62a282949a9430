// What is due: media to fetch, files to hash, to move and to delete. POST with a secret key, each minute → {done, failed}.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { workerServices } from "../../shared/evidence/services.ts";
import { runDueWork } from "../../shared/evidence/worker.ts";
import { once } from "../../shared/platform/once.ts";
import type { Variables } from "../../shared/platform/settings.ts";
import { pipeline } from "../../shared/request/pipeline.ts";
import { requireKey, systemKeys } from "../../shared/request/system.ts";

/** Makes the handler. Answers 200, or 401, 405, 500, 503 as docs/errors.md says. */
export function mediaWorker(variables: Variables): (request: Request) => Promise<Response> {
  const name = "media-worker";
  const keys = once(() => systemKeys(variables));
  const services = once(() => workerServices(variables));

  return pipeline({ name }, async (request, { requestId, note }) => {
    const ready = await services();
    requireKey(request, keys());
    const round = await runDueWork(ready, { name, requestId });
    note("done", round.done);
    note("failed", round.failed);
    return Response.json(round);
  });
}

export default { fetch: mediaWorker(Deno.env) };
