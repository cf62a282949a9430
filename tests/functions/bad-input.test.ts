// What upload-url and signed-url refuse, each with its code, in the one shape, with nothing stored; and the odd names
// that they accept.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { assertRefused, call, type Code, storesNothing, uploadRequest } from "../support/functions.ts";
import { makeTicket, MUNICIPALITIES, ok, person, sample, service, SLUGS } from "../support/stack.ts";

const MiB = 1024 * 1024;
const NAMES = ["upload-url", "signed-url"] as const;

/** A body that the function would take, from somebody who may. */
const goodBody = (name: typeof NAMES[number], fileId: string = crypto.randomUUID()) =>
  name === "upload-url" ? uploadRequest() : { file_id: fileId };

// Bodies --------------------------------------------------------------------------------------------------------------

Deno.test("a body that is none, or no JSON object, is invalid_request", async () => {
  const { token } = await person("admin");
  const bodies: [string, BodyInit | undefined][] = [
    ["no body", undefined],
    ["an empty body", ""],
    ["not JSON", "{purpose: evidence}"],
    ["half of it", JSON.stringify(uploadRequest()).slice(0, -1)],
    ["a form", "purpose=evidence&filename=a.jpg"],
    ["null", "null"],
    ["a list", "[]"],
    ["a text", '"evidence"'],
    ["an empty object", "{}"],
    ["not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
  ];
  await storesNothing(async () => {
    for (const name of NAMES) {
      for (const [what, body] of bodies) {
        assertRefused(await call(name, { token, body }), "invalid_request", `${name}, ${what}`);
      }
    }
  });
});

for (const name of NAMES) {
  Deno.test(`${name}: a body of 2 MB is payload_too_large, announced or not`, async () => {
    const { token } = await person("admin");
    const text = JSON.stringify({ ...goodBody(name), padding: "x".repeat(2_000_000) });
    await storesNothing(async () => {
      assertRefused(await call(name, { token, body: text }), "payload_too_large", "announced");
      const unannounced = new Blob([text]).stream();
      assertRefused(await call(name, { token, body: unannounced }), "payload_too_large", "unannounced");
    });
    const after = await call(name, { token, body: goodBody(name) });
    assert(after.status === 200 || after.status === 404, "the function is not well after it");
  });
}

const NAME_300 = `${"a".repeat(296)}.jpg`;
const BAD_UPLOADS: [what: string, fields: Record<string, unknown>, code: Code, path?: string][] = [
  ["no purpose", { purpose: undefined }, "invalid_request", "purpose"],
  ["an unknown purpose", { purpose: "selfies" }, "invalid_request", "purpose"],
  ["a purpose of Object's own", { purpose: "constructor" }, "invalid_request", "purpose"],
  ["purpose a number", { purpose: 1 }, "invalid_request", "purpose"],
  ["an unknown field", { bucket: "gbv-evidence" }, "invalid_request"],
  ["a field for the tenant", { tenant_id: MUNICIPALITIES.polokwane.id }, "invalid_request"],
  ["no filename", { filename: undefined }, "invalid_request", "filename"],
  ["filename a number", { filename: 7 }, "invalid_request", "filename"],
  ["an empty filename", { filename: "" }, "invalid_request", "filename"],
  ["a filename of spaces", { filename: "   " }, "invalid_request", "filename"],
  ["a filename of 300 characters", { filename: NAME_300 }, "invalid_request", "filename"],
  ["a filename ../../x", { filename: "../../x" }, "invalid_request", "filename"],
  ["a filename ..", { filename: ".." }, "invalid_request", "filename"],
  ["a filename with a backslash", { filename: "..\\x.jpg" }, "invalid_request", "filename"],
  ["a filename with a NUL", { filename: "a\u0000.jpg" }, "invalid_request", "filename"],
  ["a filename with a line break", { filename: "a\nb.jpg" }, "invalid_request", "filename"],
  ["a filename with half a character", { filename: "a\ud83d.jpg" }, "invalid_request", "filename"],
  ["no content_type", { content_type: undefined }, "invalid_request", "content_type"],
  ["content_type not one", { content_type: "jpeg" }, "invalid_request", "content_type"],
  ["content_type a number", { content_type: 1 }, "invalid_request", "content_type"],
  [
    "content_type of no type we know",
    { content_type: "application/octet-stream", filename: "a.exe" },
    "unsupported_media_type",
  ],
  ["no type and a name that tells none", { content_type: "", filename: "letter" }, "unsupported_media_type"],
  ["web page", { content_type: "text/html" }, "unsupported_media_type"],
  ["SVG, which can run scripts", { content_type: "image/svg+xml" }, "unsupported_media_type"],
  ["a program", { content_type: "application/x-msdownload" }, "unsupported_media_type"],
  [
    "a film as a document",
    { purpose: "documents", content_type: "video/mp4" },
    "unsupported_media_type",
  ],
  ["no file_size", { file_size: undefined }, "invalid_request", "file_size"],
  ["a size of 0", { file_size: 0 }, "invalid_request", "file_size"],
  ["a negative size", { file_size: -1 }, "invalid_request", "file_size"],
  ["a size of 1.5", { file_size: 1.5 }, "invalid_request", "file_size"],
  ["a size in a string", { file_size: "2000" }, "invalid_request", "file_size"],
  ["a size no number can hold", { file_size: 2 ** 60 }, "invalid_request", "file_size"],
  ["a file over the limit", { file_size: 50 * MiB + 1 }, "payload_too_large"],
  ["a huge file", { file_size: Number.MAX_SAFE_INTEGER }, "payload_too_large"],
  [
    "GBV evidence over the limit",
    { purpose: "gbv-evidence", file_size: 50 * MiB + 1 },
    "payload_too_large",
  ],
  ["a document over the limit", { purpose: "documents", file_size: 10 * MiB + 1 }, "payload_too_large"],
  [
    "a proof of residence over the limit",
    { purpose: "proof_of_residence", file_size: 10 * MiB + 1 },
    "payload_too_large",
  ],
  ["a ticket_id that is none", { ticket_id: "TKT-20260101-ABCDEF" }, "invalid_request", "ticket_id"],
  ["ticket_id a number", { ticket_id: 5 }, "invalid_request", "ticket_id"],
  ["an unknown ticket", { ticket_id: crypto.randomUUID() }, "not_found"],
  ["a hash that is none", { sha256: "abc" }, "invalid_request", "sha256"],
  ["a hash of other letters", { sha256: "g".repeat(64) }, "invalid_request", "sha256"],
];

Deno.test("upload-url: each bad field has its code, and an invalid one its place, and nothing is stored", async () => {
  const { token } = await person("admin");
  await storesNothing(async () => {
    for (const [what, fields, code, path] of BAD_UPLOADS) {
      const answer = await call("upload-url", { token, body: uploadRequest(fields) });
      assertRefused(answer, code, what);
      if (path) assertEquals(answer.body.error.details?.[0]?.path, path, what);
    }
  });
});

for (const slug of SLUGS) {
  Deno.test(`${slug}: no upload to a ticket of the other municipality, for any role`, async () => {
    const other = await makeTicket(slug === "mbombela" ? "polokwane" : "mbombela");
    await storesNothing(async () => {
      for (const role of ["citizen", "manager", "admin", "saps_liaison"] as const) {
        const { token } = await person(role, slug);
        const answer = await call("upload-url", { token, body: uploadRequest({ ticket_id: other.id }) });
        assertRefused(answer, "not_found", role);
      }
    });
  });
}

Deno.test("upload-url: a file of exactly the limit is taken", async () => {
  const { token } = await person("admin");
  for (
    const fields of [
      { file_size: 50 * MiB },
      { purpose: "documents", file_size: 10 * MiB },
      { purpose: "gbv-evidence", file_size: 50 * MiB },
      { file_size: 1 },
    ]
  ) {
    const { status, text } = await call("upload-url", { token, body: uploadRequest(fields) });
    assertEquals(status, 200, text);
  }
});

const ODD_NAMES: [filename: string, extension: string][] = [
  ["a#b?.jpg", "jpg"],
  ["100% & more + 'quotes' \"too\" <b>.jpg", "jpg"],
  ["📷💧.jpg", "jpg"],
  ["👩🏽‍🚒.jpg", "jpg"],
  ["صورة الشارع.jpg", "jpg"],
  ["\u202egpj.photo.jpg", "jpg"],
  ["\u200eWhatsApp Image.jpg", "jpg"],
  ["Isithombe sepayipi eliqhumile eMbombela.jpg", "jpg"],
  ["Foto – môre vroeg, ”Kiepersol”-straat nº1.JPG", "jpg"],
  ["水管爆裂.jpg", "jpg"],
  [".jpg", ""],
  ["...jpg", "jpg"],
  ["no extension", ""],
  ["trailing dot.", ""],
  ["-rf.jpg", "jpg"],
  ["%2e%2e%2fx.jpg", "jpg"],
  ["e\u0301.jpeg", "jpeg"],
  [`${"名".repeat(250)}.jpg`, "jpg"],
  [`${"a".repeat(251)}.jpg`, "jpg"],
];

Deno.test("upload-url: any Unicode name is accepted: a safe path with its extension, the original in the record, a file that can be fetched", async () => {
  const field = await person("field_worker");
  for (const [filename, extension] of ODD_NAMES) {
    const blob = sample();
    const body = uploadRequest({ filename, file_size: blob.size });
    const answer = await call("upload-url", { token: field.token, body });
    assertEquals(answer.status, 200, `${filename}: ${answer.text}`);
    const { bucket, path, token, file_id } = answer.body;
    assertMatch(path, /^[0-9a-f-]{36}\/[0-9a-f-]{36}\/[A-Za-z0-9_][A-Za-z0-9._-]{0,119}$/, filename);
    const name = path.split("/")[2];
    assert(!extension || name.endsWith(`.${extension}`), `${filename} became ${name}`);
    await ok(field.supabase.storage.from(bucket).uploadToSignedUrl(path, token, blob));
    const record = await ok(
      service.from("media_attachments").select("filename, status").eq("file_id", file_id).single(),
    );
    // but for marks that would show it as another one
    assertEquals(record, { filename: filename.replace(/[\u200e\u202e]/, ""), status: "stored" });
    const signed = await call("signed-url", { token: field.token, body: { file_id } });
    const fetched = await fetch(signed.body.signed_url);
    assertEquals((await fetched.bytes()).length, blob.size, filename);
  }
});

const UNKNOWN = crypto.randomUUID();
const BAD_READS: [what: string, body: Record<string, unknown>, code?: Code][] = [
  ["file_id no uuid", { file_id: "1" }],
  ["file_id a number", { file_id: 1 }],
  ["file_id null", { file_id: null }],
  ["file_id with SQL in it", { file_id: `${UNKNOWN}' or true` }],
  ["a bucket alone", { bucket: "evidence" }],
  ["a path alone", { path: "a/b/c.jpg" }],
  ["an unknown bucket", { bucket: "avatars", path: "a/b/c.jpg" }],
  ["an empty path", { bucket: "evidence", path: "" }],
  ["a path of 1025 characters", { bucket: "evidence", path: "a".repeat(1025) }],
  ["both an id and a path", { file_id: UNKNOWN, bucket: "evidence", path: "a/b/c.jpg" }],
  ["both a file and files", { file_id: UNKNOWN, files: [{ file_id: UNKNOWN }] }],
  ["no files", { files: [] }],
  ["101 files", { files: Array.from({ length: 101 }, () => ({ file_id: UNKNOWN })) }],
  ["files no list", { files: { file_id: UNKNOWN } }],
  ["files of texts", { files: [UNKNOWN] }],
  ["one bad file among good ones", { files: [{ file_id: UNKNOWN }, { file_id: "1" }] }],
  ["a file with its own expires_in", { files: [{ file_id: UNKNOWN, expires_in: 60 }] }],
  ["an unknown field", { file_id: UNKNOWN, user_id: UNKNOWN }],
  ["the service's own arguments", { file_id: UNKNOWN, request_id: "mine" }],
  ["expires_in 0", { file_id: UNKNOWN, expires_in: 0 }],
  ["expires_in negative", { file_id: UNKNOWN, expires_in: -60 }],
  ["expires_in 1.5", { file_id: UNKNOWN, expires_in: 1.5 }],
  ["expires_in a text", { file_id: UNKNOWN, expires_in: "60" }],
  ["expires_in null", { file_id: UNKNOWN, expires_in: null }],
  ["expires_in more than a day", { file_id: UNKNOWN, expires_in: 86_401 }],
  ["download a number", { file_id: UNKNOWN, download: 1 }],
  ["download empty", { file_id: UNKNOWN, download: "" }],
  ["download with a path", { file_id: UNKNOWN, download: "../x.jpg" }],
  ["download with a line break", { file_id: UNKNOWN, download: "a\r\nset-cookie: b=c" }],
  ["download of 300 characters", { file_id: UNKNOWN, download: NAME_300 }],
  ["an unknown file", { file_id: UNKNOWN }, "not_found"],
  ["an unknown path", { bucket: "evidence", path: `${UNKNOWN}/${UNKNOWN}/x.jpg` }, "not_found"],
];

Deno.test("signed-url: each bad field is refused, and nothing is stored", async () => {
  const { token } = await person("admin");
  await storesNothing(async () => {
    for (const [what, body, code = "invalid_request"] of BAD_READS) {
      const answer = await call("signed-url", { token, body });
      assertRefused(answer, code as Code, what);
      if (code === "invalid_request") assert(answer.body.error.details?.length, `${what}: no details`);
    }
    const many = { files: Array.from({ length: 100 }, () => ({ file_id: UNKNOWN })) };
    const { status, body } = await call("signed-url", { token, body: many });
    assertEquals([status, body.files.length], [200, 100]);
  });
});
