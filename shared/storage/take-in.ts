/** Taking a file in from a stream of unknown honesty: bounded, checked, hashed on the way to Storage. */
import { createHash } from "node:crypto";
import { concat } from "deno-std/bytes/concat.js";
import { encodeHex } from "deno-std/encoding/hex.js";
import { BUCKETS } from "./buckets.ts";
import { StorageServiceError } from "../platform/errors.ts";
import { sniffType, storedType } from "./media-type.ts";
import type { StorageService, StoredFile } from "./service.ts";

/**
 * Bytes read before anything is sent: enough to tell the type, and a file that fits is sent as one piece (a stream made
 * in JavaScript stalls on small files).
 */
const HEAD = 1024 * 1024;

/** Bytes that tell a file's type. */
const SNIFFED = 8 * 1024;

/** What is offered. */
export interface Source {
  body: ReadableStream<Uint8Array>;
  /** Bytes announced by Content-Length, if any. */
  announcedBytes?: number;
  declaredType: string;
}

/** What was stored: exactly these bytes, with this hash. */
export interface TakenIn {
  content_type: string;
  file_size: number;
  /** Hex. */
  sha256: string;
}

/**
 * Reads the source once and stores it under the type that its bytes show, or as received. Nothing is stored, and
 * StorageServiceError thrown, if it is larger than `maxBytes` or the bucket's limit (no more than that is read), shorter
 * or longer than announced, or of a type that the bucket does not accept.
 */
export async function takeIn(
  storage: StorageService,
  source: Source,
  target: StoredFile,
  maxBytes: number,
): Promise<TakenIn> {
  const limits = BUCKETS[target.bucket];
  const meter = new Meter(source, Math.min(maxBytes, limits.maxBytes));
  try {
    const { head, ended } = await readHead(meter);
    const contentType = storedType(source.declaredType, await sniffType(head), limits.types);
    if (!contentType) {
      throw new StorageServiceError(
        "unsupported_media_type",
        "Files of this type are not accepted.",
        "unsupported_media_type",
      );
    }
    await storage.upload(target, ended ? head : stream(head, meter), contentType);
    if (!meter.ended) {
      throw new StorageServiceError(
        "storage_unavailable",
        "Storage took only a part of the file.",
        "storage_unavailable",
      );
    }
    return { content_type: contentType, ...meter.result() };
  } catch (error) {
    // a body that breaks makes Storage's client fail: the reason is the body's
    throw meter.failure ?? error;
  } finally {
    await meter.cancel();
  }
}

/** Size and SHA-256 of a stream, and its first bytes (some KB at least, if it has them). */
export async function digest(
  body: ReadableStream<Uint8Array>,
): Promise<{ file_size: number; sha256: string; head: Uint8Array }> {
  const meter = new Meter({ body, declaredType: "" }, Infinity);
  let head = new Uint8Array();
  for (let chunk = await meter.read(); chunk; chunk = await meter.read()) {
    if (head.length < SNIFFED) head = concat([head, chunk.subarray(0, SNIFFED)]);
  }
  return { ...meter.result(), head };
}

/** Bytes that this isolate has hashed in its life. */
export const hashed = { bytes: 0 };

/** Reads a source, counting and hashing; fails once it is too long, and at its end if it is not as announced. */
class Meter {
  failure?: StorageServiceError;
  /** Whether the source was read to its end: only then is `result` that of the whole. */
  ended = false;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private readonly hash = createHash("sha256");
  private bytes = 0;

  constructor(private readonly source: Source, private readonly maxBytes: number) {
    this.reader = source.body.getReader();
  }

  /** The next chunk, or undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    const announced = this.source.announcedBytes;
    if ((announced ?? 0) > this.maxBytes) throw this.fail("payload_too_large");
    let next: ReadableStreamReadResult<Uint8Array>;
    try {
      next = await this.reader.read();
    } catch (cause) {
      throw this.fail("media_unavailable", cause);
    }
    if (next.done) {
      if (this.bytes === 0 || this.bytes !== (announced ?? this.bytes)) throw this.fail("length_mismatch");
      this.ended = true;
      return undefined;
    }
    this.bytes += next.value.byteLength;
    if (this.bytes > this.maxBytes) throw this.fail("payload_too_large");
    hashed.bytes += next.value.byteLength;
    this.hash.update(next.value);
    return next.value;
  }

  result(): { file_size: number; sha256: string } {
    return { file_size: this.bytes, sha256: encodeHex(this.hash.digest()) };
  }

  /** Lets go of the source; nothing to be done about it where that fails. */
  async cancel(): Promise<void> {
    await this.reader.cancel().catch(() => {});
  }

  private fail(reason: "payload_too_large" | "length_mismatch" | "media_unavailable", cause?: unknown) {
    return this.failure = reason === "payload_too_large"
      ? new StorageServiceError(reason, `The file is larger than ${this.maxBytes} bytes.`, reason)
      : new StorageServiceError("storage_unavailable", "The file came incomplete.", reason, { cause });
  }
}

async function readHead(meter: Meter): Promise<{ head: Uint8Array; ended: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < HEAD) {
    const chunk = await meter.read();
    if (!chunk) return { head: concat(chunks), ended: true };
    chunks.push(chunk);
    bytes += chunk.byteLength;
  }
  return { head: concat(chunks), ended: false };
}

function stream(head: Uint8Array, rest: Meter): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(head),
    async pull(controller) {
      const chunk = await rest.read();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
  });
}
