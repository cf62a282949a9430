/** Names of media types, for every way in: one table of other names in use, and the types that file names tell. */

const ALIASES: Record<string, string> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-png": "image/png",
  "image/apng": "image/png",
  "image/heif": "image/heic",
  "image/heic-sequence": "image/heic",
  "image/heif-sequence": "image/heic",
  "application/x-pdf": "application/pdf",
  "video/x-m4v": "video/mp4",
  "video/3gpp2": "video/3gpp",
  "audio/opus": "audio/ogg",
  "application/ogg": "audio/ogg",
  "audio/mp3": "audio/mpeg",
  "audio/x-aac": "audio/aac",
  "audio/aacp": "audio/aac",
  "audio/amr-nb": "audio/amr",
  "audio/3gpp": "video/3gpp",
  "audio/m4a": "audio/x-m4a",
};

const BY_EXTENSION: Record<string, string> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  heif: "image/heic",
  pdf: "application/pdf",
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  "3gp": "video/3gpp",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  mp3: "audio/mpeg",
  aac: "audio/aac",
  amr: "audio/amr",
  m4a: "audio/x-m4a",
};

/** A name without marks of direction: `photo\u202egpj.exe` is shown as photoexe.jpg. The database takes none with them. */
export function withoutDirection(filename: string): string {
  return filename.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

/** `audio/ogg; codecs=opus` → `audio/ogg`, lower case, aliases resolved. */
export function normalType(type: string): string {
  const bare = type.split(";", 1)[0]!.trim().toLowerCase();
  return Object.hasOwn(ALIASES, bare) ? ALIASES[bare]! : bare;
}

/** The type of a file as its browser tells it; by its name where the browser tells none. */
export function typeOfFile(type: string, filename: string): string {
  const said = normalType(type);
  if (said && said !== "application/octet-stream") return said;
  const extension = filename.slice(filename.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension]! : "application/octet-stream";
}
