// The operator's commands, run as he runs them.
import { twilioClient } from "../../local/twilio-client.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ownFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import { command } from "../support/operators.ts";
import { MUNICIPALITIES, ok, person, SECRET_KEY, service } from "../support/stack.ts";

const TWILIO = Deno.env.get("PRETEND_TWILIO_URL")!;
const root = new URL("../..", import.meta.url).pathname;

Deno.test("reconcile: a message whose webhook never came is found, and taken in on demand, once", async () => {
  const twilio = twilioClient(TWILIO);
  const bytes = await Deno.readFile(`${root}examples/media/burst-pipe-detail.png`);
  const { message_sid: sid } = await twilio.sendMessage({
    from: "whatsapp:+27835551234",
    to: `whatsapp:${MUNICIPALITIES.mbombela.number}`,
    body: "geen water nie",
    files: [{ type: "image/png", bytes }],
    options: { deliver: false },
  });
  const known = async () =>
    (await ok(service.from("inbound_messages").select("*").eq("message_sid", sid))).length;

  const dry = await command("reconcile", "--twilio-url", TWILIO);
  assertEquals(dry.code, 1, dry.text);
  assertStringIncludes(dry.text, `missing: ${sid}`);
  assert(
    !dry.text.includes("27835551234") && !dry.text.includes("geen water"),
    "it tells who wrote, or what",
  );
  assertEquals(await known(), 0, "a dry run changed something");

  const applied = await command("reconcile", "--twilio-url", TWILIO, "--apply");
  assertEquals([applied.code, await known()], [0, 1], applied.text);
  const again = await command("reconcile", "--twilio-url", TWILIO, "--apply");
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "nothing is missing");

  const [medium] = await ok(
    service.from("media_attachments").select("file_id, status").eq("message_sid", sid),
  );
  assertEquals(medium!.status, "pending");
});

Deno.test("reconcile: bad arguments and missing secrets say what to do", async () => {
  assertEquals((await command("reconcile", "--from", "yesterday-ish")).code, 2);
  assertEquals((await command("reconcile", "--now")).code, 2);
  const elsewhere = await command("reconcile", "--twilio-url", "http://127.0.0.1:9");
  assertEquals(elsewhere.code, 2, elsewhere.text);
  assertStringIncludes(
    elsewhere.text,
    "TypeError. Either a setting is malformed or the network did not answer",
  );
  assert(!elsewhere.text.includes("Accounts"), "it shows what it asked for");
});

Deno.test("verify-file: a file in hand is known by its bytes alone; a changed one is not", async () => {
  const file = await ownFile(await person("citizen"), "evidence");
  await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
  const directory = await Deno.makeTempDir();
  try {
    const bytes = new Uint8Array(await file.blob.arrayBuffer());
    await Deno.writeFile(`${directory}/renamed.bin`, bytes);
    bytes[1000]! ^= 1;
    await Deno.writeFile(`${directory}/changed.jpg`, bytes);

    const known = await command("verify-file", `${directory}/renamed.bin`);
    assertEquals(known.code, 0, known.text);
    assertStringIncludes(known.text, `is file ${file.fileId} of City of Mbombela: photo.jpg`);
    const changed = await command("verify-file", `${directory}/renamed.bin`, `${directory}/changed.jpg`);
    assertEquals(changed.code, 1);
    assertStringIncludes(changed.text, "was never taken in, or was changed since");
    const missing = await command("verify-file", `${directory}/nothing`);
    assertEquals(missing.code, 2);
    assertStringIncludes(missing.text, "cannot be read");
    assertEquals((await command("verify-file")).code, 2);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
