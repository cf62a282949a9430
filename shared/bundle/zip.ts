/**
 * Reads a bundle's zip by its directory, piece by piece: one of any size needs little memory. It must be as bundles are
 * written (entries stored one after the other, each told twice), so that no bit of it can differ unseen.
 */

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
const LOCATOR_64 = 0x07064b50;
const HEADER = 0x02014b50;
const LOCAL = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const ALL = 0xffffffff;
const HEADER_SIZE = 46;
const LOCAL_SIZE = 30;
const END_SIZE = 22;
const END_64_SIZE = 76;

/** The entries, in their order. Throws where it is no such zip. */
export async function readZip(source: Source): Promise<Entry[]> {
  const { start, end } = await findDirectory(source);
  const directory = await view(source, start, end);
  const entries: Entry[] = [];
  let next = 0; // where the next entry begins
  let at = 0;
  while (at < directory.byteLength) {
    const header = part(directory, at, HEADER_SIZE);
    must(header.getUint32(0, true) === HEADER);
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((place) => header.getUint16(place, true));
    const name = part(directory, at += HEADER_SIZE, nameSize!);
    const extra = part(directory, at += nameSize!, extraSize!);
    at += extraSize!;
    const { size, offset } = placeOf(header, extra);
    // versions, flags, method (stored), attributes: those of the first
    must(
      same(part(header, 4, 8), part(directory, 4, 8)) && same(part(header, 34, 8), part(directory, 34, 8)),
    );
    must(header.getUint16(8, true) === 0x0808 && header.getUint16(10, true) === 0 && commentSize === 0);
    must(offset === next);

    const local = await view(source, next, next += LOCAL_SIZE + nameSize!);
    must(local.getUint32(0, true) === LOCAL && same(part(local, 4, 10), part(header, 6, 10)));
    must(same(part(local, 14, 12), new DataView(new ArrayBuffer(12)))); // told behind the content
    must(local.getUint16(26, true) === nameSize && local.getUint16(28, true) === 0);
    must(same(part(local, LOCAL_SIZE, nameSize!), name));
    const content = next;
    next += size;
    const descriptor = await view(source, next, next += size >= ALL ? 24 : 16);
    must(descriptor.getUint32(0, true) === DESCRIPTOR && same(part(descriptor, 4, 4), part(header, 16, 4)));
    must(
      size < ALL
        ? same(part(descriptor, 8, 8), part(header, 20, 8))
        : [8, 16].every((place) => Number(descriptor.getBigUint64(place, true)) === size),
    );

    const path = new TextDecoder("utf-8", { fatal: true }).decode(name);
    const stream = () => Promise.resolve(source.slice(content, content + size).stream());
    entries.push({ path, size, stream });
  }
  must(next === start);
  await checkEnd(source, { start, end, count: entries.length, versions: part(directory, 4, 4) });
  return entries;
}

async function findDirectory(source: Source): Promise<{ start: number; end: number }> {
  const last = await view(source, source.size - END_SIZE, source.size);
  must(last.getUint32(0, true) === END);
  let [size, start] = [last.getUint32(12, true), last.getUint32(16, true)];
  if (start === ALL || size === ALL || source.size > ALL) {
    const far = await view(source, source.size - END_SIZE - END_64_SIZE, source.size);
    if (far.getUint32(0, true) === END_64) {
      [size, start] = [40, 48].map((place) => Number(far.getBigUint64(place, true))) as [number, number];
    }
  }
  return { start, end: start + size };
}

/** An entry's size and where it begins: in the extra field where the header is too small for one of them. */
function placeOf(header: DataView, extra: DataView): { size: number; offset: number } {
  const told = [20, 24, 42].map((place) => header.getUint32(place, true));
  let [packed, size, offset] = told as [number, number, number];
  if (extra.byteLength > 0) {
    must(extra.getUint16(0, true) === 1 && extra.getUint16(2, true) === extra.byteLength - 4);
    const values = Array.from(
      { length: (extra.byteLength - 4) / 8 },
      (_, index) => Number(extra.getBigUint64(4 + 8 * index, true)),
    );
    must(values.length === 1 || values.length === 3);
    offset = values.pop()!;
    [packed, size] = values.length > 0 ? values as [number, number] : [packed, size];
  }
  must(packed === size);
  must([packed, size, offset].every((value, index) => Math.min(value, ALL) === told[index]));
  return { size, offset };
}

/** What follows the directory, to the last byte. */
async function checkEnd(
  source: Source,
  { start, end, count, versions }: { start: number; end: number; count: number; versions: DataView },
): Promise<void> {
  const isFar = source.size - end === END_64_SIZE + END_SIZE;
  const expected = new DataView(new ArrayBuffer(isFar ? END_64_SIZE + END_SIZE : END_SIZE));
  const last = part(expected, expected.byteLength - END_SIZE, END_SIZE);
  if (isFar) {
    expected.setUint32(0, END_64, true);
    expected.setBigUint64(4, 44n, true);
    expected.setUint32(12, versions.getUint32(0));
    for (const place of [24, 32]) expected.setBigUint64(place, BigInt(count), true);
    expected.setBigUint64(40, BigInt(end - start), true);
    expected.setBigUint64(48, BigInt(start), true);
    expected.setUint32(56, LOCATOR_64, true);
    expected.setBigUint64(64, BigInt(end), true);
    expected.setUint32(72, 1, true);
  }
  last.setUint32(0, END, true);
  for (const place of [8, 10]) last.setUint16(place, Math.min(count, 0xffff), true);
  last.setUint32(12, Math.min(end - start, ALL), true);
  last.setUint32(16, Math.min(start, ALL), true);
  must(same(await view(source, end, source.size), expected));
}

function must(holds: boolean): void {
  if (!holds) {
    throw new TypeError(
      "The zip is not as bundles are written: it was changed, or made anew by another program. In the second case unzip it and verify the folder.",
    );
  }
}

function part(of: DataView, start: number, size: number): DataView {
  must(start + size <= of.byteLength);
  return new DataView(of.buffer, of.byteOffset + start, size);
}

function same(one: DataView, other: DataView): boolean {
  if (one.byteLength !== other.byteLength) return false;
  for (let at = 0; at < one.byteLength; at++) if (one.getUint8(at) !== other.getUint8(at)) return false;
  return true;
}

async function view(source: Source, start: number, end: number): Promise<DataView> {
  must(start >= 0 && start <= end && end <= source.size);
  return new DataView(await new Response(source.slice(start, end).stream()).arrayBuffer());
}
