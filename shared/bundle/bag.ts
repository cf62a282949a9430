/** What lies where in a court bundle: a bag by RFC 8493. The one place that says so, for the command and for browsers. */
import { sha256Hex } from "./digest.ts";
import type { Certificate } from "../evidence/proof.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What goes into a bundle. */
export interface Bundle {
  /** Of the bundle and its folder: the ticket's number. */
  name: string;
  /** As the files' records name it. */
  bundleId: string;
  certificates: Certificate[];
  /** messages.json, as the log has its SHA-256; undefined: the bundle has none. */
  messages?: string | undefined;
  /** verify.html. */
  page: string;
  /** A stored file, whole: they are at most 50 MiB. */
  read(file: Certificate["file"]): Promise<Bytes>;
}

/** The name of a ticket's bundle: its number, as far as a file may be called so. */
export function bundleName(trackingNumber: string | null | undefined, ticketId: string): string {
  return trackingNumber?.replaceAll(/[^A-Za-z0-9._-]/g, "_").replace(/^\.+/, "") || ticketId;
}

/** An entry of the zip. */
export interface Part {
  name: string;
  input: string | Bytes;
  lastModified: Date;
}

export interface Progress {
  /** Bytes of evidence so far. */
  read?(bytes: number): void;
  /** A file is not what was recorded: it goes in as it is, and whoever verifies the bundle sees it. */
  altered?(file: Certificate["file"]): void;
}

/** The parts in the order of the zip, one file at a time. */
export async function* bag(bundle: Bundle, { read, altered }: Progress = {}): AsyncGenerator<Part> {
  const { name, bundleId, certificates, messages } = bundle;
  const now = new Date();
  const manifest: string[] = [];
  const payload = { bytes: 0, files: 0 };
  function part(path: string, data: string | Bytes): Part {
    if (path.startsWith("data/")) {
      payload.bytes += bytesOf(data).length;
      payload.files++;
    }
    return { name: `${name}/${path}`, input: data, lastModified: now };
  }

  for (const { file } of certificates) {
    const place = `data/evidence/${file.file_id}/${file.path.split("/").pop()}`;
    const bytes = await bundle.read(file);
    if (await hash(bytes) !== file.sha256) altered?.(file);
    // as recorded: a file that is not so fails every check
    manifest.push(`${file.sha256}  ${place}`);
    const evidence = part(place, bytes);
    read?.(payload.bytes);
    yield evidence;
  }
  const { checkpoint } = certificates[0]!;
  const texts: [string, string | Bytes][] = certificates.map((certificate) => [
    `data/certificates/${certificate.file.file_id}.json`,
    json(certificate),
  ]);
  if (messages) texts.push(["data/messages.json", messages]);
  if (checkpoint) {
    texts.push(["data/checkpoint.txt", checkpoint.note]);
    texts.push(["data/public-keys.json", json([checkpoint.key])]);
    for (const [index, { token }] of checkpoint.timestamps.entries()) {
      const bytes = Uint8Array.from(atob(token), (char) => char.charCodeAt(0));
      texts.push([`data/timestamps/${index + 1}.der`, bytes]);
    }
  }
  for (const [path, data] of texts) {
    manifest.push(`${await hash(data)}  ${path}`);
    yield part(path, data);
  }
  const tags: [string, string][] = [
    ["bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"],
    [
      "bag-info.txt",
      `Bagging-Date: ${now.toISOString().slice(0, 10)}\nExternal-Identifier: ${name}\n` +
      `Internal-Sender-Identifier: ${bundleId}\nPayload-Oxum: ${payload.bytes}.${payload.files}\n`,
    ],
    ["README.txt", README],
    ["verify.html", bundle.page],
    ["manifest-sha256.txt", `${manifest.join("\n")}\n`],
  ];
  for (const [path, text] of tags) yield part(path, text);
  const lines = await Promise.all(tags.map(async ([path, text]) => `${await hash(text)}  ${path}\n`));
  yield part("tagmanifest-sha256.txt", lines.join(""));
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const bytesOf = (data: string | Bytes) => typeof data === "string" ? new TextEncoder().encode(data) : data;

/** SHA-256, hex. */
export async function hash(data: string | Bytes): Promise<string> {
  return await sha256Hex(bytesOf(data));
}

const README = `For the prosecutor and for the defence

This bundle holds files that were reported to a municipality, with proof that they are as they were received.

1. Open verify.html in a browser (no network is needed) and choose the zip, or this folder. It says what holds and which
   file does not.
   Then choose a copy that you were given elsewhere: it says whether that is one of these files, byte for byte.
2. Without it: sha256sum -c manifest-sha256.txt, in this folder. It compares the files with their list.
3. data/evidence/ID/ holds each file, data/certificates/ID.json its certificate: every record of it, with proof that the
   record is in the municipality's log.
4. data/checkpoint.txt is the signed head of that log. data/timestamps/ holds the stamps of outside authorities. verify.html
   checks their signatures; whether a certificate is the authority's, this says, with the root certificate that it publishes:
   openssl ts -verify -data data/checkpoint.txt -in data/timestamps/1.der -token_in -CAfile AUTHORITY.pem
5. Ask the municipality for its public key, by another way than this bundle, and give it to verify.html. Anybody can make a
   bundle that holds together, with a key of their own.
6. data/messages.json, if it is there, is what the reporter wrote, as the municipality's database gave it out when this bundle
   was made. The log holds its SHA-256.

What is proved: the bytes are those the municipality recorded; the records are in its log; the log was signed and, if stamped,
existed at the time that the authority states. What is not proved: who made a file, where, when it was made before it was
received, or that it shows what is said of it; nor that messages were stored unaltered before this bundle was made.
`;
