import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { StorageServiceError } from "../../shared/platform/errors.ts";
import { StorageService } from "../../shared/storage/service.ts";
import { failureOf, type Sent, withFetch } from "./tools.ts";

const INNER = "http://kong:8000";
const PUBLIC = "https://evidence.example";
const PUBLISHABLE = { url: INNER, key: "sb_publishable_x" };
const SECRET = { url: INNER, key: "sb_secret_x" };
const FILE = { bucket: "evidence", path: "tenant/file/photo.jpg" } as const;

const base64url = (value: unknown) => btoa(JSON.stringify(value)).replace(/=+$/, "");
const UPLOAD_TOKEN = `${base64url({ alg: "HS256" })}.${
  base64url({ exp: 1_900_000_000, upsert: false })
}.c2ln`;

const jsonAnswer = (body: unknown, status = 200) => () => Response.json(body, { status });
const authOf = ({ headers }: Sent) => [headers.get("apikey"), headers.get("authorization")];

const signing = (sign: (path: string) => string | null) => ({ body }: Sent) =>
  Response.json(
    (JSON.parse(body).paths as string[]).map((path) => ({
      path,
      error: sign(path) ? null : "Either the object does not exist or you do not have access to it",
      signedURL: sign(path),
    })),
  );

Deno.test("storage: signed URLs are given on the public URL, in the order asked, null for what may not be read", async () => {
  const storage = new StorageService(PUBLISHABLE, `${PUBLIC}/`, "user-token");
  const started = Date.now();
  const [sent] = await withFetch(
    signing((path) => path === "hidden" ? null : `/object/sign/evidence/${path}?token=t`),
    async () => {
      const [a, hidden, b] = await storage.sign("evidence", ["a.jpg", "hidden", "b.jpg"], 300);
      assertEquals(hidden, null);
      assertEquals(a!.signedUrl, `${PUBLIC}/storage/v1/object/sign/evidence/a.jpg?token=t`);
      assertEquals(b!.signedUrl, `${PUBLIC}/storage/v1/object/sign/evidence/b.jpg?token=t`);
      const validFor = a!.expiresAt.getTime() - started;
      assert(validFor >= 300_000 && validFor < 310_000, `${validFor}`);
    },
  );
  assertEquals(`${sent!.method} ${sent!.url}`, `POST ${INNER}/storage/v1/object/sign/evidence`);
  assertEquals(JSON.parse(sent!.body), { expiresIn: 300, paths: ["a.jpg", "hidden", "b.jpg"] });
});

Deno.test("storage: a download's name is encoded once, and cannot add to the URL", async () => {
  const storage = new StorageService(PUBLISHABLE, PUBLIC, "user-token");
  for (const name of ["foto é #1.jpg", "a&token=x", "100%.pdf", "a%20b", "'\"<>", "证据.jpg"]) {
    await withFetch(signing((path) => `/object/sign/evidence/${path}?token=t`), async () => {
      const [file] = await storage.sign("evidence", ["a.jpg"], 60, name);
      const url = new URL(file!.signedUrl);
      assertEquals([...url.searchParams], [["token", "t"], ["download", name]]);
      assertEquals(url.hash, "");
    });
  }
});

Deno.test("storage: a download under the stored name, and none", async () => {
  const storage = new StorageService(PUBLISHABLE, PUBLIC, "user-token");
  await withFetch(signing((path) => `/object/sign/evidence/${path}?token=t`), async () => {
    const [named] = await storage.sign("evidence", ["a.jpg"], 60, true);
    assert(named!.signedUrl.endsWith("?token=t&download="), named!.signedUrl);
    const [shown] = await storage.sign("evidence", ["a.jpg"], 60, false);
    assert(shown!.signedUrl.endsWith("?token=t"), shown!.signedUrl);
  });
});

Deno.test("storage: a user acts with his own token and the publishable key", async () => {
  const storage = new StorageService(PUBLISHABLE, PUBLIC, "user-token");
  const sent = await withFetch(signing(() => null), () => storage.sign("evidence", ["a"], 60));
  assertEquals(authOf(sent[0]!), ["sb_publishable_x", "Bearer user-token"]);
});

Deno.test("storage: a secret key of the new form travels as apikey alone", async () => {
  const storage = new StorageService(SECRET, PUBLIC);
  const sent = await withFetch(signing(() => null), () => storage.sign("evidence", ["a"], 60));
  assertEquals(authOf(sent[0]!), ["sb_secret_x", null]);
});

Deno.test("storage: a legacy key is a token as well; a user's token goes before it", async () => {
  const legacy = { url: INNER, key: "eyJ.legacy.key" };
  const service = await withFetch(
    signing(() => null),
    () => new StorageService(legacy, PUBLIC).sign("evidence", ["a"], 60),
  );
  assertEquals(authOf(service[0]!), ["eyJ.legacy.key", "Bearer eyJ.legacy.key"]);
  const user = await withFetch(
    signing(() => null),
    () => new StorageService(legacy, PUBLIC, "user-token").sign("evidence", ["a"], 60),
  );
  assertEquals(authOf(user[0]!), ["eyJ.legacy.key", "Bearer user-token"]);
});

Deno.test("storage: an upload ticket is for one new file, on the public URL, until its token expires", async () => {
  const storage = new StorageService(PUBLISHABLE, PUBLIC, "user-token");
  const url = `/object/upload/sign/evidence/${FILE.path}?token=${UPLOAD_TOKEN}`;
  const [sent] = await withFetch(jsonAnswer({ url, token: UPLOAD_TOKEN }), async () => {
    assertEquals(await storage.createUploadTicket(FILE), {
      token: UPLOAD_TOKEN,
      signedUrl: `${PUBLIC}/storage/v1${url}`,
      expiresAt: new Date(1_900_000_000_000),
    });
  });
  assertEquals(sent!.url, `${INNER}/storage/v1/object/upload/sign/evidence/${FILE.path}`);
  assertEquals(sent!.headers.get("x-upsert"), null);
});

