/** What the functions take and give, as types alone: the package brings no schema library. A test compares them with the schemas. */

export type Purpose = "evidence" | "documents" | "proof_of_residence" | "gbv-evidence";
export type Bucket = "evidence" | "documents" | "gbv-evidence";

/** Most files that one call signs. */
export const MAX_FILES = 100;

export interface UploadUrlRequest {
  purpose: Purpose;
  filename: string;
  content_type: string;
  file_size: number;
  ticket_id?: string | undefined;
  sha256?: string | undefined;
}

export interface UploadUrlResponse {
  bucket: Bucket;
  path: string;
  file_id: string;
  token: string;
  signed_url: string;
  expires_at: string;
  max_bytes: number;
}

/** A file, by its id or by its place. */
export type FileReference = { file_id: string } | { bucket: Bucket; path: string };

/** One file's URL, valid until `expires_at`. */
export interface SignedUrl {
  bucket: Bucket;
  path: string;
  file_id: string;
  signed_url: string;
  expires_at: string;
}

/** Why there is no URL for one file. Not found and not allowed look the same. */
export interface SignedUrlRefusal {
  error: { code: string; message: string };
}

/** A message as open-report decrypts it. */
export interface OpenedMessage {
  message_sid: string;
  received_at: string;
  kind: string;
  text: string;
  place?: { latitude: number; longitude: number; name: string | null } | undefined;
  sender?: string | undefined;
}

export interface ErrorResponse {
  error: { code: string; message: string; details?: { path: string; message: string }[] | undefined };
  request_id: string;
}
