import { Buffer } from "node:buffer";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { apiError, mediaBody, page } from "./twilio-answers.ts";
import type { Faults, KeptMedium, LogEntry, MessageOptions, SentMessage } from "./twilio-client.ts";
import { newSid, twilioSignature, webhookParams } from "./twilio-webhook.ts";

export * from "./twilio-client.ts";
export { twilioSignature };

export interface TwilioOptions {
  accountSid: string;
  authToken: string;
  /** Where incoming messages are posted, byte for byte as the function is configured with it. */
  webhookUrl: string;
  apiKey?: { sid: string; secret: string };
  hostname?: "127.0.0.1";
  /** 0, the default, takes a free one. */
  port?: number;
  /** How long CDN links work; Twilio's are good for four hours. */
  linkSeconds?: number;
  redirectStatus?: 302 | 307;
}

export interface PretendTwilio {
  /** Control API, and where fetches of Twilio's hosts are sent with `x-pretend-host`. */
  url: string;
  stop(): Promise<void>;
}

const CDN = "media.twiliocdn.com";
/** Where media of MMS lie. */
const S3 = "s3-external-1.amazonaws.com";
const WEBHOOK_SECONDS = 15; // Twilio waits no longer

interface Medium {
  sid: string;
  messageSid: string;
  /** The part of its CDN path that cannot be guessed. */
  hash: string;
  bytes: Uint8Array;
  contentType: string;
  faults: Faults;
  /** How often api.twilio.com was asked for it. */
  asked: number;
}

interface Message {
  sid: string;
  from: string;
  to: string;
  body: string;
  sentAt: Date;
  media: { sid: string; url: string }[];
  webhook: { url: string; headers: Record<string, string>; body: string };
}

/** A pretend Twilio: sends signed webhooks and serves media the way api.twilio.com and its CDN do. */
export async function startTwilio(options: TwilioOptions): Promise<PretendTwilio> {
  const stopping = new AbortController();
  const twilio = new Twilio(options, stopping.signal);
  const listening = Promise.withResolvers<Deno.NetAddr>();
  const server = Deno.serve({
    hostname: options.hostname ?? "127.0.0.1",
    port: options.port ?? 0,
    signal: stopping.signal,
    onListen: listening.resolve,
  }, (request) => twilio.answer(request));
  const { hostname, port } = await listening.promise;
  return {
    url: `http://${hostname}:${port}`,
    stop: () => {
      stopping.abort();
      return server.finished;
    },
  };
}

class Twilio {
  #options: TwilioOptions;
  #stopped: AbortSignal;
  #messages = new Map<string, Message>();
  #media = new Map<string, Medium>();
  #log: LogEntry[] = [];
  #linkKey = randomBytes(32);

  constructor(options: TwilioOptions, stopped: AbortSignal) {
    this.#options = options;
    this.#stopped = stopped;
  }

  async answer(request: Request): Promise<Response> {
    // an operator's command asks this address itself (`--twilio-url`)
    const isApiPath = new URL(request.url).pathname.startsWith("/2010-04-01/");
    const host = request.headers.get("x-pretend-host") ?? (isApiPath ? "api.twilio.com" : null);
    const url = new URL(request.url);
    if (!host) return await this.#control(request, url);
    const cdn = host.endsWith(".twiliocdn.com") || host === S3;
    const api = /^api(\.[a-z-]+\.[a-z]{2}\d)?\.twilio\.com$/.test(host);
    const credentials = request.headers.has("authorization");
    const entry: LogEntry = {
      host,
      method: request.method,
      path: url.pathname,
      credentials,
      status: 0,
      leak: credentials && !api,
    };
    this.#log.push(entry); // before the answer, so that a hanging request is seen too
    const response = cdn
      ? await this.#cdn(request, url)
      : api
      ? this.#api(request, url)
      : new Response(`${host} is none of Twilio's hosts`, { status: 421 });
    entry.status = response.status;
    return response;
  }

