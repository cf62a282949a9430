import type * as z from "zod/mini";
import { assert } from "../support/assert.ts";
import { SignedUrlRequest, UploadUrlRequest } from "../../shared/contracts.ts";

const ID = "5f0b7f8e-0000-4000-8000-000000000001";
const FILE = { purpose: "evidence", filename: "photo.jpg", content_type: "image/jpeg", file_size: 1 };
const PATH = { bucket: "evidence", path: `${ID}/${ID}/photo.jpg` };

function table(what: string, schema: z.ZodMiniType, rows: { accepted: object; refused: object }) {
  for (const [expected, cases] of [[true, rows.accepted], [false, rows.refused]] as const) {
    for (const [story, value] of Object.entries(cases)) {
      Deno.test(`contract: ${what}: ${story} is ${expected ? "accepted" : "refused"}`, () => {
        assert(schema.safeParse(value).success === expected, JSON.stringify(value)?.slice(0, 300));
      });
    }
  }
}

const named = (filename: unknown) => ({ ...FILE, filename });
const sized = (file_size: unknown) => ({ ...FILE, file_size });
const typed = (content_type: unknown) => ({ ...FILE, content_type });

table("upload-url", UploadUrlRequest, {
  accepted: {
    "a photo": FILE,
    "a file of a ticket, with its hash": { ...FILE, ticket_id: ID, sha256: "0a".repeat(32) },
    "a proof of residence": { ...FILE, purpose: "proof_of_residence" },
    "GBV evidence": { ...FILE, purpose: "gbv-evidence" },
    "a name of emoji": named("📷🔥.jpg"),
    "a name with # and ?": named("a#b?.jpg"),
    "a name of 255 characters": named("x".repeat(255)),
    "a Zulu name with a line's end mark in it": named("isithombe\u2028.jpg"),
    "a hidden file's name": named(".htaccess"),
    "a name of three dots": named("..."),
    "a type that no bucket takes (the database says so)": typed("text/html"),
    "a type with dots, dashes and plus": typed("application/vnd.ms-excel+x-y"),
    "the largest whole number": sized(Number.MAX_SAFE_INTEGER),
  },
  refused: {
    "nothing": undefined,
    "null": null,
    "a text": "x",
    "a list": [FILE],
    "an empty object": {},
    "an unknown field": { ...FILE, tenant_id: ID },
    "a field of another's id": { ...FILE, user_id: ID },
    "an unknown purpose": { ...FILE, purpose: "other" },
    "a purpose of another case": { ...FILE, purpose: "Evidence" },
    "a purpose inherited from Object": { ...FILE, purpose: "constructor" },
    "no purpose": { ...FILE, purpose: undefined },
    "a name of 300 characters": named("x".repeat(300)),
    "an empty name": named(""),
    "a name of blanks": named("  \u00a0 "),
    "a name that climbs": named("../../x"),
    "a name that climbs on Windows": named("..\\x"),
    "a name with a folder": named("a/b.jpg"),
    "a name of one dot": named("."),
    "a name of two dots": named(".."),
    "a name with NUL": named("a\u0000.jpg"),
    "a name of two lines": named("a\nb.jpg"),
    "a name with an escape code": named("a\u001b[2J.jpg"),
    "a name with a lone surrogate": named("a\ud800.jpg"),
    "a name that is a number": named(1),
    "a name that is a list": named(["a.jpg"]),
    "a size of 0": sized(0),
    "a negative size": sized(-1),
    "half a byte": sized(1.5),
    "a size of 1e30": sized(1e30),
    "a size that is no number": sized(NaN),
    "an endless size": sized(Infinity),
    "a size in a text": sized("1"),
    "a type without its half": typed("image"),
    "a type with a line's end": typed("image/jpeg\r\nx-evil: 1"),
    "a type of 300 characters": typed(`image/${"x".repeat(300)}`),
    "a ticket that is no uuid": { ...FILE, ticket_id: "1" },
    "a ticket that is null": { ...FILE, ticket_id: null },
    "a ticket with SQL": { ...FILE, ticket_id: `${ID}' or '1'='1` },
    "a hash too short": { ...FILE, sha256: "0a" },
    "a hash in capitals": { ...FILE, sha256: "0A".repeat(32) },
    "a hash of other signs": { ...FILE, sha256: "0g".repeat(32) },
  },
});

const many = (count: number) => ({ files: Array.from({ length: count }, () => ({ file_id: ID })) });

table("signed-url", SignedUrlRequest, {
  accepted: {
    "a file by its id": { file_id: ID },
    "a file by its place": PATH,
    "one file of a list": many(1),
    "100 files": many(100),
    "ids and places mixed": { files: [{ file_id: ID }, PATH] },
    "a second's validity": { file_id: ID, expires_in: 1 },
    "a day's validity": { ...PATH, expires_in: 86_400 },
    "a download under the stored name": { file_id: ID, download: true },
    "no download": { file_id: ID, download: false },
    "a download under a name of unicode": { ...many(2), download: "foto é.jpg" },
  },
  refused: {
    "nothing": undefined,
    "an empty object": {},
    "an id that is none": { file_id: "x" },
    "id and place at once": { file_id: ID, ...PATH },
    "an id and a list at once": { file_id: ID, ...many(1) },
    "a place without its bucket": { path: PATH.path },
    "an unknown bucket": { ...PATH, bucket: "avatars" },
    "an empty path": { ...PATH, path: "" },
    "a path of 1025 characters": { ...PATH, path: "x".repeat(1025) },
    "a path with NUL (Postgres cannot hold it)": { ...PATH, path: "a/\u0000" },
    "a path with a lone surrogate": { ...PATH, path: "a/\ud800" },
    "a path of a list with NUL": { files: [{ ...PATH, path: "a/\u0000" }] },
    "no files": many(0),
    "101 files": many(101),
    "files that are none": { files: "x" },
    "an unknown field": { file_id: ID, tenant_id: ID },
    "an unknown field in a list": { files: [{ file_id: ID, expires_in: 60 }] },
    "no validity": { file_id: ID, expires_in: 0 },
    "a negative validity": { file_id: ID, expires_in: -1 },
    "a validity of a day and a second": { file_id: ID, expires_in: 86_401 },
    "half a second's validity": { file_id: ID, expires_in: 0.5 },
    "a validity in a text": { file_id: ID, expires_in: "60" },
    "a download under an empty name": { file_id: ID, download: "" },
    "a download under a path": { file_id: ID, download: "../x" },
    "a download with a header in its name": { file_id: ID, download: "x\r\nSet-Cookie: a=b" },
    "a download under a lone surrogate": { file_id: ID, download: "\ud800" },
    "a download that is a number": { file_id: ID, download: 1 },
  },
});
