// The log of the running functions: a line for each request and each job, of a strict shape, with nothing of what was sent.
import { assert, assertEquals } from "../support/assert.ts";
import { announce, serviceFile } from "../support/files.ts";
import { type Answer, call, until } from "../support/functions.ts";
import { captureConsole } from "../support/handlers.ts";
import { JobLine, type LogLine, parseLog } from "../support/log-lines.ts";
import { testsNeeding } from "../support/needs.ts";
import { withOwnTwilio } from "../support/own-twilio.ts";
import { makeTicket, MUNICIPALITIES, ok, person, sample, SECRET_KEY } from "../support/stack.ts";
import { accepted, newSender, post, send, settled, twilio, webhook } from "../support/whatsapp.ts";

const LOG_FILE = `${Deno.env.get("LOCAL_SUPABASE_RUN")}/functions.log`;
const logTest = testsNeeding("the functions' log", import.meta.url);

async function functionLog(): Promise<{ text: string; lines: LogLine[] }> {
  const text = (await Deno.readTextFile(LOG_FILE)).replaceAll(/^\[[a-z-]+\] /gm, "");
  return { text, lines: parseLog(text) };
}

/** A field of a line, whichever sort it is. */
const jobOf = (line: LogLine) => "file_id" in line ? line : undefined;

