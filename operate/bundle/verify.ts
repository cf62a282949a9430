/** Verifies a court bundle with nothing but what is in it: for the command and for verify.html, which is in each bundle. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Certificate, verifyCertificate } from "../../shared/evidence/proof.ts";
import type { Entry } from "./zip.ts";

/** A part of the bundle: the bundle itself, or one file in it. */
export interface Verdict {
  name: string;
  checks: { what: string; good: boolean }[];
  /** Of a file: when it was received and, if stamped, by whom it is stamped. */
  facts: string[];
}

/** `progress`: bytes hashed so far. Throws where it is no bundle at all. */
export async function verifyBundle(entries: Entry[], progress = (_bytes: number) => {}): Promise<Verdict[]> {
  const files = withoutFolder(entries);
  const read = async (path: string) => {
    const entry = files.get(path);
    return entry ? await new Response(await entry.stream()).text() : undefined;
  };
  const checks: Verdict["checks"] = [];
  const hashes = new Map<string, string>();
  let done = 0;
  for (const [path, entry] of files) {
    const hash = sha256.create();
    for await (const part of await entry.stream()) {
      hash.update(part);
      progress(done += part.length);
    }
    hashes.set(path, bytesToHex(hash.digest()));
  }
  const listed = new Set<string>();
  for (const manifest of ["manifest-sha256.txt", "tagmanifest-sha256.txt"]) {
    const text = await read(manifest);
    check(checks, `${manifest} is there`, text !== undefined);
    for (const line of (text ?? "").split("\n").filter(Boolean)) {
      const [, hash, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
      listed.add(path ?? "");
      check(
        checks,
        `${path ?? line} is as listed in ${manifest}`,
        hash !== undefined && hashes.get(path!) === hash,
      );
    }
  }
  const extra = [...files.keys()].filter((path) => !listed.has(path) && path !== "tagmanifest-sha256.txt");
  check(checks, "nothing is in the bundle that is not listed", extra.length === 0);

  const verdicts: Verdict[] = [{ name: "The bundle", checks, facts: [] }];
  const certificates = [...files.keys()].filter((path) => /^data\/certificates\/[^/]+\.json$/.test(path));
  const evidence = new Set([...files.keys()].filter((path) => path.startsWith("data/evidence/")));
  for (const path of certificates) {
    const name = path.slice("data/certificates/".length, -".json".length);
    const certificate = await parse(await read(path));
    const found = [...evidence].find((path) => path.startsWith(`data/evidence/${name}/`));
    evidence.delete(found ?? "");
    const sha256 = hashes.get(found ?? "") ?? "";
    verdicts.push({
      name: certificate?.file.filename ?? name,
      checks: certificate?.file.file_id === name
        ? await verifyCertificate(certificate, { sha256 }).catch(() => unreadable)
        : unreadable,
      facts: certificate ? factsOf(certificate) : [],
    });
  }
  check(checks, "there are certificates", certificates.length > 0);
  check(checks, "each file of evidence has a certificate", evidence.size === 0);
  return verdicts;
}

const unreadable = [{ what: "its certificate can be read", good: false }];

function check(checks: Verdict["checks"], what: string, good: boolean): void {
  checks.push({ what, good });
}

/** Paths from the bag's own folder on. */
function withoutFolder(entries: Entry[]): Map<string, Entry> {
  const bag = entries.find(({ path }) => /(^|\/)bagit\.txt$/.test(path));
  if (!bag) throw new TypeError("this is no bundle: bagit.txt is missing");
  const folder = bag.path.slice(0, -"bagit.txt".length);
  const files = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.path.endsWith("/")) continue;
    const path = entry.path.startsWith(folder) ? entry.path.slice(folder.length) : `../${entry.path}`;
    if (files.has(path)) throw new TypeError(`${path} is there twice`);
    files.set(path, entry);
  }
  return files;
}

async function parse(text: string | undefined): Promise<Certificate | undefined> {
  try {
    return await JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function factsOf({ records, checkpoint, municipality }: Certificate): string[] {
  const received = records.find(({ event }) => event === "received");
  return [
    `${municipality.name} recorded its receipt at ${received?.recorded_at ?? "a time that is not recorded"}.`,
    checkpoint
      ? `The log was signed at ${checkpoint.size} records, by the key ${checkpoint.key.public_key}.`
      : "The log was not signed yet.",
    ...checkpoint?.timestamps.map(({ authority, stamped_at }) =>
      `${authority} states that it saw this signed log by ${stamped_at}. This page does not check its signature: see README.txt.`
    ) ?? [],
  ];
}
