/** Verifies a court bundle with nothing but what is in it: for the command and for verify.html, which is in each bundle. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Certificate, verifyCertificate } from "../evidence/proof.ts";
import { checkTimeStamp, type TimeStamp } from "./time-stamp.ts";
import type { Entry } from "./zip.ts";

/** A part of the bundle: the bundle itself, or one file in it. */
export interface Verdict {
  name: string;
  checks: { what: string; good: boolean }[];
  /** Of a file: when it was received. Of the bundle: by whom it is stamped. */
  facts: string[];
  /** What is not wrong, and not proved either because something is missing. */
  missing: string[];
  /** Of a file: its bytes' hash. */
  sha256?: string;
}

type Read = (path: string) => Promise<string | undefined>;

/**
 * `publicKey`: in base64, got from elsewhere than the bundle. `progress`: bytes hashed so far. Throws where it is no bundle at
 * all.
 */
export async function verifyBundle(
  entries: Entry[],
  publicKey?: string,
  progress = (_bytes: number) => {},
): Promise<Verdict[]> {
  const files = withoutFolder(entries);
  const read: Read = async (path) => {
    const entry = files.get(path);
    return entry ? await new Response(await entry.stream()).text() : undefined;
  };
  const hashes = await hashAll(files, progress);
  const bundle: Verdict = { name: "The bundle", checks: [], facts: [], missing: [] };
  const { checks } = bundle;
  await checkManifests(hashes, read, checks);

  const evidence = new Set([...hashes.keys()].filter((path) => path.startsWith("data/evidence/")));
  const verdicts: Verdict[] = [];
  const id = /^Internal-Sender-Identifier: (.+)$/m.exec(await read("bag-info.txt") ?? "")?.[1];
  const messages = hashes.get("data/messages.json");
  const recorded = new Set<unknown>();
  const checkpoints = new Set<string>();
  const tokens = new Set<string>();
  for (const path of hashes.keys()) {
    const [, fileId] = /^data\/certificates\/([^/]+)\.json$/.exec(path) ?? [];
    if (fileId === undefined) continue;
    const found = [...evidence].find((path) => path.startsWith(`data/evidence/${fileId}/`)) ?? "";
    evidence.delete(found);
    const sha256 = hashes.get(found) ?? "";
    try {
      const certificate: Certificate = JSON.parse(await read(path) ?? "");
      if (certificate.file.file_id !== fileId) throw new TypeError("it is of another file");
      const verdict = await verifyFile(certificate, { sha256, publicKey });
      verdicts.push(verdict);
      const record = certificate.records.find(({ event, details }) =>
        event === "bundled" && details.bundle_id === id
      );
      check(verdict.checks, "its records say that it went into this bundle", record !== undefined);
      recorded.add(record?.details.messages_sha256);
      checkpoints.add(certificate.checkpoint?.note ?? "");
      for (const { token } of certificate.checkpoint?.timestamps ?? []) tokens.add(token);
    } catch {
      verdicts.push({ ...UNREADABLE, name: fileId, sha256 });
    }
  }
  check(checks, "there are certificates", verdicts.length > 0);
  check(checks, "each file of evidence has a certificate", evidence.size === 0);

  const note = await read("data/checkpoint.txt") ?? "";
  check(
    checks,
    "every certificate is of the checkpoint in checkpoint.txt",
    [...checkpoints].every((one) => one === note),
  );
  const stamps = await Promise.all([...tokens].map((token) => checkTimeStamp(token, note)));
  check(
    checks,
    "every time stamp is of that checkpoint, and signed as it says",
    stamps.every(({ good }) => good !== false),
  );
  bundle.facts.push(...stamps.map(describeStamp));
  const areRecorded = [...recorded].every((sha256) => sha256 === messages);
  check(checks, "messages.json is as recorded when the bundle was made", areRecorded);
  if (messages !== undefined && areRecorded) bundle.facts.push(MESSAGES);
  if (note === "") bundle.missing.push(UNSIGNED);
  else {
    if (tokens.size === 0) bundle.missing.push(UNSTAMPED);
    if (publicKey === undefined) bundle.missing.push(ANY_KEY);
  }
  return [bundle, ...verdicts];
}

const UNSIGNED =
  "There is no signed checkpoint: nothing outside the municipality's database shows that the records existed, or when.";
const UNSTAMPED =
  "No outside authority has stamped the checkpoint: its time rests on the word of whoever holds the signing key.";
const ANY_KEY =
  "Whose key signed the checkpoint was not checked: give the public key, as the municipality publishes it elsewhere.";
const MESSAGES =
  "messages.json holds what the reporter wrote, as the municipality's database gave it out when the bundle was made. The log holds its SHA-256: it was not changed since.";
const UNREADABLE = {
  checks: [{ what: "its certificate can be read", good: false }],
  facts: [],
  missing: [],
};

async function hashAll(files: Map<string, Entry>, progress: (bytes: number) => void) {
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
  return hashes;
}

async function checkManifests(hashes: Map<string, string>, read: Read, checks: Verdict["checks"]) {
  const listed = new Set(["tagmanifest-sha256.txt"]);
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
  const extra = [...hashes.keys()].filter((path) => !listed.has(path));
  check(checks, "nothing is in the bundle that is not listed", extra.length === 0);
}

async function verifyFile(
  certificate: Certificate,
  given: { sha256: string; publicKey?: string | undefined },
): Promise<Verdict> {
  const { file, records, checkpoint } = certificate;
  const later = records.filter(({ seq }) => checkpoint && seq > checkpoint.size).length;
  return {
    name: file.filename,
    checks: await verifyCertificate(certificate, given),
    facts: factsOf(certificate),
    missing: later === 0
      ? []
      : [`Not signed: ${later} of its ${records.length} records are later than the checkpoint.`],
    sha256: given.sha256,
  };
}

function check(checks: Verdict["checks"], what: string, good: boolean): void {
  checks.push({ what, good });
}

/** A folder's files without what systems leave in one that was looked at. */
export function withoutClutter(entries: Entry[]): Entry[] {
  return entries.filter(({ path }) => !/(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini)$/.test(path));
}

/** Paths from the bag's own folder on. */
function withoutFolder(entries: Entry[]): Map<string, Entry> {
  const bag = entries.find(({ path }) => /(^|\/)bagit\.txt$/.test(path));
  if (!bag) throw new TypeError("this is not a bundle: bagit.txt is missing");
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

/** What a stamp proves, and what whoever relies on it must still find out. */
export function describeStamp({ good, stampedAt, signer, issuer, fingerprint }: TimeStamp): string {
  if (good === false) return "A time stamp is not whole, or is of something else.";
  const who = `${signer || "a signer without a name"} (certified by ${issuer || "nobody named"})`;
  return good === undefined
    ? `Stamped by ${who} at ${stampedAt}. How it is signed is not known here: check it with openssl ts -verify.`
    : `Stamped by ${who} at ${stampedAt}, so the signed log existed by then. Ask the authority whether this is its certificate: SHA-256 ${fingerprint}.`;
}

function factsOf({ records, checkpoint, municipality }: Certificate): string[] {
  const received = records.find(({ event }) => event === "received");
  return [
    `${municipality.name} recorded its receipt at ${received?.recorded_at ?? "a time that is not recorded"}.`,
    checkpoint
      ? `The log was signed at ${checkpoint.size} records, by the key ${checkpoint.key.public_key}.`
      : "The log was not signed yet.",
  ];
}
