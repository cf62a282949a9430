/** Tells by a file's bytes whether it was taken in, as far as the caller may know. */
import { sha256Hex } from "../shared/bundle/digest.ts";
import type { AnyClient } from "./types.ts";

/** No bucket takes more. */
const MAX_BYTES = 50 * 1024 * 1024;

/** A stored file that has the same bytes. */
export interface StoredCopy {
  file_id: string;
  ticket_id: string | null;
  filename: string;
  content_type: string;
  source: string;
  created_at: string;
}

export interface Copies {
  /** Hex; undefined for a file that is larger than any that is taken in. */
  sha256: string | undefined;
  /** Oldest first, at most 100. */
  files: StoredCopy[];
}

/**
 * The stored files that the caller may see and that are this one, byte for byte. Row-level security decides: a file that
 * they may not see gives the same answer as one that was never taken in. One uploaded less than a few minutes ago may not
 * be known yet.
 */
export async function findCopies(
  supabase: AnyClient,
  file: Blob,
  { signal = new AbortController().signal }: { signal?: AbortSignal } = {},
): Promise<Copies> {
  if (file.size > MAX_BYTES) return { sha256: undefined, files: [] };
  const sha256 = await sha256Hex(await file.arrayBuffer());
  const { data, error } = await supabase.from("media_attachments")
    .select("file_id, ticket_id, filename, content_type, source, created_at")
    .eq("sha256", sha256).eq("status", "stored").order("created_at").limit(100).abortSignal(signal);
  if (error) throw new Error(error.message, { cause: error });
  return { sha256, files: data as unknown as StoredCopy[] };
}
