import { Busboy, type BusboyHeaders } from "@fastify/busboy";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StorageError } from "./errors.ts";

/** A multipart/form-data body up to its first file: the fields before it, and its bytes as they arrive. */
export interface FormUpload {
  fields: Record<string, string>;
  type: string;
  body: AsyncIterable<Uint8Array>;
}

/** Reads as Storage does: text fields first, then the first file; the rest is ignored. */
export async function readForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
): Promise<FormUpload | undefined> {
  const form = new Busboy({ headers: { "content-type": contentType } as BusboyHeaders });
  const fields: Record<string, string> = {};
  form.on("field", (name, value) => fields[name] = value);
  const { promise: found, resolve } = Promise.withResolvers<{ file: Readable; type: string } | undefined>();
  form.on("file", (_name, file, _filename, _encoding, type) => {
    file.on("error", () => {}); // `read` fails of it too
    resolve({ file, type });
  });
  const read = pipeline(Readable.from(body), form);
  const first = await Promise.race([found, read.then(() => undefined)]);
  if (!first) return undefined;
  read.catch((error) => first.file.destroy(error));
  return { fields, type: first.type, body: withRest(first.file, read) };
}

/** A body cut short after the file must still fail. */
async function* withRest(file: Readable, read: Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* file;
    await read;
  } catch (error) {
    throw new StorageError(500, "InternalError", (error as Error).message);
  }
}
