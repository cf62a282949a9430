/** What a file really is: told from its bytes, compared with what it was said to be. */
import { fileTypeFromBuffer } from "file-type";
import { normalType } from "../file-types.ts";

/** One container, ISO base media: its brand does not tell an M4A voice note from an MP4 film without picture. */
const ISO_MEDIA = ["video/mp4", "audio/mp4", "audio/x-m4a", "video/quicktime", "video/3gpp"];

/** What a resident sent and is of no type we know: kept as received, and only ever handed out as a download. */
export const AS_RECEIVED = "application/octet-stream";

/** A PDF may have other bytes before its header, as many as this (ISO 32000, annex H). */
const BEFORE_PDF = 1024;

/** The type that the first bytes show (some KB are enough), or undefined for none we know: svg, html, text. */
export async function sniffType(head: Uint8Array): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head);
  if (found) return normalType(found.mime);
  const beginning = new TextDecoder("latin1").decode(head.subarray(0, BEFORE_PDF + 5));
  return /%PDF-/.test(beginning) ? "application/pdf" : undefined;
}

/**
 * The type under which a bucket stores what a resident sent. The bytes decide; what is of no type of the bucket is stored
 * as received, if the bucket takes such. Undefined where it takes neither.
 */
export function storedType(
  declared: string,
  sniffed: string | undefined,
  accepted: readonly string[],
): string | undefined {
  return [agreedType(declared, sniffed), sniffed, AS_RECEIVED].find((type) =>
    type && accepted.includes(type)
  );
}

/** The type that bytes and declaration agree on, or undefined where they do not. */
export function agreedType(declared: string, sniffed: string | undefined): string | undefined {
  const said = normalType(declared);
  if (said === sniffed) return said;
  return sniffed && ISO_MEDIA.includes(said) && ISO_MEDIA.includes(sniffed) ? said : undefined;
}
