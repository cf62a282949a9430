// Compares Twilio's list of incoming messages with ours, and takes in what never reached us (the webhook was down, say):
// npm run reconcile -- [--from 2026-11-20] [--to 2026-11-23T12:00Z] [--apply] [--env-file FILE] [--twilio-url URL]
// Without --apply nothing is changed. Exit status: 0 nothing is missing (any more), 1 something is, 2 it did not work.
import { encodeBase64 } from "deno-std/encoding/base64.js";
import { type IntakeServices, intakeServices, recordMessage } from "../shared/evidence/intake.ts";
import { ServiceError } from "../shared/platform/errors.ts";
import { type Credentials, credentialsFrom, isApiHost } from "../shared/twilio/media.ts";
import { parseMessage } from "../shared/twilio/message.ts";
import {
  connectProject,
  needed,
  operatorEnvironment,
  readOptions,
  runCommand,
  UsageError,
} from "./project.ts";

const USAGE =
  `npm run reconcile -- [--from TIME] [--to TIME] [--apply] [--env-file FILE] [--twilio-url URL]    (TIME like 2026-11-20
or 2026-11-20T06:00Z; the last two days without. Settings from FILE or the environment, else from .env.production)`;
const TWO_DAYS_MS = 48 * 3600 * 1000;

interface TwilioMessage {
  sid: string;
  direction: string;
  from: string;
  to: string;
  body: string | null;
  num_media: string;
  date_sent: string;
}

/** The command. */
async function reconcile(args: string[]): Promise<number> {
  const options = parse(args);
  const environment = operatorEnvironment(options.file);
  const where = "it is among the functions' secrets";
  for (
    const name of ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "ENCRYPTION_KEY_CURRENT", "SENDER_HASH_KEY"]
  ) {
    needed(environment, name, where);
  }
  const services = await intakeServices(environment);
  const accountSid = environment.get("TWILIO_ACCOUNT_SID")!;
  const twilio = new TwilioApi(options.twilioUrl, accountSid, credentialsFrom(environment));
  const { tables } = connectProject(environment);

  const numbers = await tables.from("whatsapp_numbers").select("number");
  if (numbers.error) throw numbers.error;
  const ours = new Set(numbers.data.map(({ number }) => number as string));
  const received = (await twilio.messages(options.from, options.to))
    .filter(({ direction, to }) => direction === "inbound" && ours.has(to.replace(/^[a-z]+:/, "")));
  console.log(
    `${received.length} messages came to our numbers from ${options.from.toISOString()} to ${options.to.toISOString()}`,
  );

  let missing = 0;
  for (let at = 0; at < received.length; at += 100) {
    const batch = received.slice(at, at + 100);
    const known = await tables.from("inbound_messages").select("message_sid").in(
      "message_sid",
      batch.map(({ sid }) => sid),
    );
    if (known.error) throw known.error;
    const have = new Set(known.data.map(({ message_sid }) => message_sid as string));
    for (const message of batch.filter(({ sid }) => !have.has(sid))) {
      // the number it came to, never the one it came from
      console.log(
        `missing: ${message.sid}, ${message.date_sent}, to ${message.to}, ${message.num_media} files`,
      );
      if (!options.apply || !await takeIn(services, twilio, message)) missing++;
    }
    if (received.length > 100) {
      console.log(`${Math.min(at + 100, received.length)} of ${received.length} compared`);
    }
  }
  if (missing === 0) console.log("nothing is missing");
  else if (!options.apply) {
    console.log(`${missing} messages are missing. Take them in: the same command with --apply`);
  } else console.log(`${missing} messages could not be taken in, see above`);
  return missing ? 1 : 0;
}

/** Records a message as its webhook would have; the media worker fetches its media. */
async function takeIn(services: IntakeServices, twilio: TwilioApi, message: TwilioMessage): Promise<boolean> {
  try {
    const params = new URLSearchParams({
      MessageSid: message.sid,
      AccountSid: twilio.accountSid,
      From: message.from,
      To: message.to,
      Body: message.body ?? "",
      NumMedia: message.num_media,
      Reconciled: "true",
    });
    const media = Number(message.num_media) > 0 ? await twilio.media(message.sid) : [];
    media.forEach(({ url, contentType }, index) => {
      params.set(`MediaUrl${index}`, url);
      params.set(`MediaContentType${index}`, contentType);
    });
    const { media: records } = await recordMessage(services, await parseMessage(params), params, null);
    console.log(`  taken in; the media worker fetches its ${records.length} files within minutes`);
    return true;
  } catch (error) {
    console.log(
      `  not taken in: ${error instanceof ServiceError ? `${error.code} ${error.log ?? ""}` : error}`,
    );
    return false;
  }
}

/** The two lists of Twilio's API that are needed. */
class TwilioApi {
  constructor(
    private readonly url: string,
    readonly accountSid: string,
    private readonly credentials: Credentials,
  ) {}

  async messages(from: Date, to: Date): Promise<TwilioMessage[]> {
    const query = new URLSearchParams({
      "DateSent>": from.toISOString(),
      "DateSent<": to.toISOString(),
      PageSize: "1000",
    });
    const found: TwilioMessage[] = [];
    let next: string | null = `/2010-04-01/Accounts/${this.accountSid}/Messages.json?${query}`;
    while (next) {
      const page: { messages: TwilioMessage[]; next_page_uri: string | null } = await this.get(next);
      found.push(...page.messages);
      next = page.next_page_uri;
    }
    return found;
  }

  async media(messageSid: string): Promise<{ url: string; contentType: string }[]> {
    const base = `/2010-04-01/Accounts/${this.accountSid}/Messages/${messageSid}/Media`;
    const { media_list } = await this.get<{ media_list: { sid: string; content_type: string }[] }>(
      `${base}.json`,
    );
    // the region's own host; a stand-in for Twilio stands in for all of them
    const { host: asked } = new URL(this.url);
    const host = isApiHost(asked) ? asked : "api.twilio.com";
    return media_list.map(({ sid, content_type }) => ({
      url: `https://${host}${base}/${sid}`,
      contentType: content_type,
    }));
  }

  private async get<T>(path: string): Promise<T> {
    const { user, password } = this.credentials;
    const response = await fetch(new URL(path, this.url), {
      headers: { authorization: `Basic ${encodeBase64(`${user}:${password}`)}` },
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new UsageError(
        `Twilio answered ${response.status}: are TWILIO_ACCOUNT_SID and its token or API key right?`,
      );
    }
    return await response.json();
  }
}

function parse(args: string[]) {
  const { values } = readOptions(USAGE, args, {
    from: { type: "string" },
    to: { type: "string" },
    apply: { type: "boolean", default: false },
    "env-file": { type: "string" },
    "twilio-url": { type: "string", default: "https://api.twilio.com" },
  });
  const { from, to, apply, "env-file": file, "twilio-url": twilioUrl } = values;
  if (!URL.canParse(twilioUrl)) throw new UsageError(USAGE);
  return {
    from: from === undefined ? new Date(Date.now() - TWO_DAYS_MS) : time(from),
    to: to === undefined ? new Date() : time(to),
    apply,
    file,
    twilioUrl,
  };
}

function time(text: string): Date {
  const date = new Date(text);
  if (isNaN(date.getTime())) throw new UsageError(`"${text}" is not a time.\n${USAGE}`);
  return date;
}

await runCommand(reconcile);