  // Its API

  #api(request: Request, url: URL): Response {
    if (!this.#authorized(request)) return apiError(401, 20003, "Authenticate");
    const notFound = apiError(404, 20404, `The requested resource ${url.pathname} was not found`);
    const match = /^\/2010-04-01\/Accounts\/([^/]+)\/Messages(?:\/([^/]+)\/Media(?:\/([^/]+?))?)?(\.json)?$/
      .exec(url.pathname);
    if (!match) return notFound;
    const [, accountSid, messageSid, mediaSid, json] = match;
    if (accountSid !== this.#options.accountSid) return apiError(401, 20003, "Authenticate");
    if (!messageSid) return this.#listMessages(url);
    if (!mediaSid) return this.#messages.has(messageSid) ? this.#listMedia(url, messageSid) : notFound;
    const medium = this.#media.get(mediaSid);
    if (!medium || medium.messageSid !== messageSid) return notFound;
    if (request.method === "DELETE") {
      this.#media.delete(mediaSid);
      return new Response(null, { status: 204 });
    }
    if (request.method !== "GET") return apiError(405, 20004, "Method not allowed");
    if (json) return Response.json(this.#mediaResource(medium));
    medium.asked++;
    if (medium.asked <= (medium.faults.not_found_first ?? 0)) return notFound;
    return this.#redirectToCdn(medium);
  }

  #redirectToCdn(medium: Medium): Response {
    const faults = activeFaults(medium);
    if (faults.status) return apiError(faults.status, 20500, "Pretended failure");
    const location = faults.redirect_to ?? this.#cdnUrl(medium, faults.link_seconds);
    return new Response(null, { status: this.#options.redirectStatus ?? 307, headers: { location } });
  }

  #authorized(request: Request): boolean {
    const { accountSid, authToken, apiKey } = this.#options;
    const accepted = [[accountSid, authToken], ...(apiKey ? [[apiKey.sid, apiKey.secret]] : [])];
    const given = request.headers.get("authorization");
    return accepted.some((pair) => given === "Basic " + Buffer.from(pair.join(":")).toString("base64"));
  }

  /** Filters as Twilio's: To, From, DateSent (a day), DateSent>= and DateSent<= (a day or an instant). */
  #listMessages(url: URL): Response {
    const query = url.searchParams;
    const [to, from, day] = [query.get("To"), query.get("From"), query.get("DateSent")];
    const since = query.get("DateSent>");
    const until = query.get("DateSent<");
    const found = [...this.#messages.values()].reverse().filter((message) => {
      const sent = message.sentAt.toISOString();
      return (!to || message.to === to) && (!from || message.from === from) &&
        (!day || sent.startsWith(day)) && (!since || sent.slice(0, since.length) >= since) &&
        (!until || sent.slice(0, until.length) <= until);
    });
    const resources = found.map((message) => ({
      sid: message.sid,
      account_sid: this.#options.accountSid,
      from: message.from,
      to: message.to,
      body: message.body,
      num_media: String(message.media.length),
      direction: "inbound",
      status: "received",
      date_sent: message.sentAt.toUTCString(),
      api_version: "2010-04-01",
      subresource_uris: { media: `${this.#messagePath(message.sid)}/Media.json` },
    }));
    return page(url, "messages", resources);
  }

  #listMedia(url: URL, messageSid: string): Response {
    const kept = [...this.#media.values()].filter((medium) => medium.messageSid === messageSid);
    return page(url, "media_list", kept.map((medium) => this.#mediaResource(medium)));
  }

  #mediaResource(medium: Medium) {
    return {
      sid: medium.sid,
      account_sid: this.#options.accountSid,
      parent_sid: medium.messageSid,
      content_type: medium.contentType,
      uri: `${this.#messagePath(medium.messageSid)}/Media/${medium.sid}.json`,
    };
  }

  #messagePath(messageSid: string): string {
    return `/2010-04-01/Accounts/${this.#options.accountSid}/Messages/${messageSid}`;
  }

