// Twilio's webhook for incoming messages: checked, recorded, answered with TwiML; its media follow in the background.
import type {} from "@supabase/functions-js/src/edge-runtime.d.ts";
import { intakeServices, type PendingMedium, recordMessage } from "../../shared/evidence/intake.ts";
import { once } from "../../shared/platform/once.ts";
import type { Variables } from "../../shared/platform/settings.ts";
import { AnswersFirst } from "../../shared/request/answers-first.ts";
import { pipeline } from "../../shared/request/pipeline.ts";
import { readWebhook, webhookSettings } from "../../shared/request/webhook.ts";
import { parseMessage } from "../../shared/twilio/message.ts";
import { replyText, twiml } from "../../shared/twilio/reply.ts";

/** Makes the handler. Answers 200, or 400, 403, 404, 405, 413, 415, 500, 503 as docs/errors.md says. */
export function twilioMedia(variables: Variables): (request: Request) => Promise<Response> {
  const name = "twilio-media";
  const settings = once(() => webhookSettings(variables));
  const services = once(() => intakeServices(variables));
  const answers = new AnswersFirst();

  return pipeline(
    { name },
    (request, { requestId, note }) =>
      answers.answer(async () => {
        const ready = await services();
        const { params, ticketId } = await readWebhook(request, settings());
        const message = await parseMessage(params);
        const recorded = await recordMessage(ready, message, params, ticketId);
        note("media", message.media.length);
        note("duplicate", recorded.duplicate);

        if (!recorded.duplicate && recorded.media.length > 0) {
          const media = recorded.media.map((record) => ({
            record,
            url: message.media[record.media_index]!.url!,
          }));
          EdgeRuntime.waitUntil(transfer(media, requestId));
        }
        return twiml(replyText(recorded));
      }),
  );

  async function transfer(
    media: { record: PendingMedium; url: string }[],
    requestId: string,
  ): Promise<void> {
    await answers.given();
    // loaded here, so that a new worker answers sooner
    const [{ systemServices }, { transferMedia }] = await Promise.all([
      import("../../shared/evidence/services.ts"),
      import("../../shared/evidence/transfer.ts"),
    ]);
    await transferMedia(await systemServices(variables), media, { name, requestId });
  }
}

export default { fetch: twilioMedia(Deno.env) };
