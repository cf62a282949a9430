// URLs to look at files: POST {file_id} or {bucket, path} or {files: […]}, with expires_in? and download? → SignedUrlResponse.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { SignedUrlRequest } from "../../shared/contracts.ts";
import { onlyFile, signFiles } from "../../shared/evidence/reading.ts";
import type { Environment } from "../../shared/platform/environment.ts";
import { readJson } from "../../shared/request/body.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { pipeline } from "../../shared/request/pipeline.ts";

/** Makes the handler. Answers 200 (a batch has its refusals inside), or any code of docs/errors.md but invalid_signature. */
export function signedUrl(environment: Environment): (request: Request) => Promise<Response> {
  const identifyCaller = makeIdentifyCaller(environment);

  return pipeline(
    { name: "signed-url", environment, browsers: true },
    async (request, { requestId, note }) => {
      const caller = await identifyCaller(request);
      const wanted = await readJson(request, SignedUrlRequest);
      const answers = await signFiles(environment, caller.token, wanted, requestId);
      note("files", answers.length);
      note("refused", answers.filter((answer) => "error" in answer).length);
      return Response.json("files" in wanted ? { files: answers } : onlyFile(answers));
    },
  );
}

export default { fetch: signedUrl(Deno.env) };