  // The CDN

  #cdnUrl(medium: Medium, seconds = this.#options.linkSeconds ?? 4 * 3600): string {
    const whatsapp = this.#messages.get(medium.messageSid)?.from.startsWith("whatsapp:") ?? true;
    const path = `${whatsapp ? "" : `/${CDN}`}/${this.#options.accountSid}/${medium.hash}`;
    const expires = String(Math.floor(Date.now() / 1000) + seconds);
    const query = new URLSearchParams({
      Expires: expires,
      Signature: this.#linkSignature(path, expires),
      "Key-Pair-Id": "PRETEND",
    });
    return `https://${whatsapp ? CDN : S3}${path}?${query}`;
  }

  #linkSignature(path: string, expires: string): string {
    return createHmac("sha256", this.#linkKey).update(`${path} ${expires}`).digest("base64url");
  }

  async #cdn(request: Request, url: URL): Promise<Response> {
    if (request.headers.has("authorization")) {
      return new Response("Only one auth mechanism allowed", { status: 400 });
    }
    const expires = url.searchParams.get("Expires") ?? "";
    const genuine = url.searchParams.get("Signature") === this.#linkSignature(url.pathname, expires);
    if (!genuine || Number(expires) * 1000 <= Date.now()) {
      return new Response("Access denied", { status: 403 });
    }
    const medium = [...this.#media.values()].find(({ hash }) => url.pathname.endsWith(`/${hash}`));
    if (!medium) return new Response("Not found", { status: 404 });
    const faults = activeFaults(medium);
    if (faults.hang_ms) await this.#wait(faults.hang_ms);
    if (faults.cdn_status) return new Response("Pretended failure", { status: faults.cdn_status });
    if (faults.redirect_loop) {
      return new Response(null, {
        status: 302,
        headers: { location: `https://${CDN}${url.pathname}${url.search}` },
      });
    }
    const headers: Record<string, string> = { "content-type": faults.content_type ?? medium.contentType };
    if (faults.oversize === undefined) headers["content-length"] = String(medium.bytes.length);
    return new Response(mediaBody(medium.bytes, faults, (ms) => this.#wait(ms)), { headers });
  }

  /** Ends early when the server stops. */
  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopped }).catch(() => {});
  }

  // Control

  async #control(request: Request, url: URL): Promise<Response> {
    const replayed = /^\/control\/messages\/([^/]+)\/replay$/.exec(url.pathname)?.[1];
    try {
      if (replayed && request.method === "POST") {
        const message = this.#messages.get(replayed);
        return message
          ? Response.json(await this.#deliver(message))
          : Response.json({ error: `no message ${replayed}` }, { status: 404 });
      }
      switch (`${request.method} ${url.pathname}`) {
        case "POST /control/messages":
          return Response.json(await this.#receive(await request.formData()));
        case "GET /control/log":
          return Response.json(this.#log);
        case "GET /control/media":
          return Response.json([...this.#media.values()].map((medium) => this.#kept(medium)));
        case "POST /control/reset":
          this.#messages.clear();
          this.#media.clear();
          this.#log = [];
          return Response.json({});
      }
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 400 });
    }
    return Response.json({ error: `no ${request.method} ${url.pathname} here` }, { status: 404 });
  }

  #kept(medium: Medium): KeptMedium {
    return {
      sid: medium.sid,
      message_sid: medium.messageSid,
      url: this.#mediaUrl(medium),
      content_type: medium.contentType,
      size: medium.bytes.length,
    };
  }

  #mediaUrl(medium: Medium, host = "api.twilio.com"): string {
    return `https://${host}${this.#messagePath(medium.messageSid)}/Media/${medium.sid}`;
  }

  /** A message arrives from a phone: keep it and its media, tell the webhook. */
  async #receive(form: FormData): Promise<SentMessage> {
    const text = (name: string) => form.get(name)?.toString();
    const [from, to, body = ""] = [text("from"), text("to"), text("body")];
    if (!from || !to) throw new Error("from and to are needed");
    const options: MessageOptions = JSON.parse(text("options") ?? "{}");
    const files = [...form.values()].filter((value) => value instanceof File);
    const sid = options.message_sid ?? newSid(files.length ? "MM" : "SM");

    const media = await Promise.all(files.map(async (file, index): Promise<Medium> => ({
      sid: newSid("ME"),
      messageSid: sid,
      hash: randomBytes(20).toString("hex"),
      bytes: await file.bytes(),
      contentType: file.type || "application/octet-stream",
      faults: { ...options.faults, ...options.media_faults?.[index] },
      asked: 0,
    })));
    const links = media.map((medium) => ({
      sid: medium.sid,
      url: this.#mediaUrl(medium, options.media_url_host),
    }));

    const params = webhookParams({
      accountSid: this.#options.accountSid,
      messageSid: sid,
      from,
      to,
      body,
      profileName: text("profile_name") ?? "Citizen",
      messagingServiceSid: options.messaging_service_sid,
      media: media.map(({ contentType }, index) => ({ contentType, url: links[index]!.url })),
    });
    if (options.num_media !== undefined) params.set("NumMedia", options.num_media);
    for (const [name, value] of Object.entries(JSON.parse(text("params") ?? "{}"))) {
      params.delete(name);
      for (const item of [value ?? []].flat()) params.append(name, String(item));
    }

    for (const medium of media) this.#media.set(medium.sid, medium);
    const webhook = this.#webhook(options, params, text("ticket_id"));
    const message: Message = { sid, from, to, body, sentAt: new Date(), media: links, webhook };
    this.#messages.set(sid, message);
    if (options.deliver === false) return { message_sid: sid, media: links, status: 0, body: "", ms: 0 };
    return await this.#deliver(message);
  }

  #webhook(
    options: MessageOptions,
    params: URLSearchParams,
    ticketId: string | undefined,
  ): Message["webhook"] {
    // Joined as text: the URL class would change characters, and the signature covers every byte.
    const withTicket = (url: string) =>
      ticketId === undefined
        ? url
        : `${url}${url.includes("?") ? "&" : "?"}ticket_id=${encodeURIComponent(ticketId)}`;
    const url = withTicket(options.webhook_url ?? this.#options.webhookUrl);
    const signedUrl = options.signed_url ? withTicket(options.signed_url) : url;
    const headers: Record<string, string> = {
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      "user-agent": "TwilioProxy/1.1",
      accept: "*/*",
      "i-twilio-idempotency-token": randomUUID(),
    };
    if (options.signature !== "missing") {
      const token = options.signature === "wrong" ? "not the auth token" : this.#options.authToken;
      headers["x-twilio-signature"] = twilioSignature(token, signedUrl, params);
    }
    return { url, headers, body: params.toString() };
  }

  async #deliver({ sid, media, webhook }: Message): Promise<SentMessage> {
    const started = performance.now();
    const answer = await fetch(webhook.url, {
      method: "POST",
      headers: webhook.headers,
      body: webhook.body,
      redirect: "manual",
      signal: AbortSignal.any([this.#stopped, AbortSignal.timeout(WEBHOOK_SECONDS * 1000)]),
    }).then(
      async (response) => ({ status: response.status, body: await response.text() }),
    ).catch((error) => ({ status: 0, body: String(error.cause ?? error) }));
    return { message_sid: sid, media, ...answer, ms: Math.round(performance.now() - started) };
  }
}

/** The faults that strike the current download. */
function activeFaults({ faults, asked }: Medium): Faults {
  const downloads = asked - (faults.not_found_first ?? 0);
  return downloads <= (faults.times ?? Infinity) ? faults : {};
}
