// Where to upload a file: POST {purpose, filename, content_type, file_size, ticket_id?, sha256?} → UploadUrlResponse.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { UploadUrlRequest } from "../../shared/contracts.ts";
import { callerServices } from "../../shared/evidence/services.ts";
import { makeUploadSlot } from "../../shared/evidence/upload.ts";
import { once } from "../../shared/platform/once.ts";
import { required, type Variables } from "../../shared/platform/settings.ts";
import { readJson } from "../../shared/request/body.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { pipeline } from "../../shared/request/pipeline.ts";

/** Makes the handler. Answers 200, or any code of docs/errors.md but invalid_signature. */
export function uploadUrl(variables: Variables): (request: Request) => Promise<Response> {
  const origins = once(() => required(variables, "ALLOWED_ORIGINS"));
  const services = once(() => callerServices(variables));
  const identifyCaller = makeIdentifyCaller(variables);

  return pipeline({ name: "upload-url", origins }, async (request, { note }) => {
    const caller = await identifyCaller(request);
    const file = await readJson(request, UploadUrlRequest);
    const slot = await makeUploadSlot(services(), caller.token, file);
    note("bytes", file.file_size);
    return Response.json(slot);
  });
}

export default { fetch: uploadUrl(Deno.env) };
