/** URLs by which a browser shows or downloads files that the caller may read. */
import { type FileReference, MAX_FILES, type SignedUrl, type SignedUrlRefusal } from "./contracts.ts";
import { ofFunction } from "./errors.ts";
import type { AnyClient } from "./types.ts";

export interface SigningOptions {
  /** Seconds; GBV evidence is signed for less. */
  expiresIn?: number;
  /** Makes them downloads: under the stored name (true) or a name given. */
  download?: boolean | string;
}

/** Any number of files, in the order asked; a file that is not there or not allowed gives a refusal in its place. */
export async function signedUrls(
  supabase: AnyClient,
  files: FileReference[],
  { expiresIn, download }: SigningOptions = {},
): Promise<(SignedUrl | SignedUrlRefusal)[]> {
  const results: (SignedUrl | SignedUrlRefusal)[] = [];
  for (let at = 0; at < files.length; at += MAX_FILES) {
    const { data, error } = await supabase.functions.invoke<{ files: typeof results }>("signed-url", {
      body: { files: files.slice(at, at + MAX_FILES), expires_in: expiresIn, download },
    });
    if (error) throw await ofFunction(error);
    results.push(...data!.files);
  }
  return results;
}
