/** Names for what is random, so that two worlds' answers can be compared. */

export class Names {
  readonly known = { ticket: [] as string[], file: [] as string[], message: [] as string[] };
  readonly hidden = { ticket: [] as string[], file: [] as string[], message: [] as string[] };
  /** Tickets without messages and files. */
  readonly desk: string[] = [];
  /** Where each file lies, as far as somebody was told. */
  readonly paths = new Map<string, { bucket: string; path: string }>();
  readonly #names = new Map<string, string>();

  name(id: string, as: string): void {
    if (!this.#names.has(id)) this.#names.set(id, as);
  }

  /** A thing that both worlds have. */
  know(sort: keyof Names["known"], id: string): void {
    if (this.#names.has(id)) return;
    this.name(id, `${sort} ${this.known[sort].length}`);
    this.known[sort].push(id);
  }

  /** A thing of one world only. */
  hide(sort: keyof Names["hidden"], id: string): void {
    this.name(id, `hidden ${sort}`);
    if (!this.hidden[sort].includes(id)) this.hidden[sort].push(id);
  }

  isHidden(id: string): boolean {
    return this.#names.get(id)?.startsWith("hidden") ?? false;
  }

  nameOf(id: string): string | undefined {
    return this.#names.get(id);
  }

  /** The answer with names in place of ids, and signs in place of times, tokens, hashes and addresses. */
  plain<T>(answer: T): T {
    const text = JSON.stringify(answer ?? null)
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, "TOKEN")
      .replaceAll(/gA{3,4}[\w-]{20,}=*/g, "SEALED")
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => this.#names.get(id) ?? "ID")
      .replaceAll(/\b[A-Z]{2}[0-9a-f]{32}\b/g, (id) => this.#names.get(id) ?? "SID")
      .replaceAll(/\b([0-9a-f]{64}|[0-9a-f]{32})\b/g, "HASH")
      .replaceAll(/"[A-Za-z0-9+/]{43}="|"[0-9a-f]{8}"/g, '"KEY"')
      .replaceAll(/\\\\x[0-9a-f]+/g, "BYTES")
      .replaceAll(/"note":"[^"]*"/g, '"note":"NOTE"')
      .replaceAll(/TKT-\d{8}-\w{6}/g, "TKT")
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?/g, "TIME")
      .replaceAll(/127\.0\.0\.1:\d+/g, "HOST");
    return JSON.parse(text);
  }
}
