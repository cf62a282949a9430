/** The last segment of an object's path, made of any file name. */

/** Characters; the path before it takes 74, and Storage allows 1024 bytes. */
const MAX_LENGTH = 120;
const MAX_EXTENSION = 12;

/**
 * A name in the alphabet that every Storage client leaves alone (`A-Z a-z 0-9 . _ -`), with the file's extension:
 * `Foto – ”straat” nº1.JPG` becomes `Foto-straat-no1.jpg`, and what has no such letters `file`. Never empty, never
 * begins with a dot, at most 120 characters.
 */
export function objectName(filename: string): string {
  const dot = filename.lastIndexOf(".");
  const extension = dot > 0 ? safe(filename.slice(dot + 1)).replace(/[._-]/g, "").toLowerCase() : "";
  const hasExtension = extension !== "" && extension.length <= MAX_EXTENSION;
  const suffix = hasExtension ? `.${extension}` : "";
  const stem = safe(hasExtension ? filename.slice(0, dot) : filename)
    .slice(0, MAX_LENGTH - suffix.length)
    .replace(/[.-]+$/, "");
  return (stem || "file") + suffix;
}

function safe(text: string): string {
  return text
    .normalize("NFKD").replace(/\p{Mark}/gu, "") // é becomes e, ﬁ becomes fi
    .replace(/[^A-Za-z0-9._]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[.-]+/, "");
}

const EXTENSIONS: Record<string, string> = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "image/gif": "gif",
  "image/heic": "heic",
  "application/pdf": "pdf",
  "video/mp4": "mp4",
  "video/quicktime": "mov",
  "video/3gpp": "3gp",
  "audio/ogg": "ogg",
  "audio/mpeg": "mp3",
  "audio/aac": "aac",
  "audio/amr": "amr",
  "audio/mp4": "m4a",
  "audio/x-m4a": "m4a",
};

/** A name for an attachment that came without one: `whatsapp-1.jpg` for the first. It says nothing about its sender. */
export function mediumName(index: number, contentType: string): string {
  const extension = Object.hasOwn(EXTENSIONS, contentType) ? EXTENSIONS[contentType] : "bin";
  return `whatsapp-${index + 1}.${extension}`;
}
