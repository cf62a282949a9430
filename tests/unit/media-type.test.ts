import { assert, assertEquals } from "../support/assert.ts";
import { BUCKETS } from "../../shared/storage/buckets.ts";
import { normalType, typeOfFile } from "../../shared/file-types.ts";
import { agreedType, sniffType, storedType } from "../../shared/storage/media-type.ts";
import { randomNumbers } from "./tools.ts";

const SAMPLES = new URL("../../examples/media/", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", SAMPLES));
/** Names and types as the table of examples/media/README.md has them. */
const samples = [...readme.matchAll(/^\| ([\w.-]+) \|.*\| ([a-z]+\/[a-z0-9-]+) \| \d+ \|$/gm)]
  .map(([, name, type]) => ({ name: name!, type: type! }));

Deno.test("media type: every sample file is known by its bytes, and accepted as evidence", async () => {
  assert(samples.length >= 14, "the table of samples was read");
  for (const { name, type } of samples) {
    const sniffed = await sniffType(await Deno.readFile(new URL(name, SAMPLES)));
    assertEquals(sniffed, type, name);
    assert(BUCKETS.evidence.types.includes(sniffed!), `${type} is accepted`);
    assertEquals(agreedType(type, sniffed), type);
  }
});

Deno.test("media type: there is a sample of every accepted type but audio/mp4, which the bytes show as audio/x-m4a", () => {
  const missing = BUCKETS.evidence.types.filter((type) =>
    type !== "application/octet-stream" && !samples.some((sample) => sample.type === type)
  );
  assertEquals(missing, ["audio/mp4"]);
});

Deno.test("media type: a sample is known by its first kilobytes too", async () => {
  for (const { name, type } of samples) {
    const bytes = await Deno.readFile(new URL(name, SAMPLES));
    assertEquals(await sniffType(bytes.subarray(0, 4096)), type, name);
  }
});

const text = (content: string) => new TextEncoder().encode(content);
const NOT_ACCEPTED: Record<string, Uint8Array> = {
  "an SVG with a script": text(
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
  ),
  "an SVG without a prolog": text('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
  "an HTML page": text("<!doctype html><script>alert(1)</script>"),
  "plain text": text("I saw it happen."),
  "a script": text("#!/bin/sh\nrm -rf /\n"),
  "a vCard": text("BEGIN:VCARD\nVERSION:3.0\nFN:Thandi\nEND:VCARD"),
  "nothing": new Uint8Array(),
  "one byte": new Uint8Array([0xff]),
  "zeros": new Uint8Array(5000),
  "a zip": new Uint8Array([0x50, 0x4b, 3, 4, ...new Uint8Array(26), 0x61]),
  "an empty zip": new Uint8Array([0x50, 0x4b, 5, 6, ...new Uint8Array(18)]),
  "a Windows program": text("MZ" + "\0".repeat(100)),
  "an ELF program": new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Uint8Array(60)]),
  "a WebAssembly module": new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
};
for (const [what, bytes] of Object.entries(NOT_ACCEPTED)) {
  Deno.test(`media type: ${what} is of no accepted type, whatever it says it is`, async () => {
    const sniffed = await sniffType(bytes);
    assert(!BUCKETS.evidence.types.includes(sniffed ?? ""), `${sniffed}`);
    for (const declared of [...BUCKETS.evidence.types, ""]) {
      assertEquals(agreedType(declared, sniffed), undefined);
      assertEquals(storedType(declared, sniffed, BUCKETS.evidence.types), "application/octet-stream");
      assertEquals(storedType(declared, sniffed, BUCKETS.documents.types), undefined);
    }
  });
}

Deno.test("media type: 3,000 files of a true beginning and a random rest do not upset the sniffer", async () => {
  const random = randomNumbers(5);
  for (const { name } of samples) {
    const head = (await Deno.readFile(new URL(name, SAMPLES))).subarray(0, 64);
    for (let round = 0; round < 200; round++) {
      const rest = Uint8Array.from({ length: random(400) }, () => random(256));
      await sniffType(new Uint8Array([...head.subarray(0, 1 + random(64)), ...rest]));
    }
  }
});

Deno.test("media type: parameters and case are dropped, other names of a type resolved", () => {
  const names: Record<string, string> = {
    "audio/ogg; codecs=opus": "audio/ogg",
    "Audio/OGG;codecs=opus": "audio/ogg",
    " image/jpeg ": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/heif": "image/heic",
    "audio/mp3": "audio/mpeg",
    "audio/amr-nb": "audio/amr",
    "audio/m4a": "audio/x-m4a",
    "application/ogg": "audio/ogg",
    "text/html": "text/html",
    "": "",
    ";": "",
  };
  for (const [given, type] of Object.entries(names)) assertEquals(normalType(given), type);
});

Deno.test("media type: declaration and bytes agree or there is none", () => {
  const ISO = ["video/mp4", "audio/mp4", "audio/x-m4a", "video/quicktime", "video/3gpp"];
  for (const declared of BUCKETS.evidence.types) {
    for (const sniffed of BUCKETS.evidence.types) {
      const alike = declared === sniffed || (ISO.includes(declared) && ISO.includes(sniffed));
      assertEquals(agreedType(declared, sniffed), alike ? declared : undefined, `${declared} ${sniffed}`);
    }
    assertEquals(agreedType(declared, undefined), undefined);
  }
  assertEquals(agreedType("image/jpg", "image/jpeg"), "image/jpeg");
  assertEquals(agreedType("audio/ogg; codecs=opus", "audio/ogg"), "audio/ogg");
  assertEquals(agreedType("", "image/jpeg"), undefined);
});

Deno.test("media type: what browsers say of files is understood, by the name where they say nothing", () => {
  const files: [type: string, name: string, expected: string][] = [
    ["image/jpg", "a.jpg", "image/jpeg"],
    ["audio/m4a", "a.m4a", "audio/x-m4a"],
    ["image/heif", "a.heif", "image/heic"],
    ["application/octet-stream", "IMG_1.HEIC", "image/heic"],
    ["", "letter.pdf", "application/pdf"],
    ["audio/ogg; codecs=opus", "a", "audio/ogg"],
    ["", "a.exe", "application/octet-stream"],
    ["", "constructor", "application/octet-stream"],
    ["text/html", "a.jpg", "text/html"],
  ];
  for (const [type, name, expected] of files) {
    assertEquals(typeOfFile(type, name), expected, `${type} ${name}`);
  }
});
