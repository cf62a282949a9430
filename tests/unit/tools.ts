/** What the unit tests share: an environment, a pretend network, time that passes quickly, the log's lines. */
import type { Variables } from "../../shared/platform/settings.ts";

/** An environment of these variables; one given as undefined is missing. */
export function environmentOf(values: Record<string, string | undefined>): Variables {
  return { get: (name) => values[name] };
}

/** One request as it left. */
export interface Sent {
  method: string;
  url: string;
  headers: Headers;
  redirect: string;
  body: string;
}

/** Runs `work` with a network that answers as `answer` says; tells what was sent. Nothing leaves the machine. */
export async function withFetch(
  answer: (request: Sent, index: number) => Response | Promise<Response>,
  work: () => Promise<unknown>,
): Promise<Sent[]> {
  const sent: Sent[] = [];
  const real = globalThis.fetch;
  globalThis.fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const line = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      redirect: request.redirect,
      body: await request.text(),
    };
    sent.push(line);
    const aborted = new Promise<never>((_, reject) => {
      const refuse = () => reject(request.signal.reason ?? new DOMException("aborted", "AbortError"));
      if (request.signal.aborted) refuse();
      request.signal.addEventListener("abort", refuse);
    });
    return await Promise.race([answer(line, sent.length - 1), aborted]);
  };
  try {
    await work();
  } finally {
    globalThis.fetch = real;
  }
  return sent;
}

/** A network that fails the test when anything is asked of it. */
export function noFetch(work: () => Promise<unknown>): Promise<Sent[]> {
  return withFetch(({ url }) => {
    throw new Error(`nothing may be fetched, but ${url} was`);
  }, work).then((sent) => {
    if (sent.length > 0) throw new Error(`nothing may be fetched, but ${sent[0]!.url} was`);
    return sent;
  });
}

/** Runs `work` with timers of up to `upTo` milliseconds due at once; tells the delays that were asked for. */
export async function withFastTimers(upTo: number, work: () => Promise<unknown>): Promise<number[]> {
  const real = globalThis.setTimeout;
  const delays: number[] = [];
  const fast = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    if (ms > upTo) return real(callback, ms, ...args);
    delays.push(ms);
    return real(callback, 0, ...args);
  };
  globalThis.setTimeout = fast as typeof setTimeout;
  try {
    await work();
  } finally {
    globalThis.setTimeout = real;
  }
  return delays;
}

/** The lines that `work` logs, parsed, and as text. */
export async function logOf(
  work: () => Promise<unknown>,
): Promise<{ lines: Record<string, unknown>[]; text: string }> {
  const { info, error } = console;
  const text: string[] = [];
  console.info = console.error = (line: string) => void text.push(line);
  try {
    await work();
  } finally {
    Object.assign(console, { info, error });
  }
  return { lines: text.map((line) => JSON.parse(line)), text: text.join("\n") };
}

/** The error that `work` fails with. */
export async function failureOf(
  work: () => unknown,
): Promise<Error & { code?: string; reason?: string; log?: string; details?: unknown }> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

/** Numbers from 0 to below `limit`, the same at every run (mulberry32). */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6D2B79F5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** A text of up to `length` characters of all of Unicode, ASCII and separators often, lone surrogates too. */
export function randomText(random: (limit: number) => number, length: number): string {
  return Array.from({ length: random(length + 1) }, () => {
    const kind = random(5);
    if (kind === 0) return String.fromCharCode(32 + random(95));
    if (kind === 1) return "./\\_-%?#&=+' :\"\u0000\u202e\u0301é"[random(20)] ?? ".";
    if (kind === 2) return String.fromCharCode(random(0x10000));
    if (kind === 3) return String.fromCodePoint(0x1F300 + random(0x500));
    return String.fromCharCode(97 + random(26));
  }).join("");
}
