/** What is done after the answers: not in their way. */
import { delay } from "deno-std/async/delay.js";

/** Milliseconds between two looks. */
const PAUSE_MS = 20;
/** Milliseconds after which work begins though requests keep coming. */
const PATIENCE_MS = 3_000;

/**
 * Knows how many requests this worker is answering, so that slow work can begin when they have been answered: Twilio
 * waits 15 seconds for an answer, while downloads and hashes take all the CPU there is.
 */
export class AnswersFirst {
  private answering = 0;

  /** Answers one request. */
  async answer(work: () => Promise<Response>): Promise<Response> {
    this.answering++;
    try {
      return await work();
    } finally {
      this.answering--;
    }
  }

  /** Resolves when no request is being answered, or after three seconds; never before the present one's answer. */
  async given(): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    do await delay(PAUSE_MS); while (this.answering > 0 && Date.now() < until);
  }
}
