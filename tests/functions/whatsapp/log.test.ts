// What the log holds of a message.
import { assert, assertNotMatch } from "../../support/assert.ts";
import { testsNeeding } from "../../support/needs.ts";
import { until } from "../../support/functions.ts";
import { person } from "../../support/stack.ts";
import { accepted, newSender, sampleFile, send, settled } from "../../support/whatsapp.ts";
import { GBV, GENERAL, sampleOf } from "./support.ts";

const logTest = testsNeeding("the functions' log", import.meta.url);
const LOG_FILE = `${Deno.env.get("LOCAL_SUPABASE_RUN")}/functions.log`;

const functionLog = () => Deno.readTextFile(LOG_FILE);

logTest(
  "the log holds no number, name, word, key, token or signed URL, and a line for each request and medium",
  async () => {
    const [from, refusedFrom] = [newSender(), newSender()];
    const word = `Woord${crypto.randomUUID().replaceAll("-", "")}`;
    const name = `Sipho${crypto.randomUUID().slice(0, 8)}`;
    const message = { body: word, profile_name: name };
    const files = [
      await sampleOf("image/jpeg"),
      await sampleFile("burst-pipe-detail.png"),
      await sampleFile("burst-pipe-detail.png"),
    ];
    const media_faults = [null, { status: 500 }, { redirect_to: `https://evil.invalid/${word}` }];
    const sent = [
      await accepted(from, GENERAL, { ...message, files, options: { media_faults } }),
      await accepted(from, GBV, { ...message, files, options: { media_faults } }),
    ];
    await send(refusedFrom, GENERAL, { ...message, options: { signature: "wrong" } });
    await send(refusedFrom, "+27999999999", message);
    await send(refusedFrom, GENERAL, { ...message, ticket_id: word });
    await send(refusedFrom, GENERAL, {
      ...message,
      files,
      params: { MediaUrl0: `https://evil.invalid/${word}` },
    });
    const records = (await Promise.all(sent.map((each) => settled(each.message_sid, 3)))).flat();
    await until("the log has each medium", async () => {
      const log = await functionLog();
      return records.every(({ file_id }) => log!.includes(file_id));
    });

    const log = await functionLog();
    const secrets = [
      ...[from, refusedFrom].map((number) => number.slice(1)),
      word,
      name,
      ...[
        "TWILIO_AUTH_TOKEN",
        "ENCRYPTION_KEY_CURRENT",
        "SENDER_HASH_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
      ].map((name) => Deno.env.get(name)!),
      (await person("admin")).token,
    ];
    for (const secret of secrets) assert(!log.includes(secret), `the log has ${secret}`);
    assertNotMatch(
      log,
      /whatsapp:|eyJ|gAAAA|token=|Signature=|Basic |Bearer |twiliocdn\.com\/|\+27|burst-pipe/,
    );
    const lines = log.split("\n").filter((line) => line.startsWith("[twilio-media] "));
    for (const line of lines) {
      const { function: name, request_id, code } = JSON.parse(line.slice("[twilio-media] ".length));
      assert(name === "twilio-media" && request_id && code, line);
    }
  },
);
