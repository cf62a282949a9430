// URLs to look at files: POST {file_id} or {bucket, path} or {files: […]}, with expires_in? and download? → SignedUrlResponse.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { SignedUrlRequest } from "../../shared/contracts.ts";
import { shown, signFiles } from "../../shared/evidence/reading.ts";
import { readingServices } from "../../shared/evidence/services.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { once } from "../../shared/platform/once.ts";
import { required, type Variables } from "../../shared/platform/settings.ts";
import { readJson } from "../../shared/request/body.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { pipeline } from "../../shared/request/pipeline.ts";

/** Makes the handler. Answers 200 (a batch has its refusals inside), or any code of docs/errors.md but invalid_signature. */
export function signedUrl(variables: Variables): (request: Request) => Promise<Response> {
  const origins = once(() => required(variables, "ALLOWED_ORIGINS"));
  const services = once(() => readingServices(variables));
  const identifyCaller = makeIdentifyCaller(variables);

  return pipeline({ name: "signed-url", origins }, async (request, { requestId, note }) => {
    const caller = await identifyCaller(request);
    const wanted = await readJson(request, SignedUrlRequest);
    const answers = await signFiles(services(), caller.token, wanted, requestId);
    note("files", answers.length);
    note("refused", answers.filter((answer) => answer instanceof ServiceError).length);
    if ("files" in wanted) return Response.json({ files: answers.map(shown) });
    const [answer] = answers;
    if (answer instanceof ServiceError) throw answer;
    return Response.json(answer);
  });
}

export default { fetch: signedUrl(Deno.env) };
