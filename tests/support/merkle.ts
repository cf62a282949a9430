/** RFC 9162, 2.1, as it is defined there, and its verifiers: what the database's proofs are held against. */
import { createHash } from "node:crypto";

const encoder = new TextEncoder();
type Hash = Uint8Array<ArrayBuffer>;

function sha256(...parts: Uint8Array[]): Hash {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export const leafHash = (leaf: string) => sha256(Uint8Array.of(0), encoder.encode(leaf));
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right);

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

export class Merkle {
  #memo = new Map<string, Hash>();
  constructor(readonly leaves: Hash[]) {}

  static of(leaves: string[]): Merkle {
    return new Merkle(leaves.map(leafHash));
  }

  root(size: number): Hash {
    return this.#mth(0, size);
  }

  #mth(low: number, high: number): Hash {
    if (low === high) return sha256();
    if (high - low === 1) return this.leaves[low]!;
    const key = `${low} ${high}`;
    const known = this.#memo.get(key);
    if (known) return known;
    const k = low + split(high - low);
    const hash = nodeHash(this.#mth(low, k), this.#mth(k, high));
    this.#memo.set(key, hash);
    return hash;
  }

  /** PATH(m, D_n) */
  inclusion(m: number, high: number, low = 0): Hash[] {
    if (high - low === 1) return [];
    const k = low + split(high - low);
    return m < k
      ? [...this.inclusion(m, k, low), this.#mth(k, high)]
      : [...this.inclusion(m, high, k), this.#mth(low, k)];
  }

  /** PROOF(m, D_n) */
  consistency(m: number, high: number, low = 0, whole = true): Hash[] {
    if (m === high) return whole ? [] : [this.#mth(low, high)];
    const k = low + split(high - low);
    return m <= k
      ? [...this.consistency(m, k, low, whole), this.#mth(k, high)]
      : [...this.consistency(m, high, k, false), this.#mth(low, k)];
  }
}

/** RFC 9162, 2.1.3.2 */
export function included(
  leaf: Hash,
  index: number,
  size: number,
  proof: string[],
  root: string,
): boolean {
  if (index >= size) return false;
  let [fn, sn, r] = [index, size - 1, leaf];
  for (const hex of proof) {
    if (sn === 0) return false;
    const p = Uint8Array.fromHex(hex);
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else r = nodeHash(r, p);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return sn === 0 && r.toHex() === root;
}

/** RFC 9162, 2.1.4.2 */
export function consistent(
  first: number,
  firstRoot: string,
  second: number,
  secondRoot: string,
  proof: string[],
): boolean {
  if (first === second) return proof.length === 0 && firstRoot === secondRoot;
  if (first < 1 || first > second || proof.length === 0) return false;
  const path = (Number.isInteger(Math.log2(first)) ? [firstRoot, ...proof] : proof).map((hex) =>
    Uint8Array.fromHex(hex)
  );
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2 === 1) [fn, sn] = [fn >> 1, sn >> 1];
  let [fr, sr] = [path[0]!, path[0]!];
  for (const c of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else sr = nodeHash(sr, c);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return sn === 0 && fr.toHex() === firstRoot && sr.toHex() === secondRoot;
}
