// npm run whatsapp -- --to +27… --file photo.jpg: a WhatsApp message to the running stand-in, as from a phone.
import { basename, extname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { typeByExtension } from "deno-std/media_types/type_by_extension.js";
import { type MediaFile, type SentMessage, twilioClient } from "./twilio-client.ts";

const DEFAULT_URL = "http://127.0.0.1:54327"; // where `npm start` has its pretend Twilio
const MAX_FILES = 10;
const MAX_BYTES = 16 * 1024 * 1024;

const USAGE = `Sends a WhatsApp message to the running stand-in, as a resident's phone would.

  npm run whatsapp -- --to NUMBER [--file FILE]... [--body TEXT] [--from NUMBER] [--profile-name NAME]
                      [--ticket-id ID]

  --to         a municipality's WhatsApp number, such as +27…; npm start prints them
  --file       photo, voice note, video or document; up to ten times (samples: examples/media)
  --from       the resident's number (default +27600000001)
  --ticket-id  a ticket that the message belongs to

PRETEND_TWILIO_URL says where the pretend Twilio is (default ${DEFAULT_URL}).
Exits with 0 if the webhook took the message, 1 if it refused it, 2 if the command is wrong, 3 if nothing answers.`;

class UsageError extends Error {}

async function readFile(path: string): Promise<MediaFile> {
  const bytes = await Deno.readFile(path).catch((error) => {
    throw new UsageError(
      error instanceof Deno.errors.NotFound
        ? `There is no file ${path}. Samples are in examples/media.`
        : `${path} cannot be read: ${error.message}`,
    );
  });
  if (bytes.length > MAX_BYTES) throw new UsageError(`${path} is too large: WhatsApp takes up to 16 MiB.`);
  const type = typeByExtension(extname(path)) ?? "application/octet-stream";
  return { name: basename(path), type, bytes };
}

function address(option: string, number: string): string {
  const plain = number.replace(/^whatsapp:/, "").replace(/[\s()-]/g, "");
  if (!/^\+\d{7,15}$/.test(plain)) {
    throw new UsageError(`${option} ${number} is not an international number such as +27600000001.`);
  }
  return `whatsapp:${plain}`;
}

async function readCommand(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      to: { type: "string" },
      from: { type: "string", default: "+27600000001" },
      file: { type: "string", multiple: true, default: [] },
      body: { type: "string" },
      "profile-name": { type: "string" },
      "ticket-id": { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  if (!values.to) throw new UsageError("--to is missing: the municipality's WhatsApp number.");
  if (values.file.length > MAX_FILES) {
    throw new UsageError(`A message carries up to ${MAX_FILES} files, not ${values.file.length}.`);
  }
  if (!values.file.length && !values.body) throw new UsageError("Nothing to send: give --file or --body.");
  return {
    from: address("--from", values.from),
    to: address("--to", values.to),
    body: values.body,
    profile_name: values["profile-name"],
    ticket_id: values["ticket-id"],
    files: await Promise.all(values.file.map(readFile)),
  };
}

function report(sent: SentMessage, files: MediaFile[]): number {
  console.log(`message  ${sent.message_sid}`);
  for (const [index, { sid }] of sent.media.entries()) {
    console.log(`medium   ${sid}  ${files[index]?.name} (${files[index]?.type})`);
  }
  if (sent.status === 0) {
    console.error(
      `The webhook did not answer: ${sent.body}\nAre the functions running? See what npm start prints.`,
    );
    return 1;
  }
  console.log(`webhook  ${sent.status} after ${sent.ms} ms`);
  if (sent.status < 200 || sent.status > 299) {
    console.error(
      `Refused: ${sent.body}\nThe function's log has the reason, under the request_id above if any.`,
    );
    return 1;
  }
  const replies = [...sent.body.matchAll(/<Message[^>]*>(.*?)<\/Message>/gs)].map((match) =>
    match[1]!.replace(/<[^>]+>/g, "").trim()
  );
  for (const reply of replies) console.log(`reply    ${unescapeXml(reply)}`);
  return 0;
}

function unescapeXml(xml: string): string {
  const characters: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return xml.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => characters[name]!);
}

async function main(args: string[]): Promise<number> {
  const url = Deno.env.get("PRETEND_TWILIO_URL") ?? DEFAULT_URL;
  let message;
  try {
    message = await readCommand(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error("npm run whatsapp -- --help tells how to use it.");
    return 2;
  }
  if (!message) {
    console.log(USAGE);
    return 0;
  }
  try {
    return report(await twilioClient(url).sendMessage(message), message.files);
  } catch (error) {
    if (error instanceof TypeError) {
      console.error(
        `No pretend Twilio answers at ${url}. Start it with npm start, or set PRETEND_TWILIO_URL.`,
      );
      return 3;
    }
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

if (import.meta.main) process.exit(await main(Deno.args));
