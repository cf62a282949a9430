import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import type { SignedUrl } from "../../shared/contracts.ts";
import { shown, signFiles } from "../../shared/evidence/reading.ts";
import { readingServices } from "../../shared/evidence/services.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { environmentOf, failureOf, type Sent, withFetch } from "./tools.ts";

const VARIABLES: Record<string, string | undefined> = {
  SUPABASE_URL: "http://kong:8000",
  PUBLIC_SUPABASE_URL: "https://evidence.example",
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_x"}',
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_x"}',
};

const id = (number: number) => `5f0b7f8e-0000-4000-8000-${String(number).padStart(12, "0")}`;
const opened = (number: number, bucket = "evidence", gbv = bucket === "gbv-evidence") => ({
  refused: null,
  file_id: id(number),
  bucket,
  path: `tenant/${id(number)}/photo.jpg`,
  expires_seconds: gbv ? 300 : 3600,
  gbv,
});
const MISSING = { refused: "not_found" };

interface Options {
  files: unknown;
  request?: Parameters<typeof signFiles>[2];
  variables?: typeof VARIABLES;
  gone?: string[];
  /** Paths that Storage's policies let no user sign. */
  hidden?: string[];
  failing?: string;
}

/** Asks for files of which the database says `files`; Storage signs all but those gone. */
async function read({ files, request, variables = VARIABLES, gone = [], hidden = [], failing }: Options) {
  let answers: ReturnType<typeof shown>[] = [];
  const sent = await withFetch(({ url, body, headers }) => {
    if (url.endsWith("/rest/v1/rpc/open_evidence")) {
      return files instanceof Response ? files : Response.json(files);
    }
    const bucket = url.slice("http://kong:8000/storage/v1/object/sign/".length);
    if (bucket === failing) return new Response("no", { status: 502 });
    return Response.json(
      (JSON.parse(body).paths as string[]).map((path) =>
        gone.includes(path) || hidden.includes(path) && !headers.get("apikey")!.startsWith("sb_secret_")
          ? { path, error: "not found", signedURL: null }
          : { path, error: null, signedURL: `/object/sign/${bucket}/${path}?token=t` }
      ),
    );
  }, async () => {
    const asked = Array.isArray(files) ? files : [MISSING];
    const wanted = request ?? { files: asked.map((_, index) => ({ file_id: id(index) })) };
    const services = readingServices(environmentOf(variables));
    answers = (await signFiles(services, "user-token", wanted, "request-1")).map(shown);
  });
  return { answers, sent, signing: sent.filter(({ url }) => url.includes("/object/sign/")) };
}

const who = ({ headers }: Sent) => [headers.get("apikey"), headers.get("authorization")];
const idOf = (answer: unknown) =>
  (answer as SignedUrl).file_id ?? (answer as { error: { code: string } }).error.code;

Deno.test("reading: the database is asked with the caller's own token, before Storage is", async () => {
  const request = {
    files: [{ file_id: id(1) }, { bucket: "gbv-evidence" as const, path: "t/f/x.pdf" }],
    expires_in: 60,
  };
  const { sent } = await read({ files: [opened(1), opened(2, "gbv-evidence")], request });
  assert(sent[0]!.url.endsWith("/rpc/open_evidence"));
  assertEquals(who(sent[0]!), ["sb_publishable_x", "Bearer user-token"]);
  assertEquals(JSON.parse(sent[0]!.body), { files: request.files, request_id: "request-1", expires_in: 60 });
});

Deno.test("reading: an ordinary file asked for by its path is one call, with the caller's own token", async () => {
  const { bucket, path } = opened(1, "documents");
  const request = { bucket: bucket as "documents", path };
  const { sent, answers } = await read({ files: Response.error(), request });
  assertEquals(sent.map(({ url }) => url), ["http://kong:8000/storage/v1/object/sign/documents"]);
  assertEquals(who(sent[0]!), ["sb_publishable_x", "Bearer user-token"]);
  assertEquals(JSON.parse(sent[0]!.body), { expiresIn: 3600, paths: [path] });
  assertEquals(idOf(answers[0]), id(1));
});

