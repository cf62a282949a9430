// The document and the running functions agree: on bodies right and wrong, on answers, on who may call.
import { Ajv2020 } from "ajv/dist/2020.js";
import * as responses from "../../shared/responses.ts";
import { openApi } from "../../docs/generate/openapi.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { announce, serviceFile } from "../support/files.ts";
import { type Answer, call } from "../support/functions.ts";
import { MUNICIPALITIES, person, SECRET_KEY } from "../support/stack.ts";
import { newSender, post, webhook } from "../support/whatsapp.ts";

// deno-lint-ignore no-explicit-any
const spec = openApi() as any;
// schemas only: what `format` asks is in a pattern too
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(spec, "openapi");

/** Whether the document takes a value for a schema of its. */
function accepts(pointer: string, value: unknown): boolean {
  return ajv.validate({ $ref: `openapi#${pointer}` }, value) as boolean;
}

/** The answer is one that the document has for this function: status, header, body. */
function assertDocumented(name: string, answer: Answer): void {
  const where = `/paths/~1${name}/post/responses/${answer.status}`;
  const response = spec.paths[`/${name}`].post.responses[answer.status];
  assert(response, `${name} answered ${answer.status}, which the document does not have`);
  assertMatch(answer.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  for (const [header, { schema }] of Object.entries<{ schema?: { const: string } }>(response.headers)) {
    if (schema) assertEquals(answer.headers.get(header), schema.const);
  }
  const type = answer.headers.get("content-type")!.split(";")[0]!;
  assert(response.content[type], `${name} answered ${type}`);
  const pointer = `${where}/content/${type.replace("/", "~1")}/schema`;
  assert(accepts(pointer, answer.body ?? answer.text), `${answer.text} ${ajv.errorsText()}`);
}

const id = "5f0b7f8e-0000-4000-8000-000000000001";
const photo = { purpose: "evidence", filename: "photo.jpg", content_type: "image/jpeg", file_size: 1 };
const manager = await person("manager");
const known = await serviceFile("evidence", "mbombela");
const file_id = known.fileId;
const place = { bucket: known.bucket, path: known.path };

const BODIES: Record<string, { right: unknown[]; wrong: unknown[] }> = {
  "upload-url": {
    right: [
      photo,
      { ...photo, sha256: "0a".repeat(32) },
      { ...photo, purpose: "proof_of_residence" },
      { ...photo, filename: "x".repeat(255) },
    ],
    wrong: [
      null,
      [],
      {},
      { ...photo, tenant_id: id },
      { ...photo, purpose: "other" },
      { ...photo, filename: "" },
      { ...photo, filename: "a/b.jpg" },
      { ...photo, filename: "a\nb.jpg" },
      { ...photo, filename: "x".repeat(256) },
      { ...photo, content_type: "image/jpeg\n" },
      { ...photo, file_size: 0 },
      { ...photo, file_size: 1.5 },
      { ...photo, file_size: 1e30 },
      { ...photo, file_size: "1" },
      { ...photo, ticket_id: "1" },
      { ...photo, ticket_id: null },
      { ...photo, sha256: "0A".repeat(32) },
    ],
  },
  "signed-url": {
    right: [
      { file_id },
      place,
      { file_id, expires_in: 86_400, download: "foto é.jpg" },
      { files: [{ file_id }, place, { file_id: id }], download: true },
    ],
    wrong: [
      null,
      {},
      { file_id: "x" },
      { file_id, ...place },
      { bucket: "avatars", path: "x" },
      { ...place, path: "x".repeat(1025) },
      { files: [] },
      { files: Array.from({ length: 101 }, () => ({ file_id })) },
      { files: [{ file_id, expires_in: 60 }] },
      { file_id, expires_in: 0 },
      { file_id, expires_in: 86_401 },
      { file_id, download: 1 },
      { file_id, download: "../x" },
    ],
  },
};

for (const [name, { right, wrong }] of Object.entries(BODIES)) {
  const schema = `/paths/~1${name}/post/requestBody/content/application~1json/schema`;
  Deno.test(`${name}: the document and the function accept and refuse the same bodies`, async () => {
    for (const [expected, bodies] of [[true, right], [false, wrong]] as const) {
      for (const body of bodies) {
        const what = JSON.stringify(body).slice(0, 200);
        const answer = await call(name, { token: manager.token, body });
        assertEquals(accepts(schema, body), expected, `the document: ${what}`);
        assertEquals(answer.status, expected ? 200 : 400, `the function: ${what} ${answer.text}`);
        assertDocumented(name, answer);
      }
    }
  });
  Deno.test(`${name}: refusals are as documented`, async () => {
    const field = { token: (await person("field_worker")).token };
    for (
      const [code, options] of [
        ["unauthorized", { body: {} }],
        ["method_not_allowed", { ...field, method: "PUT", body: {} }],
        ["payload_too_large", { ...field, body: "x".repeat(200_000) }],
        ["not_found", {
          ...field,
          body: name === "upload-url" ? { ...photo, ticket_id: id } : { file_id: id },
        }],
      ] as const
    ) {
      const answer = await call(name, options);
      assertEquals(answer.body.error.code, code);
      assertDocumented(name, answer);
    }
  });
}

Deno.test("answers have the fields that shared/responses.ts says, and no others", async () => {
  const slot = await announce(manager);
  assertEquals(responses.UploadUrlResponse.parse(slot), slot);
  const token = manager.token;
  for (const body of [{ file_id }, { files: [{ file_id }, { file_id: id }] }]) {
    const { body: answer } = await call("signed-url", { token, body });
    assertEquals(responses.SignedUrlResponse.parse(answer), answer);
  }
  const { body: refusal } = await call("signed-url", { token, body: { file_id: "x" } });
  assertEquals(responses.ErrorResponse.parse(refusal), refusal);
});

Deno.test("twilio-media: the document and the function accept and refuse the same messages", async () => {
  const schema = "/paths/~1twilio-media/post/requestBody/content/application~1x-www-form-urlencoded/schema";
  const media = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
  for (
    const [expected, changes] of [
      [true, {}],
      [true, { Body: "" }],
      [true, { From: "whatsapp:thandi" }],
      [true, { SomethingNew: "x" }],
      [true, { MessageSid: "x" }],
      [true, { MessageSid: null }],
      [true, { From: null }],
      [true, { NumMedia: "11" }],
      [true, { NumMedia: "1", MediaUrl0: media.replace("api.", "evil."), MediaContentType0: "image/jpeg" }],
      [true, { NumMedia: "1", MediaUrl0: media, MediaContentType0: "" }],
      [false, { To: null }],
      [false, { To: "" }],
    ] as const
  ) {
    const params = webhook(newSender(), MUNICIPALITIES.mbombela.number);
    for (const [name, value] of Object.entries<string | null>(changes)) {
      if (value === null) params.delete(name);
      else params.set(name, value);
    }
    const { NumMedia, ...texts } = Object.fromEntries(params);
    assertEquals(accepts(schema, { ...texts, NumMedia: Number(NumMedia) }), expected, `${params}`);
    const answer = await post(params);
    assertEquals(answer.status, expected ? 200 : 404, `${params} ${answer.text}`);
    assertDocumented("twilio-media", answer);
  }
  assertDocumented("twilio-media", await post(webhook(newSender(), "+27000000000")));
  assertDocumented("twilio-media", await post(webhook(newSender(), "+27130000001"), "forged"));
  assertDocumented("twilio-media", await call("twilio-media", { body: {} }));
});

Deno.test("media-worker: answers and refusals are as documented", async () => {
  const begun = await call("media-worker", { headers: { apikey: SECRET_KEY } });
  assertEquals(begun.status, 202);
  assertEquals(responses.MediaWorkerAccepted.parse(begun.body), begun.body);
  assertDocumented("media-worker", begun);
  const answer = await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=60" } });
  assertEquals(answer.status, 200);
  assertEquals(responses.MediaWorkerResponse.parse(answer.body), answer.body);
  assertDocumented("media-worker", answer);
  const refused = await call("media-worker");
  assertEquals(refused.status, 401);
  assertDocumented("media-worker", refused);
});

Deno.test("every operation asks for what its function checks", () => {
  const schemes = Object.entries<{ post: { security: object[] } }>(spec.paths)
    .map(([path, { post }]) => [path, post.security.flatMap(Object.keys)]);
  assertEquals(schemes, [
    ["/upload-url", ["userToken"]],
    ["/signed-url", ["userToken"]],
    ["/open-report", ["userToken"]],
    ["/twilio-media", ["twilioSignature"]],
    ["/media-worker", ["workerKey"]],
  ]);
});
