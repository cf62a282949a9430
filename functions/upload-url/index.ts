// Where to upload a file: POST {purpose, filename, content_type, file_size, ticket_id?, sha256?} → UploadUrlResponse.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { UploadUrlRequest } from "../../shared/contracts.ts";
import { makeUploadSlot } from "../../shared/evidence/upload.ts";
import type { Environment } from "../../shared/platform/environment.ts";
import { readJson } from "../../shared/request/body.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { pipeline } from "../../shared/request/pipeline.ts";

/** Makes the handler. Answers 200, or any code of docs/errors.md but invalid_signature. */
export function uploadUrl(environment: Environment): (request: Request) => Promise<Response> {
  const identifyCaller = makeIdentifyCaller(environment);

  return pipeline({ name: "upload-url", environment, browsers: true }, async (request, { note }) => {
    const caller = await identifyCaller(request);
    const file = await readJson(request, UploadUrlRequest);
    const slot = await makeUploadSlot(environment, caller.token, file);
    note("bytes", file.file_size);
    return Response.json(slot);
  });
}

export default { fetch: uploadUrl(Deno.env) };
