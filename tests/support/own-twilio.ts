/** twilio-media in this process, beside a pretend Twilio of its own: for settings that the running stack does not have. */
import { twilioMedia } from "../../functions/twilio-media/index.ts";
import { startTwilio, type TwilioClient, twilioClient } from "../../local/twilio.ts";
import { captureConsole, functionEnvironment } from "./handlers.ts";

/** A request that the function makes, and perhaps an answer in place of the real one. */
export type OnFetch = (request: Request) => Response | undefined | void;

export interface OwnTwilio {
  twilio: TwilioClient;
  /** Waits until all that the function left to EdgeRuntime.waitUntil is done. */
  finished(): Promise<void>;
}

export interface OwnSettings {
  env?: Record<string, string | undefined>;
  apiKey?: { sid: string; secret: string };
  onFetch?: OnFetch;
}

/** Starts both, lends them, stops them; what the function logs is swallowed. */
export async function withOwnTwilio(
  { env = {}, apiKey, onFetch }: OwnSettings,
  use: (own: OwnTwilio) => Promise<void>,
): Promise<void> {
  let handler = (_request: Request): Promise<Response> => Promise.reject(new Error("not yet"));
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => handler(request));
  const webhookUrl = `http://127.0.0.1:${server.addr.port}/`;
  const account = {
    accountSid: Deno.env.get("TWILIO_ACCOUNT_SID")!,
    authToken: Deno.env.get("TWILIO_AUTH_TOKEN")!,
  };
  const pretend = await startTwilio({ ...account, webhookUrl, apiKey });
  handler = twilioMedia(functionEnvironment({ TWILIO_WEBHOOK_URL: webhookUrl, ...env }));

  const background: Promise<unknown>[] = [];
  const realFetch = globalThis.fetch;
  Object.assign(globalThis, {
    EdgeRuntime: { waitUntil: (promise: Promise<unknown>) => (background.push(promise), promise) },
  });
  globalThis.fetch = (input, init) => throughPretendNetwork(new Request(input, init));

  async function throughPretendNetwork(request: Request): Promise<Response> {
    const instead = onFetch?.(request);
    if (instead) {
      await request.body?.cancel();
      return instead;
    }
    const url = new URL(request.url);
    if (url.hostname !== "api.twilio.com" && !url.hostname.endsWith(".twiliocdn.com")) {
      return await realFetch(request);
    }
    const headers = new Headers(request.headers);
    headers.set("x-pretend-host", url.host);
    return await realFetch(new URL(url.pathname + url.search, pretend.url), {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
      signal: request.signal,
    });
  }

  const finished = async () => void await Promise.all(background.splice(0));
  try {
    await captureConsole(async () => {
      await use({ twilio: twilioClient(pretend.url), finished });
      await finished();
    });
  } finally {
    globalThis.fetch = realFetch;
    Reflect.deleteProperty(globalThis, "EdgeRuntime");
    await pretend.stop();
    await server.shutdown();
  }
}
