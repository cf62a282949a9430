/** Stored files to measure with. */
import type { Bucket } from "../../shared/contracts.ts";
import type { Supabase } from "../../local/supabase.ts";
import { loadFiles } from "./database.ts";
import type { BenchContext } from "./types.ts";

/** City of Mbombela, of supabase/seed.sql. */
export const MBOMBELA = "a1b0de1a-0000-4000-8000-000000000001";

export interface File {
  bucket: Bucket;
  path: string;
  file_id: string;
}

/** Headers of a call with an API key and, for a person, a token. */
export function headers(apikey: string, token?: string): Record<string, string> {
  return {
    apikey,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    "content-type": "application/json",
  };
}

/** Files that a stand-in has besides those measured: Postgres plans for an empty table as for no other. */
const FILES = 10_000;

/** Fills a stand-in; a real project has its own files. */
export async function loadOffice(supabase: Supabase | null): Promise<void> {
  if (supabase) await loadFiles(supabase.connect("supabase_admin"), { evidence: FILES, documents: 0 });
}

/** Uploads `count` small JPEGs as the service. */
export async function storeFiles(
  bench: BenchContext,
  bucket: Bucket,
  count: number,
  tenant = MBOMBELA,
): Promise<File[]> {
  const files: File[] = [];
  for (let stored = 0; stored < count; stored++) {
    const bytes = crypto.getRandomValues(new Uint8Array(2000));
    bytes.set([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1]);
    const file_id = crypto.randomUUID();
    const path = `${tenant}/${file_id}/photo.jpg`;
    const response = await fetch(`${bench.url}/storage/v1/object/${bucket}/${path}`, {
      method: "POST",
      headers: { ...headers(bench.secretKey), "content-type": "image/jpeg" },
      body: bytes,
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`A file could not be stored (${response.status}): ${answer}`);
    files.push({ bucket, path, file_id });
  }
  return files;
}

/** Deletes stored files as the service. */
export async function removeFiles(bench: BenchContext, bucket: Bucket, paths: string[]): Promise<void> {
  if (paths.length === 0) return;
  const response = await fetch(`${bench.url}/storage/v1/object/${bucket}`, {
    method: "DELETE",
    headers: headers(bench.secretKey),
    body: JSON.stringify({ prefixes: paths }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`Files could not be deleted (${response.status}): ${answer}`);
}
