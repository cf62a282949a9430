/** What the pretend Twilio answers: errors, lists, and media as its faults would have them. */
import type { Faults } from "./twilio-client.ts";

const CHUNK = 64 * 1024;

/** An error as Twilio's API renders it. */
export function apiError(status: number, code: number, message: string): Response {
  const headers = new Headers();
  if (status === 401) headers.set("www-authenticate", 'Basic realm="Twilio API"');
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
  return Response.json(body, { status, headers });
}

/** One page of a list, as Twilio cuts them. */
export function page(url: URL, name: string, all: unknown[]): Response {
  const size = Number(url.searchParams.get("PageSize") ?? 50);
  const number = Number(url.searchParams.get("Page") ?? 0);
  const items = all.slice(number * size, (number + 1) * size);
  const next = new URL(url);
  next.searchParams.set("Page", String(number + 1));
  const more = (number + 1) * size < all.length;
  return Response.json({
    [name]: items,
    page: number,
    page_size: size,
    uri: url.pathname + url.search,
    next_page_uri: more ? next.pathname + next.search : null,
  });
}

/** Chunk by chunk: a fixed body could not be made shorter than its Content-Length. */
export function mediaBody(
  bytes: Uint8Array,
  faults: Faults,
  wait: (ms: number) => Promise<void>,
): ReadableStream<Uint8Array> {
  const end = Math.min(bytes.length, faults.truncate ?? Infinity) + (faults.oversize ?? 0);
  const size = faults.stall_ms ? Math.ceil(end / 2) : CHUNK;
  let at = 0;
  return new ReadableStream({
    pull: async (controller) => {
      if (at >= end) return controller.close();
      const chunk = new Uint8Array(Math.min(size, end - at)); // zeros follow where the bytes end
      chunk.set(bytes.subarray(at, Math.min(at + chunk.length, end)));
      at += chunk.length;
      controller.enqueue(chunk);
      if (faults.stall_ms && at < end) await wait(faults.stall_ms);
    },
  });
}
