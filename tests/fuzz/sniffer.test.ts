// Whatever a file begins with: the sniffer names a type or none, in a moment, and a resident's file always has a type to be kept by.
import { normalType, typeOfFile } from "../../shared/file-types.ts";
import { BUCKETS } from "../../shared/storage/buckets.ts";
import { agreedType, AS_RECEIVED, sniffType, storedType } from "../../shared/storage/media-type.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { anyText, fc, holds, RUNS } from "./support.ts";

const bytes = (text: string) => Array.from(text, (sign) => sign.charCodeAt(0));

/** Beginnings after which a parser reads lengths and offsets out of the file. */
const MAGIC = [
  ...["%PDF-", "GIF8", "RIFF\0\0\0\0WEBP", "OggS", "ID3\x04\0\0", "#!AMR", "PK\x03\x04", "PK\x07\x08"],
  ...["\0\0\0\x18ftypmp42", "\0\0\0\x18ftypheic", "\0\0\0\x18ftypM4V ", "\0\0\0\x08ftyp", "\xff\xffftypqt  "],
  ...[
    "\xff\xd8\xff",
    "\x89PNG\r\n\x1a\n",
    "\xff\xfb",
    "\xff\xf1",
    "\x1a\x45\xdf\xa3",
    "fLaC",
    "II*\0",
    "MM\0*",
  ],
  ...[
    "BM",
    "8BPS",
    "\x1f\x8b",
    "Rar!\x1a\x07",
    "7z\xbc\xaf\x27\x1c",
    "MZ",
    "\x7fELF",
    "<?xml ",
    "<svg",
    "<!doctype html",
  ],
  ...[
    "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "\xef\xbb\xbf",
    "\xfe\xff",
    "FORM",
    "ustar",
  ],
  ...[
    "\0\0\0\x0cJXL ",
    "\x76\x2f\x31\x01",
    "\x28\xb5\x2f\xfd",
    "BLENDER",
    "FLV\x01",
    "\xca\xfe\xba\xbe",
    "BEGIN:VCARD",
  ],
].map(bytes);

const heads = fc.tuple(
  fc.oneof({ weight: 1, arbitrary: fc.constant<number[]>([]) }, {
    weight: 8,
    arbitrary: fc.constantFrom(...MAGIC),
  }),
  fc.array(
    fc.oneof(
      fc.constantFrom(...MAGIC),
      fc.constantFrom([0], [0xff], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff]),
      fc.uint8Array({ maxLength: 64 }).map((array) => [...array]),
    ),
    { maxLength: 12 },
  ),
  fc.integer({ min: 0, max: 5000 }),
).map(([magic, rest, length]) => new Uint8Array([...magic, ...rest.flat()].slice(0, length)));

const HEADS = RUNS * 10;

Deno.test(`${HEADS} arbitrary heads of bytes: the sniffer names a type or none, and never fails`, async () => {
  const found = new Set<string | undefined>();
  let slowest = 0;
  const declared = fc.oneof(anyText, fc.constantFrom(...BUCKETS.evidence.types));
  await holds(HEADS, fc.tuple(heads, declared, anyText), async ([head, said, name]) => {
    const before = head.slice();
    const begun = performance.now();
    const sniffed = await sniffType(head);
    slowest = Math.max(slowest, performance.now() - begun);
    found.add(sniffed);
    assert(sniffed === undefined || /^[a-z]+\/[a-z0-9.+-]+$/.test(sniffed), sniffed);
    assertEquals(head, before, "the file's bytes are changed");

    const stored = storedType(said, sniffed, BUCKETS["gbv-evidence"].types);
    assert(
      stored && BUCKETS["gbv-evidence"].types.includes(stored),
      "a resident's file without a type to be kept by",
    );
    assert(stored === AS_RECEIVED || sniffed !== undefined, "the type is the sender's word alone");
    assert([undefined, normalType(said)].includes(agreedType(said, sniffed)));
    assertEquals(normalType(normalType(said)), normalType(said));
    assert(typeof typeOfFile(said, name) === "string" && typeOfFile(said, name) !== "");
  });
  assert(found.size > 15, `only ${found.size} types: the heads are too plain`);
  assert(slowest < 1000, `${Math.round(slowest)} ms for some bytes`);
});
