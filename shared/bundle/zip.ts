/** Reads a zip of stored entries by its central directory, piece by piece: a bundle of any size needs little memory. */

/** Bytes that can be read from anywhere; a Blob is one. */
export interface Source {
  size: number;
  slice(start: number, end: number): { stream(): ReadableStream<Uint8Array<ArrayBuffer>> };
}

export interface Entry {
  path: string;
  size: number;
  stream(): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const HEADER = 0x02014b50;
const LOCAL = 0x04034b50;
const ALL = 0xffffffff;

/** The entries, in their order. Throws where it is no such zip. */
export async function readZip(source: Source): Promise<Entry[]> {
  const tail = Math.max(0, source.size - 65_557);
  const end = await view(source, tail, source.size);
  let at = end.byteLength - 22;
  while (at >= 0 && end.getUint32(at, true) !== END) at--;
  if (at < 0) throw new TypeError("no zip");
  let [size, start] = [end.getUint32(at + 12, true), end.getUint32(at + 16, true)];
  if (start === ALL || size === ALL || end.getUint16(at + 10, true) === 0xffff) {
    if (at < 20) throw new TypeError("no zip");
    const far = Number(end.getBigUint64(at - 20 + 8, true));
    const end64 = await view(source, far, far + 56);
    if (end64.getUint32(0, true) !== END_64) throw new TypeError("no zip");
    [size, start] = [Number(end64.getBigUint64(40, true)), Number(end64.getBigUint64(48, true))];
  }
  const directory = await view(source, start, start + size);
  const entries: Entry[] = [];
  for (let at = 0; at < directory.byteLength;) {
    if (directory.getUint32(at, true) !== HEADER) throw new TypeError("no zip");
    const [name, extra, comment] = [28, 30, 32].map((offset) => directory.getUint16(at + offset, true));
    const path = new TextDecoder("utf-8", { fatal: true }).decode(
      new Uint8Array(directory.buffer, directory.byteOffset + at + 46, name),
    );
    let [packed, size, local] = [20, 24, 42].map((offset) => directory.getUint32(at + offset, true));
    if (packed === ALL || size === ALL || local === ALL) {
      let field = at + 46 + name!;
      while (directory.getUint16(field, true) !== 1) field += 4 + directory.getUint16(field + 2, true);
      let value = field + 4;
      const next = () => Number(directory.getBigUint64((value += 8) - 8, true));
      if (size === ALL) size = next();
      if (packed === ALL) packed = next();
      if (local === ALL) local = next();
    }
    if (directory.getUint16(at + 10, true) !== 0 || packed !== size) {
      throw new TypeError(`${path} is compressed`);
    }
    entries.push({ path, size: size!, stream: () => content(source, path, local!, size!) });
    at += 46 + name! + extra! + comment!;
  }
  return entries;
}

async function content(source: Source, path: string, local: number, size: number) {
  const header = await view(source, local, local + 30);
  const name = header.getUint16(26, true);
  const named = await view(source, local + 30, local + 30 + name);
  // the name that unzip would use is the one in the directory
  if (header.getUint32(0, true) !== LOCAL || new TextDecoder().decode(named) !== path) {
    throw new TypeError("no zip");
  }
  const start = local + 30 + name + header.getUint16(28, true);
  return source.slice(start, start + size).stream();
}

async function view(source: Source, start: number, end: number): Promise<DataView> {
  if (start < 0 || end > source.size) throw new TypeError("no zip");
  return new DataView(await new Response(source.slice(start, end).stream()).arrayBuffer());
}
