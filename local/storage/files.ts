import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** What Storage records of a file's bytes in `storage.objects.metadata`. */
export interface ObjectMetadata extends Record<string, unknown> {
  eTag: string;
  size: number;
  mimetype: string;
  cacheControl: string;
  lastModified: string;
  contentLength: number;
  httpStatusCode: number;
}

/** The stored bytes: one file for each version, so that an overwrite never touches the old one. */
export class Files {
  /** The Cache-Control that came with each version's bytes: the server answers with it, whatever the row says. */
  private readonly cacheControls = new Map<string, string>();

  constructor(private readonly directory: string) {}

  static async in(directory: string): Promise<Files> {
    await Deno.mkdir(directory, { recursive: true });
    return new Files(directory);
  }

  path(version: string): string {
    return `${this.directory}/${version}`;
  }

  /** Streams a body to a new file. A body that ends in error leaves no file. */
  async write(version: string, body: AsyncIterable<Uint8Array>, type: string, cacheControl: string) {
    try {
      await this.append(version, 0, body);
      return await this.describe(version, type, cacheControl);
    } catch (failure) {
      await this.remove(version);
      throw failure;
    }
  }

  /** Writes from an offset on and returns the new end; what had arrived before an error stays. */
  async append(version: string, offset: number, body: AsyncIterable<Uint8Array>): Promise<number> {
    const file = await open(this.path(version), offset === 0 ? "w" : "r+");
    try {
      for await (const chunk of body) {
        for (let written = 0; written < chunk.length;) {
          const { bytesWritten } = await file.write(chunk, written, chunk.length - written, offset);
          written += bytesWritten;
          offset += bytesWritten;
        }
      }
      return offset;
    } finally {
      await file.close();
    }
  }

  async copy(from: string, to: string, type: string, cacheControl: string): Promise<ObjectMetadata> {
    await Deno.copyFile(this.path(from), this.path(to));
    return await this.describe(to, type, cacheControl);
  }

  async remove(version: string | null): Promise<void> {
    if (!version) return;
    await Deno.remove(this.path(version)).catch((failure) => {
      if (!(failure instanceof Deno.errors.NotFound)) throw failure;
    });
  }

  /** The bytes from `start` to `end` (inclusive) as a stream. */
  async read(version: string, start: number, end: number): Promise<ReadableStream<Uint8Array>> {
    const file = await open(this.path(version));
    let position = start;
    return new ReadableStream({
      async pull(controller) {
        const wanted = Math.min(256 * 1024, end + 1 - position);
        const { bytesRead, buffer } = wanted > 0
          ? await file.read(new Uint8Array(wanted), 0, wanted, position)
          : { bytesRead: 0, buffer: new Uint8Array() };
        if (bytesRead === 0) {
          await file.close();
          return controller.close();
        }
        position += bytesRead;
        controller.enqueue(buffer.subarray(0, bytesRead));
      },
      async cancel() {
        await file.close();
      },
    }, { highWaterMark: 0 });
  }

  cacheControl(version: string | null): string {
    return this.cacheControls.get(version ?? "") ?? "no-cache";
  }

  /** Complete metadata of a file that has arrived. */
  async describe(version: string, type: string, cacheControl: string): Promise<ObjectMetadata> {
    this.cacheControls.set(version, cacheControl);
    const hash = createHash("md5");
    const { size, mtime } = await Deno.stat(this.path(version));
    for await (const chunk of await this.read(version, 0, size - 1)) hash.update(chunk);
    return {
      eTag: `"${hash.digest("hex")}"`,
      size,
      mimetype: type,
      cacheControl,
      lastModified: (mtime ?? new Date()).toISOString(),
      contentLength: size,
      httpStatusCode: 200,
    };
  }
}
