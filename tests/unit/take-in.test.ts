import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { StorageServiceError } from "../../shared/platform/errors.ts";
import type { StorageService } from "../../shared/storage/service.ts";
import { digest } from "../../shared/storage/hash.ts";
import { type Source, takeIn } from "../../shared/storage/take-in.ts";
import { failureOf } from "./tools.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const TARGET = { bucket: "evidence", path: "t/f/x.jpg" } as const;

/** A JPEG's beginning, then bytes of no pattern. */
function jpeg(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  bytes.set([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1].slice(0, size));
  return bytes;
}

/** A source that gives its bytes in chunks, only when asked, and knows what became of it. */
class FakeSource implements Source {
  readonly body: ReadableStream<Uint8Array>;
  readonly declaredType: string;
  readonly announcedBytes?: number;
  given = 0;
  cancelled = false;

  constructor(
    bytes: Uint8Array,
    options: { chunk?: number; type?: string; announced?: number; breaksAt?: number; endless?: boolean } = {},
  ) {
    const { chunk = 64 * KiB, type = "image/jpeg", announced, breaksAt = Infinity, endless } = options;
    this.declaredType = type;
    this.announcedBytes = announced;
    this.body = new ReadableStream({
      pull: (controller) => {
        if (this.given >= breaksAt) return controller.error(new Error("connection lost"));
        if (this.given >= (endless ? 32 * MiB : bytes.length)) return controller.close();
        const next = endless && this.given >= bytes.length
          ? new Uint8Array(chunk)
          : bytes.subarray(this.given, this.given + chunk);
        this.given += next.length;
        controller.enqueue(next);
      },
      cancel: () => void (this.cancelled = true),
    }, { highWaterMark: 0 });
  }
}

/** Storage that keeps what reaches its end, as the real one does. */
class FakeStorage {
  calls = 0;
  stored?: Uint8Array;
  contentType?: string;
  asStream = false;

  constructor(private readonly failure?: StorageServiceError) {}

  async upload(
    _: unknown,
    body: Uint8Array | ReadableStream<Uint8Array>,
    contentType: string,
  ): Promise<void> {
    this.calls++;
    this.contentType = contentType;
    this.asStream = body instanceof ReadableStream;
    if (this.failure) throw this.failure;
    try {
      this.stored = new Uint8Array(await new Response(body as BodyInit).arrayBuffer());
    } catch (cause) {
      throw new StorageServiceError("storage_unavailable", "aborted", "storage_unavailable", { cause });
    }
  }
}

function take(
  storage: FakeStorage,
  source: Source,
  maxBytes = 16 * MiB,
  bucket: "evidence" | "documents" = "evidence",
) {
  return takeIn(storage as unknown as StorageService, source, { ...TARGET, bucket }, maxBytes);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** It fails for this reason and Storage keeps nothing. */
async function refused(
  reason: string,
  source: FakeSource,
  maxBytes?: number,
  bucket?: "evidence" | "documents",
): Promise<FakeStorage> {
  const storage = new FakeStorage();
  const error = await failureOf(() => take(storage, source, maxBytes, bucket));
  assertInstanceOf(error, StorageServiceError, `${error.stack}`);
  assertEquals(error.reason, reason);
  assertEquals(storage.stored, undefined, "something was stored");
  return storage;
}

for (const size of [12, 100 * KiB, MiB - 1, MiB, MiB + 1, 3 * MiB + 7, 16 * MiB]) {
  Deno.test(`taking in: a file of ${size} bytes is stored as it came, with its size and hash`, async () => {
    const bytes = jpeg(size);
    const storage = new FakeStorage();
    const taken = await take(storage, new FakeSource(bytes, { announced: size }));
    assertEquals(taken, { content_type: "image/jpeg", file_size: size, sha256: await sha256(bytes) });
    assertEquals(await sha256(storage.stored as Uint8Array<ArrayBuffer>), taken.sha256);
    assertEquals(storage.contentType, "image/jpeg");
  });
}

Deno.test("taking in: what fits into the head goes in one piece, what does not is streamed", async () => {
  for (const [size, streamed] of [[MiB - 1, false], [MiB + 64 * KiB, true]] as const) {
    const storage = new FakeStorage();
    await take(storage, new FakeSource(jpeg(size)));
    assertEquals(storage.asStream, streamed);
  }
});

Deno.test("taking in: without Content-Length, in chunks of any size, the hash is right", async () => {
  const bytes = jpeg(200_003);
  for (const chunk of [199, 4_096, 65_537, 10 * MiB]) {
    const taken = await take(new FakeStorage(), new FakeSource(bytes, { chunk }));
    assertEquals([taken.file_size, taken.sha256], [bytes.length, await sha256(bytes)]);
  }
});

Deno.test("taking in: a file announced as too large is refused before a byte is read", async () => {
  const source = new FakeSource(jpeg(MiB), { announced: 16 * MiB + 1 });
  const storage = await refused("payload_too_large", source);
  assertEquals([source.given, storage.calls, source.cancelled], [0, 0, true]);
});

Deno.test("taking in: of an endless file no more is read than the limit and one chunk", async () => {
  for (const limit of [100 * KiB, 2 * MiB]) {
    const source = new FakeSource(jpeg(1000), { endless: true });
    await refused("payload_too_large", source, limit);
    assert(source.given <= limit + 64 * KiB, `${source.given} of ${limit}`);
    assert(source.cancelled);
  }
});

Deno.test("taking in: one byte over the limit is refused, one under is not", async () => {
  for (const limit of [50 * KiB, MiB, 2 * MiB]) {
    await refused("payload_too_large", new FakeSource(jpeg(limit + 1)), limit);
    assertEquals((await take(new FakeStorage(), new FakeSource(jpeg(limit)), limit)).file_size, limit);
  }
});

Deno.test("taking in: the bucket's own limit holds where it is the smaller", async () => {
  const source = new FakeSource(jpeg(10 * MiB + 1));
  await refused("payload_too_large", source, 16 * MiB, "documents");
  await refused(
    "payload_too_large",
    new FakeSource(jpeg(12), { announced: 10 * MiB + 1 }),
    16 * MiB,
    "documents",
  );
});

Deno.test("taking in: a file shorter or longer than announced is refused, small and streamed", async () => {
  for (const size of [50 * KiB, 3 * MiB]) {
    for (const announced of [size - 1, size + 1, 0]) {
      const source = new FakeSource(jpeg(size), { announced });
      await refused("length_mismatch", source);
      assert(source.given <= size);
    }
  }
});

Deno.test("taking in: an empty file is refused", async () => {
  const storage = await refused("length_mismatch", new FakeSource(new Uint8Array()));
  assertEquals(storage.calls, 0);
  await refused("length_mismatch", new FakeSource(new Uint8Array(), { announced: 0 }));
});

Deno.test("taking in: a connection that breaks leaves nothing, and it is Twilio's fault, not Storage's", async () => {
  const early = await refused("media_unavailable", new FakeSource(jpeg(100 * KiB), { breaksAt: 64 * KiB }));
  assertEquals(early.calls, 0);
  const late = await refused("media_unavailable", new FakeSource(jpeg(4 * MiB), { breaksAt: 3 * MiB }));
  assertEquals(late.calls, 1);
});

Deno.test("taking in: the bytes decide; what is of no type we know is stored as received", async () => {
  const html = new TextEncoder().encode("<!doctype html><script>alert(1)</script>");
  const elf = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Uint8Array(60)]);
  for (
    const [bytes, declared, stored] of [
      [jpeg(5 * MiB), "image/png", "image/jpeg"],
      [jpeg(5000), "text/html", "image/jpeg"],
      [jpeg(5000), "", "image/jpeg"],
      [html, "image/jpeg", "application/octet-stream"],
      [html, "text/html", "application/octet-stream"],
      [elf, "application/x-elf", "application/octet-stream"],
      [new TextEncoder().encode("\n\n%PDF-1.7\n"), "application/pdf", "application/pdf"],
    ] as const
  ) {
    const storage = new FakeStorage();
    const taken = await take(storage, new FakeSource(bytes, { type: declared }));
    assertEquals([taken.content_type, storage.contentType], [stored, stored], declared);
  }
});