Deno.test("reading: what policies hide is asked of the database, with all that is not asked for by path", async () => {
  const place = (number: number) => ({ bucket: "evidence" as const, path: opened(number).path });
  const { sent, answers, signing } = await read({
    request: { files: [place(1), place(2), { file_id: id(3) }, place(4)] },
    files: [opened(2, "evidence", true), opened(3), MISSING],
    hidden: [opened(2).path, opened(4).path],
  });
  assertEquals(answers.map(idOf), [id(1), id(2), id(3), "not_found"]);
  const rpc = sent.find(({ url }) => url.endsWith("/rpc/open_evidence"))!;
  assertEquals(JSON.parse(rpc.body).files, [place(2), { file_id: id(3) }, place(4)]);
  // GBV evidence in an open bucket: by the service, and no longer than was recorded
  const byService = signing.filter(({ headers }) => headers.get("apikey") === "sb_secret_x");
  assertEquals(byService.map(({ body }) => JSON.parse(body)), [{ expiresIn: 300, paths: [opened(2).path] }]);
});

Deno.test("reading: answers come in the order asked, however files are grouped; refusals in their places", async () => {
  const files = [
    opened(1, "documents"),
    MISSING,
    opened(2),
    opened(3, "documents"),
    opened(4, "gbv-evidence"),
    opened(2),
  ];
  const { answers, signing } = await read({ files });
  assertEquals(answers.map(idOf), [id(1), "not_found", id(2), id(3), id(4), id(2)]);
  assertEquals(signing.length, 3, "one call a bucket");
  for (const answer of answers) {
    if ("error" in answer) continue;
    assertEquals(
      answer.signed_url,
      `https://evidence.example/storage/v1/object/sign/${answer.bucket}/tenant/${answer.file_id}/photo.jpg?token=t`,
    );
  }
});

Deno.test("reading: a hundred files are one call to Storage", async () => {
  const files = Array.from({ length: 100 }, (_, index) => opened(index));
  const { answers, signing } = await read({ files });
  assertEquals(answers.map(idOf), files.map(({ file_id }) => file_id));
  assertEquals(signing.length, 1);
});

Deno.test("reading: ordinary files are signed as the caller, so that policies decide once more", async () => {
  const { signing } = await read({ files: [opened(1)] });
  assertEquals(who(signing[0]!), ["sb_publishable_x", "Bearer user-token"]);
});

Deno.test("reading: GBV evidence is signed by the service, for as long as the database recorded and no longer", async () => {
  const { signing, answers } = await read({ files: [opened(1, "gbv-evidence")] });
  assertEquals(who(signing[0]!), ["sb_secret_x", null]);
  assertEquals(JSON.parse(signing[0]!.body).expiresIn, 300);
  const expires = Date.parse((answers[0] as SignedUrl).expires_at) - Date.now();
  assert(expires > 290_000 && expires <= 300_000, `${expires}`);
});

Deno.test("reading: a sensitive ticket's file still in an open bucket is not signed together with ordinary ones", async () => {
  const { signing } = await read({ files: [opened(1), opened(2, "evidence", true)] });
  assertEquals(
    signing.map((
      { body, headers },
    ) => [JSON.parse(body).paths.length, JSON.parse(body).expiresIn, headers.get("apikey")]),
    [
      [1, 3600, "sb_publishable_x"],
      [1, 300, "sb_secret_x"],
    ],
  );
});

Deno.test("reading: what the database refuses is not even asked of Storage", async () => {
  const { answers, signing } = await read({ files: [MISSING, { refused: "invalid_request" }] });
  assertEquals(answers.map(idOf), ["not_found", "invalid_request"]);
  assertEquals(signing, []);
});

