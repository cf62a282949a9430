/** Hashing a file: SHA-256 and size of its bytes as they stream by. */
import { createHash } from "node:crypto";
import { concat } from "deno-std/bytes/concat.js";
import { encodeHex } from "deno-std/encoding/hex.js";
import { StorageServiceError } from "../platform/errors.ts";

/** Bytes that tell a file's type. */
const SNIFFED = 8 * 1024;

/** Bytes on their way in. */
export interface Incoming {
  body: ReadableStream<Uint8Array>;
  /** Bytes announced by Content-Length, if any. */
  announcedBytes?: number;
}

/** Size and SHA-256 of a stream, and its first bytes (some KB at least, if it has them). */
export async function digest(
  body: ReadableStream<Uint8Array>,
): Promise<{ file_size: number; sha256: string; head: Uint8Array }> {
  const meter = new Meter({ body }, Infinity);
  let head = new Uint8Array();
  for (let chunk = await meter.read(); chunk; chunk = await meter.read()) {
    if (head.length < SNIFFED) head = concat([head, chunk.subarray(0, SNIFFED)]);
  }
  return { ...meter.result(), head };
}

/** Bytes that this isolate has hashed in its life. */
export const hashed = { bytes: 0 };

/** Reads a source, counting and hashing; fails once it is too long, and at its end if it is not as announced. */
export class Meter {
  failure?: StorageServiceError;
  /** Whether the source was read to its end: only then is `result` that of the whole. */
  ended = false;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private readonly hash = createHash("sha256");
  private bytes = 0;

  constructor(private readonly source: Incoming, private readonly maxBytes: number) {
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