Deno.test("taking in: a type that the bucket does not accept is refused though it is what it says", async () => {
  const voice = await Deno.readFile(new URL("../../examples/media/voice-note.ogg", import.meta.url));
  const storage = await refused(
    "unsupported_media_type",
    new FakeSource(voice, { type: "audio/ogg" }),
    16 * MiB,
    "documents",
  );
  assertEquals(storage.calls, 0);
});

Deno.test("taking in: a type is stored under its plain name", async () => {
  const voice = await Deno.readFile(new URL("../../examples/media/voice-note.ogg", import.meta.url));
  const storage = new FakeStorage();
  const taken = await take(storage, new FakeSource(voice, { type: "Audio/OGG; codecs=opus" }));
  assertEquals([taken.content_type, storage.contentType], ["audio/ogg", "audio/ogg"]);
});

Deno.test("taking in: a refusal by Storage is passed on, and the source let go", async () => {
  const failure = new StorageServiceError("invalid_request", "stored already", "already_stored");
  for (const size of [10 * KiB, 3 * MiB]) {
    const source = new FakeSource(jpeg(size), { chunk: 8 * KiB });
    assertEquals(await failureOf(() => take(new FakeStorage(failure), source)), failure);
    if (size > MiB) assert(source.cancelled && source.given < size);
  }
});

Deno.test("taking in: Storage that says yes before it has the whole file is not believed", async () => {
  const hasty = { upload: () => Promise.resolve() } as unknown as StorageService;
  const source = new FakeSource(jpeg(3 * MiB));
  const error = await failureOf(() => takeIn(hasty, source, TARGET, 16 * MiB));
  assertInstanceOf(error, StorageServiceError);
  assertEquals(error.reason, "storage_unavailable");
});

Deno.test("taking in: only a fault of the bytes themselves is final", async () => {
  const finals: Record<string, boolean> = {};
  for (
    const source of [
      new FakeSource(jpeg(2 * MiB)),
      new FakeSource(jpeg(10), { announced: 11 }),
      new FakeSource(jpeg(10), { breaksAt: 0 }),
    ]
  ) {
    const error = await failureOf(() => take(new FakeStorage(), source, MiB)) as StorageServiceError;
    finals[error.reason] = error.final;
  }
  assertEquals(finals, {
    payload_too_large: true,
    length_mismatch: false,
    media_unavailable: false,
  });
});

Deno.test("digest: size and hash of a stream of any length", async () => {
  const bytes = jpeg(2 * MiB + 3);
  const { head, ...found } = await digest(new FakeSource(bytes).body);
  assertEquals(found, { file_size: bytes.length, sha256: await sha256(bytes) });
  assert(head.length >= 8 * KiB && head.every((byte, index) => byte === bytes[index]), "the head");
});
