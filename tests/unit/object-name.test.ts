import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { BUCKETS } from "../../shared/storage/buckets.ts";
import { mediumName, objectName } from "../../shared/storage/object-name.ts";
import { randomNumbers, randomText } from "./tools.ts";

const KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,119}$/;

function valid(filename: string): string {
  const name = objectName(filename);
  assertMatch(name, KEY, JSON.stringify(filename));
  assert(!name.includes(".."), name);
  return name;
}

const NAMES: Record<string, string> = {
  "photo.jpg": "photo.jpg",
  "Foto – ”straat” nº1.JPG": "Foto-straat-no1.jpg",
  "IMG_2026-11-23 (1).jpeg": "IMG_2026-11-23-1.jpeg",
  "a#b?.jpg": "a-b.jpg",
  "100% sure+1&2=3.png": "100-sure-1-2-3.png",
  "%2e%2e": "2e-2e",
  "%2e%2e%2fetc%2fpasswd": "2e-2e-2fetc-2fpasswd",
  "../../x": "file.x",
  "..\\..\\x.png": "x.png",
  "/etc/passwd": "etc-passwd",
  "..": "file",
  ".": "file",
  "": "file",
  " ": "file",
  "....": "file",
  "---": "file",
  "-rf": "rf",
  ".htaccess": "htaccess",
  ".env.jpg": "env.jpg",
  "x.tar.gz": "x.tar.gz",
  "no extension": "no-extension",
  "README": "README",
  "a..b...c.pdf": "a.b.c.pdf",
  "trailing dot.": "trailing-dot",
  "double.jpg.exe": "double.jpg.exe",
  "CON": "CON",
  "nul.txt": "nul.txt",
  "C:\\Users\\x.jpg": "C-Users-x.jpg",
  "photo.jpg::$DATA": "photo.jpgdata",
  "📷": "file",
  "📷.jpg": "file.jpg",
  "📷 strand 🏖️.jpg": "strand.jpg",
  "👩‍👩‍👧.png": "file.png",
  "evidence\u202egpj.exe": "evidence-gpj.exe",
  "zero\u200bwidth\ufeff.png": "zero-width.png",
  "nul\u0000byte.jpg": "nul-byte.jpg",
  "new\nline\r.jpg": "new-line.jpg",
  "lone\ud800surrogate.jpg": "lone-surrogate.jpg",
  "Môre – Geboortesertifikaat.pdf": "More-Geboortesertifikaat.pdf",
  "Isithombe sendlu yami.jpg": "Isithombe-sendlu-yami.jpg",
  "Ṱhohoyanḓou ṅ.pdf": "Thohoyandou-n.pdf",
  "Доказательство.pdf": "file.pdf",
  "证据.jpg": "file.jpg",
  "صورة.png": "file.png",
  "ﬁle ①.pdf": "file-1.pdf",
  "ｆｕｌｌｗｉｄｔｈ．ｊｐｇ": "fullwidth.jpg",
  "photo.JPÉG": "photo.jpeg",
  "photo.jpg ": "photo.jpg",
  "photo.照片": "photo",
  "_": "_",
  "'quoted'.jpg": "quoted.jpg",
  "a/b/c.jpg": "a-b-c.jpg",
  "<script>.png": "script.png",
  "'; drop table tickets; --.pdf": "drop-table-tickets.pdf",
};
for (const [filename, expected] of Object.entries(NAMES)) {
  Deno.test(`object name: ${JSON.stringify(filename)} becomes ${expected}`, () => {
    assertEquals(valid(filename), expected);
  });
}

Deno.test("object name: the longest names are cut, their extension kept", () => {
  assertEquals(valid("é".repeat(255)), "e".repeat(120));
  assertEquals(valid("é".repeat(251) + ".jpg"), "e".repeat(116) + ".jpg");
  assertEquals(valid("ﷺ".repeat(250) + ".pdf"), "file.pdf");
  assertEquals(valid("x".repeat(200) + "." + "y".repeat(50)), "x".repeat(120));
  assertEquals(valid("x." + "y".repeat(250)), "x." + "y".repeat(118));
  assertEquals(valid("a.".repeat(127)).length <= 120, true);
});

Deno.test("object name: 20,000 random Unicode names give a valid key, the same each time", () => {
  const random = randomNumbers(3);
  for (let round = 0; round < 20_000; round++) {
    const filename = randomText(random, round % 50 ? 12 : 260);
    assertEquals(valid(filename), objectName(filename));
  }
});

Deno.test("object name: an extension of every accepted type outlives any name", () => {
  const random = randomNumbers(4);
  for (const type of BUCKETS.evidence.types.filter((type) => type !== "application/octet-stream")) {
    const extension = mediumName(0, type).slice("whatsapp-1.".length);
    assert(extension !== "bin", `${type} has an extension`);
    for (let round = 0; round < 50; round++) {
      const name = valid(`a${randomText(random, 300)}.${extension.toUpperCase()}`);
      assert(name.endsWith(`.${extension}`), name);
    }
  }
});

Deno.test("object name: a medium without a name is called by its place and type, never by its sender", () => {
  assertEquals(mediumName(0, "image/jpeg"), "whatsapp-1.jpg");
  assertEquals(mediumName(9, "audio/ogg"), "whatsapp-10.ogg");
  assertEquals(mediumName(0, "text/vcard"), "whatsapp-1.bin");
  assertEquals(mediumName(0, "constructor/../x"), "whatsapp-1.bin");
  assertEquals(mediumName(0, "constructor"), "whatsapp-1.bin");
});
