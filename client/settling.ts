/**
 * Replication tells of a commit a moment before others can see it: what is read sooner after its event is read once more.
 */
const SETTLE = 1000;

/** Remembers when there was an event of which ticket, and says which to look at once more. */
export class Settling {
  readonly #told = new Map<string, number>();
  readonly #unsettled = new Set<string>();
  readonly #lookAgain: (ids: Iterable<string>) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(lookAgain: (ids: Iterable<string>) => void) {
    this.#lookAgain = lookAgain;
  }

  /** There was an event of this ticket just now. */
  note(id: string): void {
    const now = performance.now();
    this.#told.delete(id); // to the end
    this.#told.set(id, now);
    for (const [oldest, time] of this.#told) {
      if (now - time < SETTLE) break;
      this.#told.delete(oldest);
    }
  }

  /** These were read from `readAt` on; without `ids`, the whole window. */
  wasRead(readAt: number, ids: Iterable<string> = this.#told.keys()): void {
    for (const id of ids) if (this.#told.get(id)! > readAt - SETTLE) this.#unsettled.add(id);
    if (!this.#unsettled.size || this.#isStopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#lookAgain(this.#unsettled);
      this.#unsettled.clear();
    }, SETTLE);
  }

  forget(): void {
    this.#unsettled.clear();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}