logTest(
  "every request and every job leaves one line, of a strict shape, with nothing of what was sent",
  async () => {
    const word = `Woord${crypto.randomUUID().replaceAll("-", "")}`;
    const from = newSender();
    const message = { body: word, profile_name: word };
    const admin = await person("admin");
    const sent: string[] = [word, from.slice(1), admin.token, SECRET_KEY];
    const answers: Answer[] = [];
    const ask = async (...request: Parameters<typeof call>) => {
      const answer = await call(...request);
      answers.push(answer);
      return answer;
    };

    // a dashboard: announced, uploaded, looked at, refused
    const ticket = await makeTicket("mbombela");
    const secretTicket = await makeTicket("mbombela", { is_sensitive: true });
    const uploaded: string[] = [];
    for (const ticket_id of [ticket.id, secretTicket.id]) {
      const blob = sample();
      const slot = await announce(admin, { filename: `${word}.jpg`, ticket_id, file_size: blob.size });
      await ok(admin.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
      uploaded.push(slot.file_id);
      sent.push(slot.token, slot.path);
      const read = await ask("signed-url", { token: admin.token, body: { file_id: slot.file_id } });
      sent.push(read.body.signed_url, new URL(read.body.signed_url).searchParams.get("token")!);
    }
    await ask("upload-url", { token: admin.token, body: { purpose: word, filename: word } });
    await ask("upload-url", { body: { filename: word } }); // nobody
    await ask("signed-url", { token: admin.token, body: { files: [{ bucket: "evidence", path: word }] } });
    await ask("signed-url", { token: admin.token, body: { file_id: crypto.randomUUID() } });
    await ask("signed-url", { method: "PUT", token: admin.token });

    // WhatsApp: an ordinary report and a GBV one, each with a medium that fails; a replay; what is refused
    const files = [sample(), sample("image/png")].map((blob) => ({
      type: blob.type,
      name: `${word}.jpg`,
      bytes: blob,
    }));
    const options = { media_faults: [null, { status: 500 }] };
    const { number, gbvNumber } = MUNICIPALITIES.mbombela;
    const ordinary = await accepted(from, number, { ...message, files, options });
    const gbv = await accepted(from, gbvNumber, { ...message, files, options });
    await twilio.replay(gbv.message_sid);
    await send(from, number, { ...message, options: { signature: "wrong" } });
    answers.push(await post(webhook(from, number, { Body: word, ProfileName: word })));
    answers.push(await post(webhook(from, "+27999999999", { Body: word })));
    answers.push(await post(webhook(from, number, { MessageSid: word })));
    sent.push(...[ordinary, gbv].flatMap(({ media }) => media.map(({ url }) => url)));
    const media = new Map(
      await Promise.all(
        [ordinary, gbv].map(async ({ message_sid }) =>
          [message_sid, (await settled(message_sid, 2)).map(({ file_id }) => file_id)] as const
        ),
      ),
    );

    // the worker: hashes of the uploads, and somebody without a key
    await ask("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
    await ask("media-worker", { headers: { apikey: word } });

    await until("each medium and upload has its line", async () => {
      const { lines } = await functionLog();
      return [...media.values(), uploaded].flat().every((id) =>
        lines.some((line) => jobOf(line)?.file_id === id)
      );
    });
    const { text, lines } = await functionLog();

    for (const { status, headers, text } of answers) {
      const own = lines.filter((line) => line.request_id === headers.get("x-request-id") && "status" in line);
      assertEquals(own.map((line) => "status" in line && line.status), [status], text);
    }
    for (const [sid, fileIds] of media) {
      const own = lines.filter((line) => fileIds.includes(jobOf(line)?.file_id ?? ""));
      assertEquals(own.map((line) => `${jobOf(line)!.job} ${line.code}`).sort(), [
        "transfer media_unavailable",
        "transfer ok",
      ], sid);
      const [request, ...more] = lines.filter((line) =>
        line.request_id === own[0]!.request_id && !jobOf(line)
      );
      assert(request && "media" in request && request.media === 2 && more.length === 0, "the webhook's line");
    }
    for (const id of uploaded) {
      const own = lines.filter((line) => jobOf(line)?.file_id === id);
      assertEquals(own.map((line) => `${jobOf(line)!.job} ${line.code} ${jobOf(line)!.bytes}`), [
        "hash ok 2000",
      ]);
    }

    for (const each of sent) assert(!text.includes(each), `the log has ${each}`);
    assert(
      !/whatsapp:|eyJ|gAAAA|token=|Signature=|Basic |Bearer |\+27|\.jpg/.test(text),
      "the log has what was sent",
    );
    assert(!/gbv|sensitive/i.test(text), "the log tells which reports are of gender-based violence");
    const alike = [...media.values()].map((ids) =>
      lines.filter((line) => ids.includes(jobOf(line)?.file_id ?? "")).map((line) => Object.keys(line))
    );
    assertEquals(alike[0], alike[1], "a GBV report's lines look otherwise");
  },
);

Deno.test("a copy at Twilio that could not be removed is a line under the request's id, and the file is stored", async () => {
  await withOwnTwilio({
    env: { TWILIO_DELETE_MEDIA: "true" },
    onFetch: ({ url, method }) => {
      if (url.includes("api.twilio.com") && method === "DELETE") return new Response(null, { status: 500 });
    },
  }, async (own) => {
    const blob = sample();
    const text = await captureConsole(async () => {
      const files = [{ type: blob.type, bytes: blob }];
      await send(newSender(), MUNICIPALITIES.mbombela.number, { files }, own.twilio);
      await own.finished();
    });
    const lines = parseLog(text);
    assertEquals(new Set(lines.map(({ request_id }) => request_id)).size, 1, text);
    assertEquals(
      lines.map((line) => `${jobOf(line)?.job ?? line.function} ${line.code}`).toSorted(),
      ["remove_twilio_copy media_unavailable", "transfer ok", "twilio-media ok"],
    );
  });
});

Deno.test("work in the background that fails, and whose failure cannot be noted, is in the log", async () => {
  await withOwnTwilio({
    onFetch: ({ url }) => {
      if (/complete_media_transfer|fail_media_work/.test(url)) return Response.json({}, { status: 500 });
    },
  }, async (own) => {
    const blob = sample();
    const text = await captureConsole(async () => {
      const files = [{ type: blob.type, bytes: blob }];
      await send(newSender(), MUNICIPALITIES.mbombela.number, { files }, own.twilio);
      await own.finished();
    });
    assertEquals(
      parseLog(text).flatMap((line) => jobOf(line) ? [`${jobOf(line)!.job} ${line.code}`] : []),
      ["transfer internal", "note_failure internal"],
    );
  });
});

Deno.test("a line of another shape is none: neither a field too many nor a URL in a cause", async () => {
  const file = await serviceFile("evidence", "mbombela");
  const line = {
    function: "media-worker",
    request_id: crypto.randomUUID(),
    file_id: file.fileId,
    job: "hash",
    code: "ok",
    bytes: 1,
    ms: 1,
  };
  assert(JobLine.safeParse(line).success);
  for (
    const wrong of [{ path: file.path }, { cause: "Error at https://x.invalid/y:1:2" }, {
      code: "what I said",
    }]
  ) {
    assert(!JobLine.safeParse({ ...line, ...wrong }).success, JSON.stringify(wrong));
  }
});
