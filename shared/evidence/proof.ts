/**
 * Verifies what custody.md describes, with nothing but Web Crypto and what is given: no database, no network. For the command,
 * and for pages that a court opens offline.
 */

/** What is verified of a certificate; see docs/custody.md for the rest of it. */
export interface Certificate {
  format: string;
  file: {
    file_id: string;
    sha256: string | null;
    file_size: number | null;
    content_type: string | null;
    bucket: string | null;
    filename: string;
    path: string;
    salt: string | null;
  };
  municipality: { id: string; name: string };
  records: CertifiedRecord[];
  log: { size: number; root: string; intact: boolean; first_fault: { problem: string } | null };
  checkpoint: CertifiedCheckpoint | null;
  issued_at: string;
}

export interface CertifiedRecord {
  id: string;
  seq: number;
  event: string;
  recorded_at: string;
  user_id: string | null;
  user_role: string | null;
  ticket_id: string | null;
  details: Record<string, unknown>;
  hash: string;
  leaf: string;
  proof: string[];
}

export interface CertifiedCheckpoint {
  size: number;
  root: string;
  note: string;
  consistency: string[];
  key: { key_id: string; public_key: string };
  timestamps: { authority: string; stamped_at: string; token: string }[];
}

/** One thing that was checked, in plain words. */
export interface Check {
  what: string;
  good: boolean;
}

const FACTS = ["sha256", "file_size", "content_type", "bucket"] as const;
type Bytes = Uint8Array<ArrayBuffer>;
const encoder = new TextEncoder();
const HEX = /^(?:[0-9a-f]{2})*$/;

/** Checks a certificate against itself and, where given, the file's bytes and a public key (base64) kept outside. */
export async function verifyCertificate(
  certificate: Certificate,
  given: { sha256?: string | undefined; publicKey?: string | undefined } = {},
): Promise<Check[]> {
  const { file, records, log, checkpoint } = certificate;
  const checks: Check[] = [];
  const check = (what: string, good: boolean) => checks.push({ what, good });

  check(
    "the certificate is of a form that this program knows",
    certificate.format === "custody-certificate/1",
  );
  check("it has records", records.length > 0);
  for (const record of records) {
    check(
      `record ${record.seq} (${record.event}) is unaltered and in the log`,
      await isInLog(certificate, record),
    );
  }
  const told = recordedFile(records);
  check("the file was received, and its receipt is among the records", told.received === true);
  check(
    "the file's SHA-256, size, type and bucket are those recorded",
    FACTS.every((name) => told[name] === file[name]),
  );
  if (file.salt !== null && told.filename_commitment !== undefined) {
    check(
      "the file's name is the one recorded",
      await commitment(file.salt, file.filename) === told.filename_commitment,
    );
    check(
      "the file's path is the one recorded",
      await commitment(file.salt, file.path) === told.path_commitment,
    );
  }
  if (given.sha256 !== undefined) {
    check("the file in hand is the certified file, byte for byte", told.sha256 === given.sha256);
  }
  if (checkpoint) {
    const { public_key } = checkpoint.key;
    if (given.publicKey !== undefined) check("the key is the one you gave", public_key === given.publicKey);
    const head = await openNote(checkpoint.note, public_key);
    check("the checkpoint is signed by that key", head !== undefined);
    check(
      "the checkpoint is of this municipality's log, with this size and root",
      head?.origin.endsWith(`/${certificate.municipality.id}`) === true && head.size === checkpoint.size &&
        head.root === checkpoint.root,
    );
    check(
      "the log at the certificate has only grown since the checkpoint",
      await isConsistent(checkpoint.size, checkpoint.root, log.size, log.root, checkpoint.consistency),
    );
  }
  check("the database found no fault when it issued the certificate", log.intact && log.first_fault === null);
  return checks;
}

async function isInLog({ file, municipality, log }: Certificate, record: CertifiedRecord): Promise<boolean> {
  const hash = await leafHash(record.leaf);
  if (hash !== record.hash) return false;
  const leaf = JSON.parse(record.leaf) as unknown[];
  const shown = [
    ...["custody/1", record.id, municipality.id, file.file_id, record.ticket_id, record.event],
    Date.parse(record.recorded_at),
    ...[record.user_id, record.user_role, record.details],
  ];
  leaf[6] = Date.parse(String(leaf[6]));
  return same(leaf, shown) && await isIncluded(hash, record.seq - 1, log.size, record.proof, log.root);
}

