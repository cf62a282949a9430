/** Asking signed-url for files, and what a URL must be. */
import type { SignedUrl } from "../../shared/contracts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import type { KnownFile } from "../support/files.ts";
import { type Answer, call, endOf } from "../support/functions.ts";
import { type Person, sha256 } from "../support/stack.ts";

export const nameOf = ({ role, slug }: Person) => `${role} of ${slug}`;

export function assertSameTime(actual: string | number, expected: string | number, what: string): void {
  const apart = Math.abs(new Date(actual).getTime() - new Date(expected).getTime());
  assert(apart <= 60_000, `${what}: ${apart} ms apart`);
}

export const byId = ({ fileId }: KnownFile) => ({ file_id: fileId });
export const byPath = ({ bucket, path }: KnownFile) => ({ bucket, path });

export function sign(who: Person, body: Record<string, unknown>): Promise<Answer> {
  return call("signed-url", { token: who.token, body });
}

export function assertUrlOf(given: SignedUrl, file: KnownFile, what: string): void {
  const { signed_url, expires_at, ...rest } = given;
  assertEquals(rest, { bucket: file.bucket, path: file.path, file_id: file.fileId }, what);
  const url = new URL(signed_url);
  assertEquals(url.origin, new URL(Deno.env.get("PUBLIC_SUPABASE_URL")!).origin, what);
  assertEquals(url.pathname, `/storage/v1/object/sign/${file.bucket}/${file.path}`, what);
  assertSameTime(expires_at, endOf(signed_url), `${what}: expires_at`);
}

export async function fetchHash(url: string): Promise<string> {
  const response = await fetch(url);
  const bytes = await response.bytes() as Uint8Array<ArrayBuffer>;
  assertEquals(response.status, 200, new TextDecoder().decode(bytes.subarray(0, 300)));
  return await sha256(bytes);
}
