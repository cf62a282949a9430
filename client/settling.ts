import { clock, SECOND } from "./time.ts";

/**
 * Replication tells of a commit a moment before others can see it: what is read sooner after an event may be of before it,
 * and is looked at once more.
 */
const SETTLE = SECOND;

/** Which tickets were read too soon after their event. */
export class Settling {
  /** When there was an event of a ticket, those of late. */
  readonly #told = new Map<string, number>();
  readonly #unsettled = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** `again` is given the tickets to look at once more. */
  constructor(private readonly again: (ids: Iterable<string>) => void) {}

  noteEvent(id: string): void {
    const now = clock();
    this.#told.delete(id); // to the end
    this.#told.set(id, now);
    for (const [oldest, time] of this.#told) {
      if (now - time < SETTLE) break;
      this.#told.delete(oldest);
    }
  }

  /** These tickets, or all, were read from that time on. */
  wereRead(readAt: number, ids: Iterable<string> = this.#told.keys()): void {
    for (const id of ids) if (this.#told.get(id)! > readAt - SETTLE) this.#unsettled.add(id);
    if (!this.#unsettled.size || this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const ids = [...this.#unsettled];
      this.#unsettled.clear();
      this.again(ids);
    }, SETTLE);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
