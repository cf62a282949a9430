/** What goes over the pretend Twilio's control API. Names are those of the JSON itself. */

/** What goes wrong with a medium. Without `times`, it goes wrong every time. */
export interface Faults {
  /** api.twilio.com answers 404 so many times first, as just after a webhook. */
  not_found_first?: number;
  /** The other faults strike only the first so many downloads; after that all is well. */
  times?: number;
  /** api.twilio.com answers this status. */
  status?: number;
  /** The CDN answers this status. */
  cdn_status?: number;
  /** The CDN waits this long before it answers. */
  hang_ms?: number;
  /** The CDN waits this long in the middle of the body. */
  stall_ms?: number;
  /** The CDN sends only so many bytes though Content-Length promises all, then drops the connection. */
  truncate?: number;
  /** The CDN gives no Content-Length and sends so many bytes more than there are. */
  oversize?: number;
  /** Content-Type at the CDN, where the webhook declared another. */
  content_type?: string;
  /** api.twilio.com redirects to this URL instead of the CDN. */
  redirect_to?: string;
  /** The CDN redirects to itself for ever. */
  redirect_loop?: boolean;
  /** Lifetime of the CDN link in seconds; negative for one that has expired already. */
  link_seconds?: number;
}

export interface MessageOptions {
  message_sid?: string;
  messaging_service_sid?: string;
  /** Posted here instead of the configured webhook URL. */
  webhook_url?: string;
  /** The signature covers this URL instead of the one posted to. */
  signed_url?: string;
  signature?: "missing" | "wrong";
  /** Host of the webhook's MediaUrl{N} in place of api.twilio.com. */
  media_url_host?: string;
  /** NumMedia, whatever the number of files. */
  num_media?: string;
  /** `false`: Twilio has the message, the webhook is never sent. */
  deliver?: boolean;
  /** For every medium of the message … */
  faults?: Faults;
  /** … and by index, on top of those. */
  media_faults?: (Faults | null)[];
}

export interface MediaFile {
  name?: string;
  /** The content type the webhook declares. */
  type: string;
  bytes: BlobPart;
}

export interface OutgoingMessage {
  /** `whatsapp:+27…` for WhatsApp, `+27…` for SMS and MMS. */
  from: string;
  to: string;
  body?: string;
  profile_name?: string;
  /** Added to the webhook URL as `?ticket_id=`. */
  ticket_id?: string;
  files?: MediaFile[];
  /** Further or other webhook parameters; null leaves one out. */
  params?: Record<string, string | string[] | null>;
  options?: MessageOptions;
}

export interface SentMessage {
  message_sid: string;
  media: { sid: string; url: string }[];
  /** The webhook's answer; 0 when there was none (`body` says why) or the message was not delivered. */
  status: number;
  body: string;
  ms: number;
}

/** One request that reached a pretend host. */
export interface LogEntry {
  host: string;
  method: string;
  path: string;
  /** Whether it carried an Authorization header. */
  credentials: boolean;
  status: number;
  /** Credentials reached a host that must not see them. */
  leak: boolean;
}

/** A medium that Twilio still keeps. */
export interface KeptMedium {
  sid: string;
  message_sid: string;
  url: string;
  content_type: string;
  size: number;
}

export interface TwilioClient {
  sendMessage(message: OutgoingMessage): Promise<SentMessage>;
  /** Sends the very same webhook again: parameters, signature, idempotency token. */
  replay(messageSid: string): Promise<SentMessage>;
  log(): Promise<LogEntry[]>;
  media(): Promise<KeptMedium[]>;
  /** Forgets messages, media and log. */
  reset(): Promise<void>;
}

/** Drives a pretend Twilio, in this process or another, through its URL (`PRETEND_TWILIO_URL`). */
export function twilioClient(baseUrl: string): TwilioClient {
  const call = async (method: string, path: string, body?: FormData) => {
    const response = await fetch(new URL(path, baseUrl), { method, body });
    const answer = await response.json();
    if (!response.ok) throw new Error(`pretend Twilio, ${method} ${path}: ${answer.error}`);
    return answer;
  };
  return {
    sendMessage: (message) => call("POST", "/control/messages", toForm(message)),
    replay: (messageSid) => call("POST", `/control/messages/${messageSid}/replay`),
    log: () => call("GET", "/control/log"),
    media: () => call("GET", "/control/media"),
    reset: async () => void await call("POST", "/control/reset"),
  };
}

function toForm(message: OutgoingMessage): FormData {
  const form = new FormData();
  for (const name of ["from", "to", "body", "profile_name", "ticket_id"] as const) {
    if (message[name] !== undefined) form.set(name, message[name]);
  }
  if (message.params) form.set("params", JSON.stringify(message.params));
  if (message.options) form.set("options", JSON.stringify(message.options));
  for (const [index, file] of (message.files ?? []).entries()) {
    form.append("file", new Blob([file.bytes], { type: file.type }), file.name ?? `file${index}`);
  }
  return form;
}
