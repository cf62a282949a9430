/** Handing files out: short-lived URLs for those who may read them, and a record of each one of GBV evidence. */
import * as z from "zod/mini";
import {
  Bucket,
  DEFAULT_EXPIRES_IN,
  type FileReference,
  type SignedUrl,
  type SignedUrlRefusal,
  type SignedUrlRequest,
} from "../contracts.ts";
import { ServiceError } from "../platform/errors.ts";
import type { StorageService } from "../storage/service.ts";
import type { ReadingServices } from "./services.ts";

/** A file to be signed. */
const Signable = z.object({
  file_id: z.string(),
  bucket: Bucket,
  path: z.string(),
  expires_seconds: z.number(),
  gbv: z.boolean(),
});
type Signable = z.infer<typeof Signable>;

/** One file as `open_evidence` answers for it, in the order asked. */
const Opened = z.union([
  z.extend(Signable, { refused: z.optional(z.null()) }),
  z.object({ refused: z.enum(["not_found", "invalid_request"]) }),
]);

const REFUSALS = {
  not_found: "Not found.",
  invalid_request: "A URL of this file is valid for at most 900 seconds.",
};

/**
 * Signed URLs in the order asked, an error in the place of each file that is not there or not the caller's to read.
 *
 * An ordinary file asked for by its path is signed at once with the caller's token: Storage's policies decide, and
 * they let no user sign GBV evidence, in whichever bucket it lies. For all others, and what was refused so, the
 * database decides, with the caller's token, and notes each URL of GBV evidence before it exists; if it cannot, no URL
 * is made. Throws what the database and Storage throw.
 */
export async function signFiles(
  services: ReadingServices,
  token: string,
  request: SignedUrlRequest,
  requestId: string,
): Promise<(SignedUrl | ServiceError)[]> {
  const { download, expires_in } = request;
  const wanted = references(request);
  const asCaller = services.storage.as(token);

  const atOnce = await sign(asCaller, wanted.map((file) => ordinaryFile(file, expires_in)), download);
  const rest = wanted.filter((_, index) => !atOnce[index]);
  const opened = rest.length === 0 ? [] : await services.database.as(token).call(
    "open_evidence",
    { files: rest, request_id: requestId, expires_in: expires_in ?? null },
    z.array(Opened),
  );
  const only = (gbv: boolean) => opened.map((file) => !file.refused && file.gbv === gbv ? file : undefined);
  // how long a URL of GBV evidence is valid could not be held down in a policy: the service signs it, for as long as
  // was recorded
  const [ordinary, gbv] = await Promise.all([
    sign(asCaller, only(false), download),
    sign(services.serviceStorage, only(true), download),
  ]);
  const afterOpening = opened.map((file, at) =>
    ordinary[at] ?? gbv[at] ?? refusal(file.refused ?? "not_found")
  ).values();
  return atOnce.map((url) => url ?? afterOpening.next().value ?? refusal("not_found"));
}

/** A refusal as a batch shows it. */
export function shown(answer: SignedUrl | ServiceError): SignedUrl | SignedUrlRefusal {
  if (!(answer instanceof ServiceError)) return answer;
  return { error: { code: answer.code, message: answer.message } };
}

/** A URL in the place of each file, none where there is no file or it is gone, or hidden since. One call a bucket. */
async function sign(
  storage: StorageService,
  files: (Signable | undefined)[],
  download: SignedUrlRequest["download"],
): Promise<(SignedUrl | undefined)[]> {
  const groups = Map.groupBy(
    files.filter((file) => file !== undefined),
    ({ bucket, expires_seconds }) => `${bucket} ${expires_seconds}`,
  );
  const signed = new Map<Signable, SignedUrl>();
  await Promise.all([...groups.values()].map(async (group) => {
    const { bucket, expires_seconds } = group[0]!;
    const urls = await storage.sign(bucket, group.map(({ path }) => path), expires_seconds, download);
    group.forEach((file, position) => {
      const url = urls[position];
      if (!url) return;
      const { path, file_id } = file;
      const expires_at = url.expiresAt.toISOString();
      signed.set(file, { bucket, path, file_id, signed_url: url.signedUrl, expires_at });
    });
  }));
  return files.map((file) => file && signed.get(file));
}

/** The file, if its place says all there is to know: `{municipality}/{file_id}/{name}` in a bucket for ordinary files. */
function ordinaryFile(reference: FileReference, expires_seconds = DEFAULT_EXPIRES_IN): Signable | undefined {
  if (!("path" in reference) || reference.bucket === "gbv-evidence") return undefined;
  const { bucket, path } = reference;
  const file_id = path.split("/")[1];
  return file_id ? { file_id, bucket, path, expires_seconds, gbv: false } : undefined;
}

function references(request: SignedUrlRequest): FileReference[] {
  if ("files" in request) return request.files;
  return "file_id" in request
    ? [{ file_id: request.file_id }]
    : [{ bucket: request.bucket, path: request.path }];
}

function refusal(code: keyof typeof REFUSALS): ServiceError {
  return new ServiceError(code, REFUSALS[code]);
}
