import * as z from "zod";
import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { SignedUrlRequest } from "../../shared/contracts.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { readJson, readText } from "../../shared/request/body.ts";
import { failureOf, withFastTimers } from "./tools.ts";

const LIMIT = 128 * 1024;
const Schema = z.strictObject({ name: z.string() });

function post(body: BodyInit | null, headers: HeadersInit = {}): Request {
  return new Request("http://localhost/", { method: "POST", body, headers });
}

async function refused(code: string, work: () => Promise<unknown>): Promise<ServiceError> {
  const error = await failureOf(work);
  assertInstanceOf(error, ServiceError, `${error.stack}`);
  assertEquals(error.code, code);
  return error;
}

/** A body without end, that knows how much of it was read. */
function endless() {
  const state = { read: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      state.read += 16 * 1024;
      controller.enqueue(new Uint8Array(16 * 1024).fill(97));
    },
    cancel: () => void (state.cancelled = true),
  }, { highWaterMark: 0 });
  return { body, state };
}

Deno.test("body: a text up to the limit is read whole, characters cut by chunks too", async () => {
  assertEquals(await readText(post("x".repeat(LIMIT))), "x".repeat(LIMIT));
  const bytes = new TextEncoder().encode("Môre 🆘 中");
  const chunks = ReadableStream.from([...bytes].map((byte) => new Uint8Array([byte])));
  assertEquals(await readText(post(chunks)), "Môre 🆘 中");
  assertEquals(await readText(post(null)), "");
});

Deno.test("body: one byte over the limit is payload_too_large", async () => {
  await refused("payload_too_large", () => readText(post("x".repeat(LIMIT + 1))));
  await refused("payload_too_large", () => readText(post("é".repeat(LIMIT / 2 + 1))));
});

Deno.test("body: of an endless body no more than the limit and a chunk is read, and the rest cancelled", async () => {
  const { body, state } = endless();
  await refused("payload_too_large", () => readText(post(body)));
  assert(state.read <= LIMIT + 32 * 1024, `${state.read}`);
  assert(state.cancelled);
});

Deno.test("body: one announced as too large is refused unread, and cancelled", async () => {
  const { body, state } = endless();
  const request = { headers: new Headers({ "content-length": `${LIMIT + 1}` }), body } as unknown as Request;
  await refused("payload_too_large", () => readText(request));
  assertEquals(state, { read: 0, cancelled: true });
});

Deno.test("body: what is no UTF-8 is refused, cut off as well", async () => {
  for (const bytes of [[0xff, 0xfe], [0x7b, 0xc3, 0x28], [0xf0, 0x9f, 0x86]]) {
    await refused("invalid_request", () => readText(post(new Uint8Array(bytes))));
  }
});

Deno.test("body: a connection that breaks is an invalid request, not a crash", async () => {
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
  await refused("invalid_request", () => readText(post(broken)));
});

Deno.test("body: none and no JSON are told apart, and nothing of it is quoted", async () => {
  assertEquals(
    (await refused("invalid_request", () => readJson(post(null), Schema))).message,
    "The body is empty.",
  );
  for (const body of ["secret words", "{", "{'name': 'secret'}", "undefined", "name=secret"]) {
    const error = await refused("invalid_request", () => readJson(post(body), Schema));
    assertEquals(error.message, "The body is not JSON.");
    assertEquals(error.details, undefined);
  }
});

Deno.test("body: JSON of another shape is refused with where and why", async () => {
  const shapes: [string, string[]][] = [
    ["null", [""]],
    ["[]", [""]],
    ['"x"', [""]],
    ["{}", ["name"]],
    ['{"name": 1}', ["name"]],
    ['{"name": "x", "more": 1}', [""]],
    ['{"name": "x", "__proto__": {"a": 1}}', [""]],
  ];
  for (const [body, paths] of shapes) {
    const error = await refused("invalid_request", () => readJson(post(body), Schema));
    assertEquals(error.details?.map(({ path }) => path), paths, body);
  }
  assertEquals(await readJson(post('{"name": "x"}'), Schema), { name: "x" });
});

Deno.test("body: in a request of several shapes the detail is about the nearest one, to the very file", async () => {
  const body = JSON.stringify({ files: [{ file_id: crypto.randomUUID() }, { file_id: "x" }] });
  const error = await refused("invalid_request", () => readJson(post(body), SignedUrlRequest));
  assertEquals(error.details?.map(({ path }) => path), ["files.1.file_id"]);
});

Deno.test("body: one that trickles in is given up after ten seconds, and cancelled", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
    cancel: () => void (cancelled = true),
  });
  const delays = await withFastTimers(10_000, async () => {
    const error = await refused("invalid_request", () => readText(post(body)));
    assertEquals(error.message, "The body did not come in time.");
  });
  assert(delays.includes(10_000), `${delays}`);
  assert(cancelled, "its connection is held");
});
