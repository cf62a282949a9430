import { Buffer } from "node:buffer";
import { StorageError } from "./errors.ts";

/** A multipart/form-data body up to its first file: the fields before it, and its bytes as they arrive. */
export interface FormUpload {
  fields: Record<string, string>;
  type: string;
  body: AsyncGenerator<Uint8Array>;
}

/** Reads as Storage does: text fields first, then the first part with a filename; the rest is ignored. */
export async function readForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
): Promise<FormUpload | undefined> {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType)?.slice(1).find(Boolean);
  if (!boundary) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary.trim()}`);
  const input = new Input(body);

  const fields: Record<string, string> = {};
  // The first delimiter has no line break before it; what stands before the first part is ignored.
  input.buffer = Buffer.from("\r\n");
  for await (const _ of input.until(delimiter));
  while (await input.startsWith("\r\n")) {
    const headers = Buffer.concat(await Array.fromAsync(input.until(Buffer.from("\r\n\r\n")))).toString();
    const name = /\bname="([^"]*)"/i.exec(headers)?.[1] ?? "";
    const isFile = /\bfilename\*?=/i.test(headers);
    if (isFile) {
      const type = /^content-type:\s*(.*)$/im.exec(headers)?.[1]?.trim() || "application/octet-stream";
      return { fields, type, body: withRest(input, delimiter) };
    }
    fields[name] = Buffer.concat(await Array.fromAsync(input.until(delimiter))).toString();
  }
  return undefined;
}

/** The file, then whatever follows it, unread: a body cut short after the file must still fail. */
async function* withRest(input: Input, delimiter: Buffer): AsyncGenerator<Uint8Array> {
  yield* input.until(delimiter);
  while (await input.fill()) input.buffer = Buffer.alloc(0);
}

class Input {
  buffer = Buffer.alloc(0);
  private readonly chunks: AsyncIterator<Uint8Array>;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.chunks = body[Symbol.asyncIterator]();
  }

  async fill(): Promise<boolean> {
    const { done, value } = await this.chunks.next();
    if (value) this.buffer = this.buffer.length ? Buffer.concat([this.buffer, value]) : Buffer.from(value);
    return !done;
  }

  async startsWith(text: string): Promise<boolean> {
    while (this.buffer.length < text.length && await this.fill());
    if (!this.buffer.subarray(0, text.length).equals(Buffer.from(text))) return false;
    this.buffer = this.buffer.subarray(text.length);
    return true;
  }

  /** What stands before `mark`, in pieces, `mark` itself swallowed. A body that ends first is an error. */
  async *until(mark: Buffer): AsyncGenerator<Buffer> {
    while (true) {
      const found = this.buffer.indexOf(mark);
      const length = found >= 0 ? found : Math.max(0, this.buffer.length - mark.length + 1);
      if (length > 0) yield this.buffer.subarray(0, length);
      this.buffer = this.buffer.subarray(length);
      if (found >= 0) {
        this.buffer = this.buffer.subarray(mark.length);
        return;
      }
      if (!await this.fill()) throw new StorageError(500, "InternalError", "Unexpected end of form");
    }
  }
}
