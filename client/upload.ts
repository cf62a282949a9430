/** Uploads a file as evidence: hashed here, announced, and put where the answer says. */
import type { Bucket, Purpose, UploadUrlRequest, UploadUrlResponse } from "./contracts.ts";
import { EvidenceError, ofFunction, ofStorage } from "./errors.ts";
import { sha256Hex } from "../shared/bundle/digest.ts";
import { typeOfFile } from "../shared/file-types.ts";
import type { AnyClient } from "./types.ts";

export interface UploadOptions {
  purpose: Purpose;
  ticketId?: string;
  /** Of the upload itself, 0 to 1. Without XMLHttpRequest (Deno, Node) only 0 and 1 are told. */
  onProgress?(fraction: number): void;
  /** Aborting rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface UploadedFile {
  file_id: string;
  bucket: Bucket;
  path: string;
  /** Hex, taken of the bytes here; the service compares it with what arrived. */
  sha256: string;
}

/** Throws an EvidenceError with a code of the contracts. */
export async function uploadEvidence(
  supabase: AnyClient,
  file: File | Blob & { name?: string },
  { purpose, ticketId, onProgress, signal }: UploadOptions,
): Promise<UploadedFile> {
  signal?.throwIfAborted();
  const type = typeOfFile(file.type, file.name ?? "");
  // Storage reads the type off the form's part, and takes none with parameters.
  const body = file.type === type ? file : new Blob([file], { type });
  const sha256 = await sha256Hex(await file.arrayBuffer());
  signal?.throwIfAborted();

  const request: UploadUrlRequest = {
    purpose,
    filename: file.name || `file.${type.split("/")[1]}`,
    content_type: type,
    file_size: file.size,
    ...(ticketId && { ticket_id: ticketId }),
    sha256,
  };
  const { data, error } = await supabase.functions.invoke<UploadUrlResponse>("upload-url", {
    body: request,
    signal,
  });
  signal?.throwIfAborted();
  if (error) throw await ofFunction(error);
  const { file_id, bucket, path, signed_url } = data!;

  // As storage-js's uploadToSignedUrl sends it, which tells no progress and cannot be aborted.
  const form = new FormData();
  form.append("cacheControl", "0");
  form.append("", body);
  onProgress?.(0);
  const put = "XMLHttpRequest" in globalThis ? putByXhr : putByFetch;
  const { status, text } = await put(signed_url, form, onProgress, signal);
  if (status < 200 || status > 299) throw ofStorage(status, text);
  onProgress?.(1);
  return { file_id, bucket, path, sha256 };
}

interface Answer {
  status: number;
  text: string;
}

const headers = { "x-upsert": "false" };
const unreachable = (cause?: unknown) =>
  new EvidenceError("storage_unavailable", "The upload was interrupted", [], { cause });

async function putByFetch(
  url: string,
  body: FormData,
  _onProgress: unknown,
  signal?: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(url, { method: "PUT", headers, body, signal });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(error);
  }
}

/** Of XMLHttpRequest what is used here: only browsers have it, and its types. */
interface Request {
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  send(body: FormData): void;
  abort(): void;
  readonly upload: {
    onprogress: (event: { loaded: number; total: number; lengthComputable: boolean }) => void;
  };
  readonly status: number;
  readonly responseText: string;
  onload: () => void;
  onerror: () => void;
  ontimeout: () => void;
  onabort: () => void;
}

/** The one way to learn how far an upload is: fetch does not tell. */
function putByXhr(
  url: string,
  body: FormData,
  onProgress?: (fraction: number) => void,
  signal?: AbortSignal,
): Promise<Answer> {
  const request = new (globalThis as unknown as { XMLHttpRequest: new () => Request }).XMLHttpRequest();
  const abort = () => request.abort();
  return new Promise<Answer>((resolve, reject) => {
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total, lengthComputable }) => {
      // The last bytes are sent before they are stored: 1 is told when the answer is here.
      if (lengthComputable) onProgress?.(Math.min(loaded / total, 0.99));
    };
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = request.ontimeout = () => reject(unreachable());
    request.onabort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    request.send(body);
  }).finally(() => signal?.removeEventListener("abort", abort));
}
