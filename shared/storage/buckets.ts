/** The buckets as the database has them (migrations/*_storage.sql; a test compares the two). */
import type { Bucket, Purpose } from "../contracts.ts";
import { AS_RECEIVED } from "./media-type.ts";

const EVIDENCE_TYPES = [
  "image/jpeg",
  "image/png",
  "image/webp",
  "image/gif",
  "image/heic",
  "application/pdf",
  "video/mp4",
  "video/quicktime",
  "video/3gpp",
  "audio/ogg",
  "audio/mpeg",
  "audio/aac",
  "audio/amr",
  "audio/mp4",
  "audio/x-m4a",
  // what residents send by WhatsApp and is none of these; nobody else uploads it
  AS_RECEIVED,
];
const MiB = 1024 * 1024;

/** Largest file in bytes, and media types accepted. */
export interface BucketLimits {
  maxBytes: number;
  types: readonly string[];
}

export const BUCKETS: Record<Bucket, BucketLimits> = {
  "evidence": { maxBytes: 50 * MiB, types: EVIDENCE_TYPES },
  "documents": { maxBytes: 10 * MiB, types: ["image/jpeg", "image/png", "image/webp", "application/pdf"] },
  "gbv-evidence": { maxBytes: 50 * MiB, types: EVIDENCE_TYPES },
};

const BUCKET_OF: Record<Purpose, Bucket> = {
  "evidence": "evidence",
  "documents": "documents",
  "proof_of_residence": "documents",
  "gbv-evidence": "gbv-evidence",
};

/** The bucket of a purpose; all of a sensitive ticket's files go to gbv-evidence. As private.bucket_for in SQL. */
export function bucketFor(purpose: Purpose, sensitive: boolean): Bucket {
  return sensitive ? "gbv-evidence" : BUCKET_OF[purpose];
}
