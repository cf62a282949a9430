// Whatever JSON a signed-in user sends, and whatever bytes: a stable code of the function's, never a 5xx.
import { assert } from "../support/assert.ts";
import { type Answer, assertRefused, call, type Code, database } from "../support/functions.ts";
import { makeTicket, MUNICIPALITIES, person } from "../support/stack.ts";
import { accepted, newSender } from "../support/whatsapp.ts";
import { serviceFile } from "../support/files.ts";
import { anyText, fc, holds, RUNS } from "./support.ts";

const CODES: Code[] = [
  "invalid_request",
  "forbidden",
  "not_found",
  "payload_too_large",
  "unsupported_media_type",
];

/** Values that a field may have instead of its own. */
const odd = fc.oneof(
  anyText,
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(2 ** 53, 2 ** 63, 1e308, -0, 0.5, "9007199254740993", [], {}, [[]]),
);

/** Objects of these fields: each as it should be, odd, or left out, and others beside them. */
function like(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  const entries = Object.entries(fields).map(([name, value]) =>
    fc.oneof(
      { weight: 12, arbitrary: value.map((one) => [[name, one]]) },
      { weight: 2, arbitrary: odd.map((one) => [[name, one]]) },
      { weight: 1, arbitrary: fc.constant([]) },
    )
  );
  const more = fc.oneof(
    { weight: 15, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(anyText, odd).map((pair) => [pair]) },
  );
  return fc.tuple(...entries, more).map((parts) => Object.fromEntries(parts.flat() as [string, unknown][]));
}

const filename = fc.oneof(
  fc.constantFrom("photo.jpg", "IMG.HEIC", ".pdf", "a".repeat(255) + ".png", "ž".repeat(200)),
  anyText,
);
const path = fc.oneof(
  fc.string({ maxLength: 80 }).map((name) =>
    `a1b0de1a-0000-4000-8000-000000000001/${crypto.randomUUID()}/${name}`
  ),
  fc.constantFrom("/", "//", "..", "a/../../b", "%2e%2e", "\u0001/x/y", "a".repeat(1024), "é".repeat(1024)),
  anyText,
);

/** Requests as JSON values, or as bytes. */
function requests(value: fc.Arbitrary<unknown>): fc.Arbitrary<string | Uint8Array> {
  return fc.oneof(
    { weight: 20, arbitrary: value.map((one) => JSON.stringify(one)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    { weight: 1, arbitrary: anyText },
  );
}

async function answers(
  name: string,
  runs: number,
  wanted: (ids: Ids) => fc.Arbitrary<unknown>,
): Promise<void> {
  const asked = await Promise.all((["citizen", "manager", "admin"] as const).map((role) => person(role)));
  const [ticket, secret, file] = await Promise.all([
    makeTicket("mbombela"),
    makeTicket("mbombela", { is_sensitive: true }),
    serviceFile("evidence", "mbombela"),
  ]);
  const number = MUNICIPALITIES.mbombela.number;
  const sids = await Promise.all(
    [ticket, secret].map(async ({ id }) =>
      (await accepted(newSender(), number, { ticket_id: id })).message_sid
    ),
  );
  const uuid = fc.constantFrom(
    ticket.id,
    secret.id,
    file.fileId,
    crypto.randomUUID(),
    ticket.id.toUpperCase(),
  );
  const seen = new Set<string>();
  const one = fc.tuple(
    fc.constantFrom(...asked),
    requests(wanted({
      uuid,
      path: fc.constant(file.path),
      sid: fc.constantFrom(...sids, `SM${"0".repeat(32)}`),
    })),
  );
  await holds(runs, one, async ([{ token }, body]) => {
    const answer: Answer = await call(name, { token, body });
    seen.add(String(answer.body?.error?.code ?? answer.status));
    if (answer.status === 200) return;
    assert(CODES.includes(answer.body?.error?.code), `${answer.status} ${answer.text}`);
    assertRefused(answer, answer.body.error.code);
  });
  for (const code of ["200", "invalid_request"]) {
    assert(seen.has(code), `none was answered ${code}: ${[...seen]}`);
  }
}

interface Ids {
  uuid: fc.Arbitrary<string>;
  path: fc.Arbitrary<string>;
  sid: fc.Arbitrary<string>;
}

const EACH = RUNS / 5;

Deno.test(`upload-url: ${EACH} arbitrary requests get a stable code and no 5xx`, async () => {
  const people = await Promise.all((["citizen", "manager", "admin"] as const).map((role) => person(role)));
  const batch = 150; // 200 of a user may wait
  for (let done = 0; done < EACH; done += batch) {
    await answers("upload-url", Math.min(batch, EACH - done), ({ uuid }) =>
      like({
        purpose: fc.constantFrom("evidence", "documents", "proof_of_residence", "gbv-evidence"),
        filename,
        content_type: fc.constantFrom("image/jpeg", "image/jpg", "", "application/pdf; a=b", "text/html"),
        file_size: fc.oneof(fc.integer({ min: 1, max: 60_000_000 }), fc.maxSafeNat()),
        ticket_id: uuid,
        sha256: fc.constant("0".repeat(64)),
      }));
    await database((sql) =>
      sql`update public.media_attachments set status = 'expired', last_error = 'never_came', next_attempt_at = null,
          created_at = created_at - interval '1 hour'
        where status = 'pending' and created_by in ${sql(people.map(({ userId }) => userId))}`
    );
  }
});

Deno.test(`signed-url: ${EACH} arbitrary requests get a stable code and no 5xx`, async () => {
  await answers("signed-url", EACH, ({ uuid, path: known }) => {
    const bucket = fc.constantFrom("evidence", "documents", "gbv-evidence");
    const paths = fc.oneof(known, path);
    const signing = {
      expires_in: fc.integer({ min: 1, max: 86_400 }),
      download: fc.oneof(fc.boolean(), filename),
    };
    const files = fc.array(fc.oneof(like({ file_id: uuid }), like({ bucket, path: paths })), {
      maxLength: 8,
    });
    return fc.oneof(
      like({ file_id: uuid, ...signing }),
      like({ bucket, path: paths, ...signing }),
      like({ files, ...signing }),
    );
  });
});

Deno.test(`open-report: ${EACH} arbitrary requests get a stable code and no 5xx`, async () => {
  await answers("open-report", EACH, ({ uuid, sid }) => {
    const include_sender = fc.boolean();
    return fc.oneof(
      like({ ticket_id: uuid, include_sender }),
      like({
        message_sids: fc.array(fc.oneof({ weight: 5, arbitrary: sid }, anyText), { maxLength: 4 }),
        include_sender,
      }),
    );
  });
});
