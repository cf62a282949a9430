// A secret that is missing or of no use: 503, its name in the log and not in the answer, and nothing done.
import { signedUrl } from "../../functions/signed-url/index.ts";
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { uploadUrl } from "../../functions/upload-url/index.ts";
import type { Variables } from "../../shared/platform/settings.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { serviceFile } from "../support/files.ts";
import {
  type Answer,
  assertRefused,
  callHandler,
  type Code,
  storesNothing,
  uploadRequest,
} from "../support/functions.ts";
import { captureConsole, functionEnvironment } from "../support/handlers.ts";
import { MUNICIPALITIES, person } from "../support/stack.ts";
import { newSender, signatureOf, webhook, webhookHeaders } from "../support/whatsapp.ts";

/** Calls each function as somebody who would be served. */
const SERVE: Record<string, (environment: Variables) => Promise<Answer>> = {
  "upload-url": async (environment) =>
    await callHandler(uploadUrl(environment), {
      token: (await person("admin")).token,
      body: uploadRequest(),
    }),
  "signed-url": async (environment) =>
    await callHandler(signedUrl(environment), {
      token: (await person("admin")).token,
      body: { file_id: (await gbvFile()).fileId },
    }),
  "twilio-media": async (environment) => {
    const params = webhook(newSender(), MUNICIPALITIES.mbombela.number);
    return await callHandler(twilioMedia(environment), {
      body: params.toString(),
      headers: webhookHeaders(signatureOf(params)),
    });
  },
};

let file: ReturnType<typeof serviceFile> | undefined;
const gbvFile = () => file ??= serviceFile("gbv-evidence", "mbombela");

const STORAGE = "storage_not_configured";
const OURS = "not_configured";

/** For each function each variable it cannot do without, the code, and values that are as good as none. */
const NEEDED: Record<string, [name: string, code: Code, ...useless: string[]][]> = {
  "upload-url": [
    ["SUPABASE_URL", STORAGE],
    ["SUPABASE_PUBLISHABLE_KEYS", STORAGE, "sb_publishable_x", "{}", '{"default":""}', '{"default":7}'],
    ["SUPABASE_JWKS", OURS, "no JSON", "{}"],
    ["PUBLIC_SUPABASE_URL", OURS],
    ["ALLOWED_ORIGINS", OURS],
  ],
  "signed-url": [
    ["SUPABASE_URL", STORAGE],
    ["SUPABASE_PUBLISHABLE_KEYS", STORAGE, "sb_publishable_x", "{}"],
    ["SUPABASE_SECRET_KEYS", STORAGE, "sb_secret_x", "{}", '{"default":""}'],
    ["SUPABASE_JWKS", OURS, "no JSON", "{}"],
    ["PUBLIC_SUPABASE_URL", OURS],
    ["ALLOWED_ORIGINS", OURS],
  ],
  "twilio-media": [
    ["SUPABASE_URL", STORAGE],
    ["SUPABASE_SECRET_KEYS", STORAGE, "sb_secret_x", "{}"],
    ["TWILIO_ACCOUNT_SID", OURS],
    ["TWILIO_AUTH_TOKEN", OURS],
    ["TWILIO_WEBHOOK_URL", OURS, "functions/v1/twilio-media"],
    ["ENCRYPTION_KEY_CURRENT", OURS, "short", "%".repeat(44), btoa("x".repeat(33))],
    ["SENDER_HASH_KEY", OURS, "short", "x".repeat(31)],
  ],
};

for (const [name, serve] of Object.entries(SERVE)) {
  Deno.test(`${name} serves with all its variables, in the new form and in the legacy one`, async () => {
    const legacy = {
      SUPABASE_PUBLISHABLE_KEYS: undefined,
      SUPABASE_SECRET_KEYS: undefined,
      SUPABASE_ANON_KEY: Deno.env.get("SUPABASE_ANON_KEY"),
      SUPABASE_SERVICE_ROLE_KEY: Deno.env.get("SUPABASE_SERVICE_ROLE_KEY"),
    };
    await captureConsole(async () => {
      for (const changes of [{}, legacy]) {
        const answer = await serve(functionEnvironment(changes));
        assertEquals(answer.status, 200, answer.text);
      }
    });
  });

  for (const [variable, code, ...useless] of NEEDED[name]!) {
    Deno.test(`${name} without ${variable}: ${code}, named in the log and not to the caller`, async () => {
      await gbvFile();
      await storesNothing(async () => {
        for (const value of [undefined, "", ...useless]) {
          const what = `${variable} = ${value}`;
          let answer: Answer | undefined;
          const logged = await captureConsole(async () =>
            answer = await serve(functionEnvironment({ [variable]: value }))
          );
          assertRefused(answer!, code, what);
          assert(!answer!.text.includes(variable), `${what}: the caller learns the name`);
          assertStringIncludes(logged, variable, what);
          assertStringIncludes(logged, answer!.body.request_id, what);
          if (value) assert(!logged.includes(value) || value === "{}", `${what}: the value is in the log`);
        }
      });
    });
  }
}

Deno.test("twilio-media with an API key's SID and not its secret: not_configured, rather than the auth token", async () => {
  await storesNothing(async () => {
    for (const secret of [undefined, ""]) {
      let answer: Answer | undefined;
      const env = functionEnvironment({ TWILIO_API_KEY_SID: "SK123", TWILIO_API_KEY_SECRET: secret });
      const logged = await captureConsole(async () => answer = await SERVE["twilio-media"]!(env));
      assertRefused(answer!, "not_configured");
      assert(!answer!.text.includes("TWILIO_API_KEY_SECRET"));
      assertStringIncludes(logged, "TWILIO_API_KEY_SECRET");
    }
  });
});

Deno.test("twilio-media with a malformed previous key: not_configured, rather than messages nobody can read later", async () => {
  await storesNothing(async () => {
    let answer: Answer | undefined;
    const env = functionEnvironment({ ENCRYPTION_KEY_PREVIOUS: "short" });
    const logged = await captureConsole(async () => answer = await SERVE["twilio-media"]!(env));
    assertRefused(answer!, "not_configured");
    assertStringIncludes(logged, "ENCRYPTION_KEY");
  });
});

Deno.test("a signature is asked for however little is configured: without one, no variable's lack lets a message in", async () => {
  const params = webhook(newSender(), MUNICIPALITIES.mbombela.number);
  await storesNothing(async () => {
    await captureConsole(async () => {
      for (const changes of [{}, { TWILIO_AUTH_TOKEN: undefined }, { TWILIO_AUTH_TOKEN: "" }]) {
        for (const signature of ["", "AAAA", signatureOf(params).slice(0, -4)]) {
          const answer = await callHandler(twilioMedia(functionEnvironment(changes)), {
            body: params.toString(),
            headers: webhookHeaders(signature),
          });
          assert([403, 503].includes(answer.status), answer.text);
        }
      }
    });
  });
});

Deno.test("a preflight is not answered by a function that knows no origins", async () => {
  await captureConsole(async () => {
    for (const handler of [uploadUrl, signedUrl]) {
      const answer = await callHandler(handler(functionEnvironment({ ALLOWED_ORIGINS: undefined })), {
        method: "OPTIONS",
        headers: { origin: "http://127.0.0.1:5173" },
      });
      assertRefused(answer, "not_configured");
      assertEquals(answer.headers.get("access-control-allow-origin"), null);
    }
  });
});