Deno.test("reading: where the record cannot be written there is no URL", async () => {
  for (
    const [status, code, expected] of [[403, "42501", "forbidden"], [500, "XX000", "internal"], [
      409,
      "23505",
      "internal",
    ]] as const
  ) {
    const files = Response.json({ code, message: "no", details: null, hint: null }, { status });
    const failure = await failureOf(() => read({ files, request: { file_id: id(1) } }));
    assertInstanceOf(failure, ServiceError);
    assertEquals(failure.code, expected);
  }
});

Deno.test("reading: a refusal that the database raises reaches the caller under its code", async () => {
  for (
    const [message, status] of [["forbidden", 403], ["not_found", 404], ["invalid_request", 400]] as const
  ) {
    const files = Response.json({ code: `PT${status}`, message, details: "files", hint: null }, { status });
    assertEquals((await failureOf(() => read({ files }))).code, message);
  }
});

Deno.test("reading: a database's own words do not reach the caller", async () => {
  const files = Response.json({ code: "XX000", message: "secret", details: "secret", hint: "secret" }, {
    status: 500,
  });
  const failure = await failureOf(() => read({ files })) as ServiceError;
  assert(!JSON.stringify([failure.message, failure.details, failure.log]).includes("secret"));
});

Deno.test("reading: a file gone between record and signing is not_found; that of another bucket is given", async () => {
  const { answers } = await read({ files: [opened(1), opened(2)], gone: [opened(1).path] });
  assertEquals(answers.map(idOf), ["not_found", id(2)]);
});

Deno.test("reading: Storage out of order is an error, not an empty answer", async () => {
  const failure = await failureOf(() =>
    read({ files: [opened(1), opened(2, "documents")], failing: "documents" })
  );
  assertEquals(failure.code, "storage_unavailable");
});

Deno.test("reading: without its variables nothing is asked of anybody", async () => {
  for (const name of Object.keys(VARIABLES)) {
    const variables = { ...VARIABLES, [name]: undefined };
    const failure = await failureOf(() => read({ files: Response.error(), variables }));
    assertInstanceOf(failure, ServiceError);
    assert(["not_configured", "storage_not_configured"].includes(failure.code), failure.code);
    assertEquals(failure.log, name);
  }
});

Deno.test("reading: one file by id is asked for alone", async () => {
  const { sent } = await read({ files: [opened(1)], request: { file_id: id(1) } });
  assertEquals(JSON.parse(sent[0]!.body).files, [{ file_id: id(1) }]);
});

Deno.test("reading: the download's name is the one given, by id and by path", async () => {
  const { bucket, path } = opened(1);
  for (const reference of [{ file_id: id(1) }, { bucket: bucket as "evidence", path }]) {
    const { answers } = await read({ files: [opened(1)], request: { ...reference, download: "é 1.jpg" } });
    assertEquals(new URL((answers[0] as SignedUrl).signed_url).searchParams.get("download"), "é 1.jpg");
  }
});

Deno.test("reading: the one file asked for is given, or refused; not found and not allowed look the same", async () => {
  const request = { file_id: id(1) };
  assertEquals((await read({ files: [opened(1)], request })).answers.map(idOf), [id(1)]);
  for (
    const [files, code] of [
      [[{ refused: "not_found" }], "not_found"],
      [[{ refused: "invalid_request" }], "invalid_request"],
      [[], "not_found"],
    ] as const
  ) assertEquals((await read({ files, request })).answers.map(idOf), [code]);
});

Deno.test("reading: an answer of the database that is not understood gives no URL", async () => {
  for (const files of [[{ refused: "forbidden" }], [{ ...opened(1), expires_seconds: null }], null]) {
    const failure = await failureOf(() =>
      read({ files: files ?? Response.json(null), request: { file_id: id(1) } })
    );
    assertInstanceOf(failure, ServiceError);
    assertEquals([failure.code, failure.log], ["internal", "open_evidence answer"]);
  }
});
