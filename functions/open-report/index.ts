// What residents wrote, decrypted for those who may read it: POST {ticket_id} or {message_sids}, include_sender? → OpenReportResponse.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { OpenReportRequest } from "../../shared/contracts.ts";
import { openReport, reportServices } from "../../shared/evidence/report.ts";
import { once } from "../../shared/platform/once.ts";
import { required, type Variables } from "../../shared/platform/settings.ts";
import { readJson } from "../../shared/request/body.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { pipeline } from "../../shared/request/pipeline.ts";

/** Makes the handler. Answers 200, or any code of docs/errors.md but invalid_signature. */
export function openReportFunction(variables: Variables): (request: Request) => Promise<Response> {
  const origins = once(() => required(variables, "ALLOWED_ORIGINS"));
  const services = once(() => reportServices(variables));
  const identifyCaller = makeIdentifyCaller(variables);

  return pipeline({ name: "open-report", origins }, async (request, { requestId, note }) => {
    const ready = await services();
    const caller = await identifyCaller(request);
    const wanted = await readJson(request, OpenReportRequest);
    const messages = await openReport(ready, caller.token, wanted, requestId);
    note("messages", messages.length);
    return Response.json({ messages });
  });
}

export default { fetch: openReportFunction(Deno.env) };
