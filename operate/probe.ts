/** Asks the functions of a live project from outside, in ways that leave no trace in its tables. */
import { encodeBase64 } from "deno-std/encoding/base64.js";
import { authHeaders } from "../shared/platform/project.ts";
import { signedText } from "../shared/twilio/signature.ts";

/** What the probes need. Without one of the last three, the signed webhook is reported as not tried. */
export interface ProbedProject {
  url: string;
  /** `sb_secret_…`, or the legacy service role's token. */
  secretKey: string;
  /** TWILIO_WEBHOOK_URL as the functions have it. */
  webhookUrl?: string;
  twilioAccountSid?: string;
  twilioAuthToken?: string;
  /** The media worker is asked without a key, and so does not begin to work. */
  readOnly?: boolean;
}

/** One finding. `found` is a status and a code, never content; `todo` says what to do where `ok` is false. */
export interface Probe {
  name: string;
  ok: boolean;
  found: string;
  todo?: string;
}

/** Milliseconds. An isolate starts within a few seconds. */
const TIMEOUT = 30_000;

/** No row of whatsapp_numbers can hold it (its check allows no brackets), so a message to it belongs to nobody. */
const NOBODYS_NUMBER = "whatsapp:(probe)";

interface Answer {
  status: number;
  /** Of our own error shape: the function itself answered. */
  code?: string;
}

/** Asks every function, all at once. Never throws: a function that does not answer is a finding. */
export async function probeFunctions(project: ProbedProject): Promise<Probe[]> {
  const url = project.url.replace(/\/+$/, "");
  const key = authHeaders({ url, key: project.secretKey });
  const { webhookUrl, twilioAccountSid, twilioAuthToken } = project;
  const functionUrl = (name: string) => `${url}/functions/v1/${name}`;

  const forPeople = ["upload-url", "signed-url", "open-report"].map((name) =>
    probe(
      `${name} without a token`,
      "401 unauthorized",
      post(functionUrl(name), {}),
      ({ status, code }) => status === 401 && code === "unauthorized",
    )
  );

  const message = testMessage(twilioAccountSid ?? "");
  const webhook = (signature: string) =>
    post(webhookUrl ?? functionUrl("twilio-media"), { "x-twilio-signature": signature }, message);
  const unsigned = probe(
    "twilio-media with a wrong signature",
    "403 invalid_signature",
    webhook(btoa("x".repeat(20))),
    ({ status, code }) => status === 403 && code === "invalid_signature",
  );
  const signed = webhookUrl && twilioAccountSid && twilioAuthToken
    ? probe(
      "twilio-media with a signed test message to nobody's number",
      "404 not_found",
      sign(twilioAuthToken, webhookUrl, message).then(webhook),
      ({ status, code }) => status === 404 && code === "not_found",
    )
    : Promise.resolve({
      name: "twilio-media with a signed test message to nobody's number",
      ok: false,
      found: "not tried",
      todo: "Set TWILIO_WEBHOOK_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, as the functions have them.",
    });

  const worker = project.readOnly
    ? probe(
      "media-worker without a key",
      "401 unauthorized",
      post(functionUrl("media-worker"), {}),
      ({ status, code }) => status === 401 && code === "unauthorized",
    )
    : probe(
      "media-worker with the secret key",
      "202",
      post(functionUrl("media-worker"), key),
      ({ status }) => status === 202,
    );
  return await Promise.all([...forPeople, unsigned, signed, worker]);
}

async function probe(
  name: string,
  expected: string,
  answer: Promise<Answer>,
  isRight: (answer: Answer) => boolean,
): Promise<Probe> {
  try {
    const got = await answer;
    const found = [got.status, got.code].filter((part) => part !== undefined).join(" ");
    if (isRight(got)) return { name, ok: true, found };
    return {
      name,
      ok: false,
      found: `${found} instead of ${expected}`,
      todo: advice(name.split(" ")[0]!, got),
    };
  } catch (error) {
    const why = (error as Error).name === "TimeoutError" ? "no answer in time" : "no connection";
    return {
      name,
      ok: false,
      found: why,
      todo: "Is the URL the project's, and is the project running (Dashboard → Project overview)?",
    };
  }
}

async function post(
  url: string,
  headers: Record<string, string>,
  body?: URLSearchParams,
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: body ? headers : { "content-type": "application/json", ...headers },
    body: body ?? "{}",
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const text = await response.text();
  try {
    const code = JSON.parse(text).error?.code;
    return { status: response.status, code: typeof code === "string" ? code : undefined };
  } catch {
    return { status: response.status };
  }
}

/** As Twilio would send it; nobody's number makes it end before anything is written. */
function testMessage(accountSid: string): URLSearchParams {
  return new URLSearchParams({
    MessageSid: `SM${"0".repeat(32)}`,
    AccountSid: accountSid,
    From: NOBODYS_NUMBER,
    To: NOBODYS_NUMBER,
    Body: "",
    NumMedia: "0",
  });
}

/** X-Twilio-Signature. */
async function sign(authToken: string, url: string, params: URLSearchParams): Promise<string> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey(
    "raw",
    encode(authToken),
    { name: "HMAC", hash: "SHA-1" },
    false,
    [
      "sign",
    ],
  );
  return encodeBase64(await crypto.subtle.sign("HMAC", key, encode(signedText(url, params))));
}

/** What to do about an answer that is not the right one. */
function advice(name: string, { status, code }: Answer): string {
  if (code === undefined) {
    if (status === 404) return `${name} is not deployed there: npm run deploy.`;
    if (status === 401) {
      const whom = name === "twilio-media" ? ", and will refuse Twilio" : "";
      return `The gateway refused${whom}: verify_jwt is on, but supabase/config.toml has it off. Deploy from this repository.`;
    }
    if (status >= 300 && status < 400) {
      return "The URL redirects, which Twilio and clients do not follow: correct it.";
    }
    if (status === 200) return `Something other than ${name} answers there: check the URL.`;
    return `${name} did not start, or the gateway could not reach it: Dashboard → Edge Functions → ${name} → Logs.`;
  }
  switch (code) {
    case "not_configured":
      return `A secret is missing or malformed; the log of ${name} names it. Put it into .env.production, then npm run deploy.`;
    case "storage_not_configured":
      return `Supabase's own variables are missing from ${name}, or our buckets are: npm run deploy applies the migrations.`;
    case "invalid_signature":
      return "TWILIO_AUTH_TOKEN or TWILIO_WEBHOOK_URL differs from that of the functions: set both again.";
    case "forbidden":
      return "TWILIO_ACCOUNT_SID differs from that of the functions: set it again.";
    case "unauthorized":
      return "The secret key does not belong to this project: Dashboard → Project Settings → API keys.";
    case "internal":
      return `The database refused or did not answer: were all migrations applied? See the log of ${name}.`;
    default:
      return `Another version of ${name} may be deployed: npm run deploy. See its log.`;
  }
}
