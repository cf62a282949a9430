// Any text comes back as it was written.
import { twilioSignature } from "../../local/twilio-webhook.ts";
import type { OpenedMessage } from "../../shared/contracts.ts";
import { assertEquals } from "../support/assert.ts";
import { ownStack } from "../support/own-stack.ts";

const own = await ownStack({ workerSeconds: 0.3 });
const { supabase } = own;
const { MUNICIPALITIES, person } = own.stack;
const { call } = own.functions;

const { newSender, post, webhook } = own.whatsapp;

Deno.test.afterAll(() => supabase.stop());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

test("1,600 characters of any Unicode come back through open-report as they were", async () => {
  const planes = [
    0x61,
    0x1f600,
    0x202e,
    0x301,
    0xe000,
    0xfffd,
    0xfeff,
    0x10ffff,
    0x0,
    0x7,
    0x2028,
    0x22,
    0x5c,
    0x1d11e,
    0x0d,
  ];
  const texts = [0, 1, 2, 3].map((shift) => {
    const points = Array.from({ length: 1600 }, (_, at) => {
      const point = planes[(at * 7 + shift) % planes.length]! + (at % 5 === 0 ? at % 64 : 0);
      return String.fromCodePoint(Math.min(point, 0x10ffff));
    });
    return points.join("").slice(0, 1600).toWellFormed();
  });
  const liaison = await person("saps_liaison");
  const { TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_WEBHOOK_URL } = supabase.env;
  for (const text of [...texts, "\ufeff", " \n\t ", "\0".repeat(1600)]) {
    // by hand: the pretend Twilio is told messages in a form, which takes a carriage return for a line's end
    const params = webhook(newSender(), MUNICIPALITIES.mbombela.gbvNumber, {
      Body: text,
      AccountSid: TWILIO_ACCOUNT_SID!,
    });
    const signature = twilioSignature(TWILIO_AUTH_TOKEN!, TWILIO_WEBHOOK_URL!, params);
    assertEquals((await post(params, signature)).status, 200);
    const { body } = await call("open-report", {
      token: liaison.token,
      body: { message_sids: [params.get("MessageSid")] },
    });
    assertEquals(body.messages.map((message: OpenedMessage) => message.text), [text]);
  }
});
