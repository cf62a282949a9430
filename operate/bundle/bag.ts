/** The files of a court bundle: a bag by RFC 8493, with the page that verifies it. */
import { join } from "node:path";
import { rolldown } from "rolldown";
import type { Certificate } from "../../shared/evidence/proof.ts";
import { digest } from "../../shared/storage/take-in.ts";

const here = new URL(".", import.meta.url).pathname;

export interface Part {
  name: string;
  input: string | ReadableStream<Uint8Array>;
  lastModified: Date;
}

/** A stored file's bytes. */
export type Read = (file: { bucket: string; path: string }) => Promise<ReadableStream<Uint8Array>>;

/** The parts in the order of the zip; each file is read once to go in, and must then be what was recorded. */
export async function* bag(name: string, certificates: Certificate[], read: Read): AsyncGenerator<Part> {
  const now = new Date();
  const manifest: string[] = [];
  const part = (path: string, input: Part["input"]) => ({
    name: `${name}/${path}`,
    input,
    lastModified: now,
  });
  for (const certificate of certificates) {
    const { file_id, bucket, path, sha256 } = certificate.file;
    const place = `data/evidence/${file_id}/${path.split("/").pop()}`;
    manifest.push(`${sha256}  ${place}`);
    yield part(place, await read({ bucket: bucket!, path }));
  }
  const texts: [string, string][] = certificates.map((certificate) => [
    `data/certificates/${certificate.file.file_id}.json`,
    JSON.stringify(certificate, null, 2),
  ]);
  const { checkpoint } = certificates[0]!;
  if (checkpoint) {
    texts.push(["data/checkpoint.txt", checkpoint.note]);
    texts.push(["data/public-keys.json", JSON.stringify([checkpoint.key], null, 2)]);
    for (const [index, { token }] of checkpoint.timestamps.entries()) {
      const place = `data/timestamps/${index + 1}.der`;
      const bytes = Uint8Array.from(atob(token), (char) => char.charCodeAt(0));
      manifest.push(`${await hash(bytes)}  ${place}`);
      yield part(place, new Blob([bytes]).stream());
    }
  }
  for (const [path, text] of texts) {
    manifest.push(`${await hash(text)}  ${path}`);
    yield part(path, text);
  }
  const tags: [string, string][] = [
    ["bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"],
    ["bag-info.txt", `Bagging-Date: ${now.toISOString().slice(0, 10)}\nExternal-Identifier: ${name}\n`],
    ["README.txt", README],
    ["verify.html", await page()],
    ["manifest-sha256.txt", `${manifest.join("\n")}\n`],
  ];
  for (const [path, text] of tags) yield part(path, text);
  const lines = await Promise.all(tags.map(async ([path, text]) => `${await hash(text)}  ${path}\n`));
  yield part("tagmanifest-sha256.txt", lines.join(""));
}

async function hash(data: string | Uint8Array<ArrayBuffer>): Promise<string> {
  return (await digest(new Blob([data]).stream())).sha256;
}

/** verify.html: one file, its script inside. */
async function page(): Promise<string> {
  const build = await rolldown({
    cwd: join(here, "../.."),
    input: join(here, "page.ts"),
    platform: "browser",
    resolve: { conditionNames: ["import"], symlinks: false },
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  // nothing in the script may end it
  const script = output[0].code.replaceAll("</script", "<\\/script");
  return (await Deno.readTextFile(join(here, "page.html"))).replace("SCRIPT", () => script);
}

const README = `For the prosecutor and for the defence

This bundle holds files that were reported to a municipality, with proof that they are as they were received.

1. Open verify.html in a browser (no network is needed) and choose the zip. It says what holds and which file does not.
2. Without it: sha256sum -c manifest-sha256.txt, in this folder. It compares the files with their list.
3. data/evidence/ID/ holds each file, data/certificates/ID.json its certificate: every record of it, with proof that the
   record is in the municipality's log.
4. data/checkpoint.txt is the signed head of that log. data/timestamps/ holds the stamps of outside authorities:
   openssl ts -verify -data data/checkpoint.txt -in data/timestamps/1.der -token_in -CAfile AUTHORITY.pem
5. Compare the public key in data/public-keys.json with the one that the municipality publishes elsewhere.

What is proved: the bytes are those the municipality recorded; the records are in its log; the log was signed and, if stamped,
existed at the time that the authority states. What is not proved: who made a file, where, when it was made before it was
received, or that it shows what is said of it.
`;