Deno.test("storage: an upload never replaces a file, and says its type", async () => {
  const storage = new StorageService(SECRET, PUBLIC);
  const sent = await withFetch(
    jsonAnswer({ Key: "k", Id: "i" }),
    () => storage.upload(FILE, new TextEncoder().encode("bytes"), "image/jpeg"),
  );
  assertEquals(sent.map(({ method, url }) => `${method} ${url}`), [
    `POST ${INNER}/storage/v1/object/evidence/${FILE.path}`,
  ]);
  assertEquals([sent[0]!.headers.get("x-upsert"), sent[0]!.headers.get("content-type")], [
    "false",
    "image/jpeg",
  ]);
  assertEquals(sent[0]!.body, "bytes");
});

Deno.test("storage: a streamed upload arrives whole, and is asked for once", async () => {
  const storage = new StorageService(SECRET, PUBLIC);
  const chunks = ["first ", "second"].map((text) => new TextEncoder().encode(text));
  const sent = await withFetch(
    jsonAnswer({ Key: "k", Id: "i" }),
    () => storage.upload(FILE, ReadableStream.from(chunks), "image/jpeg"),
  );
  assertEquals(sent.map(({ body }) => body), ["first second"]);
  assertEquals([sent[0]!.headers.get("x-upsert"), sent[0]!.headers.get("content-type")], [
    "false",
    "image/jpeg",
  ]);
});

Deno.test("storage: a file's bytes are read as the service", async () => {
  const storage = new StorageService(SECRET, PUBLIC);
  const sent = await withFetch(() => new Response("bytes"), async () => {
    assertEquals(await new Response(await storage.read(FILE)).text(), "bytes");
  });
  assertEquals(authOf(sent[0]!), ["sb_secret_x", null]);
});

/** The four calls of the service. */
const calls: Record<string, (storage: StorageService) => Promise<unknown>> = {
  "an upload ticket": (storage) => storage.createUploadTicket(FILE),
  "an upload": (storage) => storage.upload(FILE, new Uint8Array([1]), "image/jpeg"),
  "signing": (storage) => storage.sign("evidence", ["a"], 60),
  "reading": (storage) => storage.read(FILE),
};

// Storage's real bodies: nearly all come with HTTP 400, the true status inside
const REFUSALS = [
  ["403", "Unauthorized", "new row violates row-level security policy", "forbidden", "storage_refused"],
  ["403", "Unauthorized", '"exp" claim timestamp check failed', "forbidden", "storage_refused"],
  ["404", "not_found", "Object not found", "not_found", "storage_refused"],
  ["404", "Bucket not found", "Bucket not found", "not_found", "storage_refused"],
  ["409", "Duplicate", "The resource already exists", "invalid_request", "already_stored"],
  [
    "413",
    "Payload too large",
    "The object exceeded the maximum allowed size",
    "payload_too_large",
    "payload_too_large",
  ],
  [
    "415",
    "invalid_mime_type",
    "mime type text/html is not supported",
    "unsupported_media_type",
    "unsupported_media_type",
  ],
  ["400", "InvalidKey", "Invalid key: tenant/x", "storage_unavailable", "storage_unavailable"],
  ["500", "Internal", "Internal Server Error", "storage_unavailable", "storage_unavailable"],
  ["544", "DatabaseTimeout", "Timed out", "storage_unavailable", "storage_unavailable"],
] as const;

for (const [call, work] of Object.entries(calls)) {
  Deno.test(`storage: ${call}: an error is told by the status in its body, in our words`, async () => {
    for (const [statusCode, error, message, code, reason] of REFUSALS) {
      await withFetch(jsonAnswer({ statusCode, error, message }, 400), async () => {
        const failure = await failureOf(() => work(new StorageService(SECRET, PUBLIC)));
        assertInstanceOf(failure, StorageServiceError, `${failure.stack}`);
        assertEquals([failure.code, failure.reason], [code, reason], message);
        assert(!failure.message.includes(message), failure.message);
        assertEquals(failure.log, `storage ${statusCode}`);
      });
    }
  });

  Deno.test(`storage: ${call}: Storage out of reach is storage_unavailable`, async () => {
    await withFetch(() => Promise.reject(new TypeError("connection refused")), async () => {
      const failure = await failureOf(() => work(new StorageService(SECRET, PUBLIC)));
      assertInstanceOf(failure, StorageServiceError, `${failure.stack}`);
      assertEquals([failure.code, failure.reason], ["storage_unavailable", "storage_unavailable"]);
    });
  });

  Deno.test(`storage: ${call}: a gateway's page instead of an answer is storage_unavailable`, async () => {
    await withFetch(() => new Response("<html>Bad Gateway</html>", { status: 502 }), async () => {
      const failure = await failureOf(() => work(new StorageService(SECRET, PUBLIC)));
      assertInstanceOf(failure, StorageServiceError, `${failure.stack}`);
      assertEquals(failure.reason, "storage_unavailable");
    });
  });
}

Deno.test("storage: an upload ticket that would never expire is not handed out", async () => {
  const token = `${base64url({ alg: "HS256" })}.${base64url({})}.c2ln`;
  await withFetch(jsonAnswer({ url: `/object/upload/sign/evidence/x?token=${token}`, token }), async () => {
    const failure = await failureOf(() => new StorageService(SECRET, PUBLIC).createUploadTicket(FILE));
    assertInstanceOf(failure, StorageServiceError, `${failure.stack}`);
    assertEquals(failure.reason, "storage_unavailable");
  });
});
