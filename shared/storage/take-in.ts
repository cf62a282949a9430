/** Taking a file in from a stream of unknown honesty: bounded, checked, hashed on the way to Storage. */
import { concat } from "deno-std/bytes/concat.js";
import { BUCKETS } from "./buckets.ts";
import { StorageServiceError } from "../platform/errors.ts";
import { type Incoming, Meter } from "./hash.ts";
import { sniffType, storedType } from "./media-type.ts";
import type { StorageService, StoredFile } from "./service.ts";

/**
 * Bytes read before anything is sent: enough to tell the type, and a file that fits is sent as one piece (a stream made
 * in JavaScript stalls on small files).
 */
const HEAD = 1024 * 1024;

/** What is offered. */
export interface Source extends Incoming {
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