/** What the records say, read from their leaves alone; of each fact the latest, of the name the first. */
function recordedFile(records: CertifiedRecord[]): Record<string, unknown> {
  const told: Record<string, unknown> = Object.fromEntries(FACTS.map((name) => [name, null]));
  for (const { leaf } of records) {
    const [, , , , , event, , , , details] = JSON.parse(leaf) as [
      ...[string, string, string, string, string, string, string, string, string],
      Record<string, unknown>,
    ];
    if (!["received", "stored", "hashed", "moved"].includes(event)) continue;
    if (event === "received") told.received = true;
    for (const name of FACTS) if (name in details) told[name] = details[name];
    for (const name of ["filename_commitment", "path_commitment"]) {
      if (name in details) told[name] ??= details[name];
    }
  }
  return told;
}

/** SHA-256 of the salt (hex) and the text, hex. */
export async function commitment(salt: string, text: string): Promise<string> {
  return hex(await sha256(bytes(salt), encoder.encode(text)));
}

/** The leaf hash of a record's text, hex. */
export async function leafHash(leaf: string): Promise<string> {
  return hex(await sha256(Uint8Array.of(0), encoder.encode(leaf)));
}

/** RFC 9162, 2.1.3.2. Hashes are hex. */
export async function isIncluded(leaf: string, index: number, size: number, proof: string[], root: string) {
  if (!(index >= 0 && index < size) || !proof.every((hash) => hash.length === 64 && HEX.test(hash))) {
    return false;
  }
  let [fn, sn, r] = [index, size - 1, bytes(leaf)];
  for (const hash of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = await nodeHash(bytes(hash), r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else r = await nodeHash(r, bytes(hash));
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && hex(r) === root;
}

/** RFC 9162, 2.1.4.2. Hashes are hex. */
export async function isConsistent(
  oldSize: number,
  oldRoot: string,
  size: number,
  root: string,
  proof: string[],
): Promise<boolean> {
  if (oldSize === size) return proof.length === 0 && oldRoot === root;
  if (!(oldSize >= 1 && oldSize < size) || !proof.every((hash) => hash.length === 64 && HEX.test(hash))) {
    return false;
  }
  const [first, ...rest] = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...proof] : proof;
  if (first === undefined || rest.length === 0) return false;
  let [fn, sn] = [oldSize - 1, size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [fr, sr] = [bytes(first), bytes(first)];
  for (const hash of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = await nodeHash(bytes(hash), fr);
      sr = await nodeHash(bytes(hash), sr);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else sr = await nodeHash(sr, bytes(hash));
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && hex(fr) === oldRoot && hex(sr) === root;
}

/** Reads a checkpoint if the key (base64) signed it; else undefined. */
export async function openNote(
  note: string,
  publicKey: string,
): Promise<{ origin: string; size: number; root: string } | undefined> {
  const [, text, name, line] = /^([^\n]+\n\d+\n[A-Za-z0-9+/=]+\n)\n— (\S+) ([A-Za-z0-9+/=]+)\n$/.exec(note) ??
    [];
  if (text === undefined || name === undefined || line === undefined) return;
  const [signature, raw] = [fromBase64(line), fromBase64(publicKey)];
  const keyId = (await sha256(encoder.encode(`${name}\n`), Uint8Array.of(1), raw)).subarray(0, 4);
  if (signature.length !== 68 || raw.length !== 32 || hex(signature.subarray(0, 4)) !== hex(keyId)) return;
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  if (!await crypto.subtle.verify("Ed25519", key, signature.slice(4), encoder.encode(text))) return;
  const [origin, size, root] = text.split("\n") as [string, string, string];
  return { origin, size: Number(size), root: hex(fromBase64(root)) };
}

const half = (n: number) => Math.floor(n / 2); // not >>: a log may outgrow 32 bits
const nodeHash = (left: Bytes, right: Bytes) => sha256(Uint8Array.of(1), left, right);

async function sha256(...parts: Uint8Array<ArrayBuffer>[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

function bytes(text: string): Bytes {
  if (!HEX.test(text)) throw new TypeError("not hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
const hex = (data: Uint8Array) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const fromBase64 = (text: string): Bytes => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** Whether two values of JSON are the same, in whatever order their names stand. */
function same(a: unknown, b: unknown): boolean {
  const sorted = (_: string, value: unknown) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => x < y ? -1 : 1))
      : value;
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}
