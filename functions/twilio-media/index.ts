// Twilio's webhook for incoming messages: checked, recorded, answered with TwiML; its media follow in the background.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { recordMessage } from "../../shared/evidence/intake.ts";
import { transferMedia } from "../../shared/evidence/transfer.ts";
import type { Environment } from "../../shared/platform/environment.ts";
import { pipeline } from "../../shared/request/pipeline.ts";
import { readWebhook } from "../../shared/request/webhook.ts";
import { parseMessage } from "../../shared/twilio/message.ts";
import { replyText, twiml } from "../../shared/twilio/reply.ts";

/** Makes the handler. Answers 200, or 400, 403, 404, 405, 413, 415, 500, 503 as docs/errors.md says. */
export function twilioMedia(environment: Environment): (request: Request) => Promise<Response> {
  const name = "twilio-media";

  return pipeline({ name, environment, browsers: false }, async (request, { requestId, note }) => {
    const { params, ticketId } = await readWebhook(request, environment);
    const message = parseMessage(params);
    const recorded = await recordMessage(environment, message, params, ticketId);
    note("media", message.media.length);
    note("duplicate", recorded.duplicate);

    if (!recorded.duplicate && recorded.media.length > 0) {
      const media = recorded.media.map((record) => ({ record, url: message.media[record.media_index]!.url }));
      EdgeRuntime.waitUntil(transferMedia(environment, media, { name, requestId }));
    }
    return twiml(replyText(recorded));
  });
}

export default { fetch: twilioMedia(Deno.env) };
