/** What a file really is: told from its bytes, compared with what it was said to be. */
import { fileTypeFromBuffer } from "file-type";

/** Names of one type in use beside the one that our buckets list. */
const ALIASES: Record<string, string> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/heif": "image/heic",
  "audio/opus": "audio/ogg",
  "application/ogg": "audio/ogg",
  "audio/mp3": "audio/mpeg",
  "audio/x-aac": "audio/aac",
  "audio/aacp": "audio/aac",
  "audio/amr-nb": "audio/amr",
  "audio/3gpp": "video/3gpp",
  "audio/m4a": "audio/x-m4a",
};

/** One container, ISO base media: its brand does not tell an M4A voice note from an MP4 film without picture. */
const ISO_MEDIA = ["video/mp4", "audio/mp4", "audio/x-m4a", "video/quicktime", "video/3gpp"];

/** `audio/ogg; codecs=opus` → `audio/ogg`, lower case, aliases resolved. */
export function normalType(type: string): string {
  const bare = type.split(";", 1)[0]!.trim().toLowerCase();
  return ALIASES[bare] ?? bare;
}

/** The type that the first bytes show (some KB are enough), or undefined for none we know: svg, html, text. */
export async function sniffType(head: Uint8Array): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head);
  return found && normalType(found.mime);
}

/** The type to store a file under, or undefined where bytes and declaration disagree. */
export function agreedType(declared: string, sniffed: string | undefined): string | undefined {
  const said = normalType(declared);
  if (said === sniffed) return said;
  return sniffed && ISO_MEDIA.includes(said) && ISO_MEDIA.includes(sniffed) ? said : undefined;
}
