// What is due: media to fetch, files to hash, to move and to delete. POST each minute, answered at once: 202 {request_id}.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { workerServices } from "../../shared/evidence/services.ts";
import { runRound } from "../../shared/evidence/worker.ts";
import { once } from "../../shared/platform/once.ts";
import type { Variables } from "../../shared/platform/settings.ts";
import { pipeline } from "../../shared/request/pipeline.ts";
import { requireKey, systemKeys } from "../../shared/request/system.ts";
import { resultIfAwaited } from "../../shared/request/wait.ts";

/**
 * Makes the handler. Answers 202 while the round goes on: pg_net sends none of a project's other calls until this one is
 * answered. With `Prefer: wait=SECONDS` (RFC 7240) it answers 200 when the round is done, if that is in time. Or 401, 405, 500,
 * 503 as docs/errors.md says.
 */
export function mediaWorker(variables: Variables): (request: Request) => Promise<Response> {
  const name = "media-worker";
  const keys = once(() => systemKeys(variables));
  const services = once(() => workerServices(variables));

  return pipeline({ name }, async (request, { requestId }) => {
    const ready = await services();
    requireKey(request, keys());
    const round = runRound(ready, { name, requestId });
    EdgeRuntime.waitUntil(round.catch(() => {})); // its own line of log says what happened
    const done = await resultIfAwaited(request, round);
    return done ? Response.json(done) : Response.json({ request_id: requestId }, { status: 202 });
  });
}

export default { fetch: mediaWorker(Deno.env) };
