/** Supabase Storage as this project uses it: private buckets, files that never change. */
import { StorageClient, type StorageError } from "@supabase/storage-js";
import { decodeJwt } from "jose";
import type { Bucket } from "../contracts.ts";
import { authHeaders, type Project } from "../platform/project.ts";
import { StorageServiceError } from "../platform/errors.ts";
import { inTime } from "../platform/in-time.ts";

/** A file's place. */
export interface StoredFile {
  bucket: Bucket;
  path: string;
}

/** Where and how to upload one file, once. */
export interface UploadTicket {
  token: string;
  signedUrl: string;
  expiresAt: Date;
}

/**
 * Storage as one caller sees it: a user with their own token, whom row-level security holds to what they may, or the
 * service. URLs are given on `publicUrl`, since under Docker the functions reach Storage by an inner name.
 */
export class StorageService {
  private readonly client: StorageClient;
  private readonly base: string;

  constructor(private readonly project: Project, private readonly publicUrl: string, token?: string) {
    this.base = `${project.url}/storage/v1`;
    this.client = new StorageClient(this.base, authHeaders(project, token), fetchInTime);
  }

  /** Storage as the user of this token sees it. */
  as(token: string): StorageService {
    return new StorageService(this.project, this.publicUrl, token);
  }

  /** The holder of the result can upload this one file; it never replaces one. Throws `forbidden` and others. */
  async createUploadTicket({ bucket, path }: StoredFile): Promise<UploadTicket> {
    const { data, error } = await this.client.from(bucket).createSignedUploadUrl(path).catch(unreachable);
    if (error) throw translate(error);
    const expiry = decodeJwt(data.token).exp;
    if (expiry === undefined) {
      throw new StorageServiceError("storage_unavailable", UNAVAILABLE, "storage_unavailable");
    }
    return {
      token: data.token,
      signedUrl: this.onPublicUrl(data.signedUrl),
      expiresAt: new Date(expiry * 1000),
    };
  }

  /**
   * Uploads bytes, never replacing a file (`already_stored`). A stream that errors before its end stores nothing.
   */
  async upload(
    { bucket, path }: StoredFile,
    body: Uint8Array | ReadableStream,
    contentType: string,
  ): Promise<void> {
    const { error } = await this.client.from(bucket)
      .upload(path, body as Uint8Array<ArrayBuffer> | ReadableStream, {
        contentType,
        upsert: false,
        cacheControl: "0", // a file that is moved away must not live on in a cache
      })
      .catch(unreachable);
    if (error) throw translate(error);
  }

  /** Whether a file is there. */
  async has({ bucket, path }: StoredFile): Promise<boolean> {
    const { error } = await this.client.from(bucket).info(path).catch(unreachable);
    if (!error) return true;
    const failed = translate(error);
    if (failed.code === "not_found") return false;
    throw failed;
  }

  /** Copies a file to the same path of another bucket (`already_stored` if something is there). */
  async copy({ bucket, path }: StoredFile, destinationBucket: Bucket): Promise<void> {
    const { error } = await this.client.from(bucket).copy(path, path, { destinationBucket }).catch(
      unreachable,
    );
    if (error) throw translate(error);
  }

  /** Deletes a file; one that is gone already is no error. */
  async remove({ bucket, path }: StoredFile): Promise<void> {
    const { error } = await this.client.from(bucket).remove([path]).catch(unreachable);
    if (error) throw translate(error);
  }

  /** The file's bytes as a stream. */
  async read({ bucket, path }: StoredFile): Promise<ReadableStream<Uint8Array>> {
    const { data, error } = await this.client.from(bucket).download(path).asStream();
    if (error) throw translate(error);
    return data;
  }

  /**
   * Signed URLs of files of one bucket, for so many seconds, in the order given; null for a file that is not there or
   * may not be read. `download` makes them downloads: true under the stored name, or a name.
   */
  async sign(
    bucket: Bucket,
    paths: string[],
    expiresIn: number,
    download: boolean | string = false,
  ): Promise<({ signedUrl: string; expiresAt: Date } | null)[]> {
    const expiresAt = new Date(Date.now() + expiresIn * 1000);
    const { data, error } = await this.client.from(bucket).createSignedUrls(paths, expiresIn).catch(
      unreachable,
    );
    if (error) throw translate(error);
    // not by the client's own option: for many files it encodes a name twice
    const suffix = download === false
      ? ""
      : `&download=${download === true ? "" : encodeURIComponent(download)}`;
    return data.map(({ signedUrl, error }) =>
      error || !signedUrl ? null : { signedUrl: this.onPublicUrl(signedUrl) + suffix, expiresAt }
    );
  }

  private onPublicUrl(url: string): string {
    if (!url.startsWith(this.base)) return url;
    return `${this.publicUrl.replace(/\/+$/, "")}/storage/v1${url.slice(this.base.length)}`;
  }
}

/** Milliseconds for a call of Storage, bytes included: one that hangs must not hold a worker until it is killed. */
const TIMEOUT_MS = 90_000;

const fetchInTime: typeof fetch = (input, init) => {
  // a download's bytes, too, are to come in time
  if (init?.method === "GET") return fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  return inTime(TIMEOUT_MS, async (signal) => {
    const response = await fetch(input, { ...init, signal });
    const answer = await response.bytes();
    return new Response(answer.length > 0 ? answer : null, response);
  });
};

const UNAVAILABLE = "Storage did not answer. Try again.";

function unreachable(cause: unknown): never {
  throw new StorageServiceError("storage_unavailable", UNAVAILABLE, "storage_unavailable", { cause });
}

/** Storage answers most refusals with HTTP 400 and says the true status in the body. */
function translate(error: StorageError): StorageServiceError {
  const status = String((error as { statusCode?: unknown }).statusCode ?? "");
  const options = { log: `storage ${status || "unreachable"}` };
  switch (status) {
    case "403":
      return new StorageServiceError("forbidden", "You may not do this.", "storage_refused", options);
    case "404":
      return new StorageServiceError("not_found", "Not found.", "storage_refused", options);
    case "409":
      return new StorageServiceError(
        "invalid_request",
        "This file is stored already.",
        "already_stored",
        options,
      );
    case "413":
      return new StorageServiceError(
        "payload_too_large",
        "The file is too large.",
        "payload_too_large",
        options,
      );
    case "415":
      return new StorageServiceError(
        "unsupported_media_type",
        "Files of this type are not accepted.",
        "unsupported_media_type",
        options,
      );
    default:
      return new StorageServiceError("storage_unavailable", UNAVAILABLE, "storage_unavailable", options);
  }
}
