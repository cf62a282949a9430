/** Downloads an attachment. Credentials go to Twilio's API only; redirects are followed by hand, to hosts where Twilio keeps media. */
import { encodeBase64 } from "deno-std/encoding/base64.js";
import { retry, RetryError } from "deno-std/async/retry.js";
import { TwilioError } from "../platform/errors.ts";
import { optional, required, type Variables } from "../platform/settings.ts";

/** `api.twilio.com`; of another region `api.{edge}.{region}.twilio.com`, before 2026 without the edge (twilio.com/docs/global-infrastructure). */
const API_HOST = /^api\.(?:(?:[a-z]+(?:-[a-z]+)*\.)?[a-z]{2}\d\.)?twilio\.com$/;
/** WhatsApp attachments are on Twilio's CDN, those of MMS also on S3. No credentials go there. */
const STORE_HOST = /^(?:(?:[a-z0-9-]+\.)+twiliocdn\.com|s3-external-1\.amazonaws\.com)$/;
const MEDIA_PATH = /^\/2010-04-01\/Accounts\/[A-Za-z0-9]+\/Messages\/[A-Za-z0-9]+\/Media\/[A-Za-z0-9]+$/;
const MAX_REDIRECTS = 5;
/** Milliseconds for an answer and its whole body: one that stalls must not hold up the next. */
const TIMEOUT_MS = 60_000;
/** Just after the webhook an attachment may answer 404 for a second or two: five tries over some 4 s. */
const NOT_FOUND_YET = { maxAttempts: 5, minTimeout: 250, maxTimeout: 2_000, jitter: 0.2 };

/** Basic authentication at Twilio's API: an API key where there is one, else the account. */
export interface Credentials {
  user: string;
  password: string;
}

export function credentialsFrom(variables: Variables): Credentials {
  const user = optional(variables, "TWILIO_API_KEY_SID");
  return user ? { user, password: required(variables, "TWILIO_API_KEY_SECRET") } : {
    user: required(variables, "TWILIO_ACCOUNT_SID"),
    password: required(variables, "TWILIO_AUTH_TOKEN"),
  };
}

/** Whether the host, with its port, is Twilio's API in any region. */
export function isApiHost(host: string): boolean {
  return API_HOST.test(host);
}

/** Whether the URL is an attachment's on Twilio's API. */
export function isMediaUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && isApiHost(url.host) && MEDIA_PATH.test(url.pathname) &&
    url.href === `https://${url.host}${url.pathname}`;
}

/**
 * The medium's answer with its body unread. Throws TwilioError: `media_not_found` (404 to the end),
 * `media_refused` (credentials, another host, too many redirects), `media_unavailable` (Twilio's failure or ours to
 * reach it).
 */
export async function fetchMedium(url: string, credentials: Credentials): Promise<Response> {
  try {
    return await retry(() => follow(url, credentials), {
      ...NOT_FOUND_YET,
      isRetriable: (error: unknown) => error instanceof TwilioError && error.reason === "media_not_found",
    });
  } catch (error) {
    throw error instanceof RetryError ? error.cause : error;
  }
}

/** Removes Twilio's copy. Throws TwilioError where it could not. */
export async function deleteMedium(url: string, credentials: Credentials): Promise<void> {
  const response = await request(new URL(`${url}.json`), credentials, "DELETE");
  await response.body?.cancel();
  if (!response.ok && response.status !== 404) throw failure(response.status);
}

async function follow(mediaUrl: string, credentials: Credentials): Promise<Response> {
  let url = new URL(mediaUrl);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(url, credentials, "GET");
    if (response.status === 200 && response.body) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || !location) throw failure(response.status);
    const next = URL.parse(location, url);
    if (!next) throw refused("redirect to no URL");
    url = next;
  }
  throw refused("too many redirects");
}

async function request(url: URL, credentials: Credentials, method: string): Promise<Response> {
  const isApi = isApiHost(url.host);
  if (url.protocol !== "https:" || !(isApi || STORE_HOST.test(url.host))) throw refused("host not allowed");
  // a compressed body would not have the length it announces
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (isApi) headers.authorization = `Basic ${encodeBase64(`${credentials.user}:${credentials.password}`)}`;
  try {
    return await fetch(url, { method, headers, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new TwilioError("storage_unavailable", "Twilio did not answer.", "media_unavailable", {
      cause,
    });
  }
}

function failure(status: number): TwilioError {
  const log = `twilio ${status}`;
  if (status === 404) {
    return new TwilioError("not_found", "Twilio does not have this medium.", "media_not_found", {
      log,
    });
  }
  if (status === 401 || status === 403) return refused(log);
  return new TwilioError(
    "storage_unavailable",
    "Twilio did not give the medium.",
    "media_unavailable",
    { log },
  );
}

function refused(log: string): TwilioError {
  return new TwilioError("storage_unavailable", "Twilio did not give the medium.", "media_refused", {
    log,
  });
}
