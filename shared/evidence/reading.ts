/** Handing files out: short-lived URLs for those who may read them, and a record of each one of GBV evidence. */
import {
  type Bucket,
  DEFAULT_EXPIRES_IN,
  type FileReference,
  type SignedUrl,
  type SignedUrlRefusal,
  type SignedUrlRequest,
} from "../contracts.ts";
import { rpc } from "../platform/database.ts";
import { type Environment, publishableProject, required, secretProject } from "../platform/environment.ts";
import { ServiceError } from "../platform/errors.ts";
import { StorageService } from "../storage/service.ts";

/** One file as `open_evidence` answers for it, in the order asked. */
type Opened =
  | { refused: null; file_id: string; bucket: Bucket; path: string; expires_seconds: number; gbv: boolean }
  | { refused: "not_found" | "invalid_request" };

const REFUSALS = {
  not_found: "Not found.",
  invalid_request: "A URL of this file is valid for at most 900 seconds.",
};

/** A file to be signed, and its place in the order asked. */
interface Signable {
  index: number;
  file_id: string;
  bucket: Bucket;
  path: string;
  expires_seconds: number;
  gbv: boolean;
}

/**
 * Signed URLs in the order asked, a refusal in the place of each file that is not there or not the caller's to read.
 *
 * An ordinary file asked for by its path is signed at once with the caller's token: Storage's policies decide, and
 * they let no user sign GBV evidence, in whichever bucket it lies. For all others, and what was refused so, the
 * database decides, with the caller's token, and notes each URL of GBV evidence before it exists; if it cannot, no URL
 * is made. Throws what `rpc` and Storage throw.
 */
export async function signFiles(
  environment: Environment,
  token: string,
  request: SignedUrlRequest,
  requestId: string,
): Promise<(SignedUrl | SignedUrlRefusal)[]> {
  const project = publishableProject(environment);
  const service = secretProject(environment);
  const publicUrl = required(environment, "PUBLIC_SUPABASE_URL");
  const wanted = references(request);
  const answers = new Array<SignedUrl | SignedUrlRefusal | undefined>(wanted.length);

  const asCaller = new StorageService(project, publicUrl, token);
  const byPath = wanted.flatMap((reference, index) => ordinaryFile(reference, index, request.expires_in));
  await sign(asCaller, byPath, request.download, answers);

  const rest = [...wanted.keys()].filter((index) => !answers[index]);
  if (rest.length > 0) {
    const args = {
      files: rest.map((index) => wanted[index]),
      request_id: requestId,
      expires_in: request.expires_in ?? null,
    };
    const opened = await rpc<Opened[]>(project, "open_evidence", args, token);
    const signable = opened.flatMap((file, at) => {
      const index = rest[at]!;
      answers[index] = refusal(file.refused ?? "not_found");
      return file.refused ? [] : [{ ...file, index }];
    });
    const [gbv, ordinary] = [true, false].map((gbv) => signable.filter((file) => file.gbv === gbv));
    // how long a URL of GBV evidence is valid could not be held down in a policy: the service signs it, for as long as
    // was recorded
    const asService = new StorageService(service, publicUrl);
    await Promise.all([
      sign(asCaller, ordinary!, request.download, answers),
      sign(asService, gbv!, request.download, answers),
    ]);
  }
  return answers.map((answer) => answer ?? refusal("not_found"));
}

/** Signs files, with one call for all of a bucket, into their places; what is gone, or hidden since, stays as it is. */
async function sign(
  storage: StorageService,
  files: Signable[],
  download: SignedUrlRequest["download"],
  answers: (SignedUrl | SignedUrlRefusal | undefined)[],
): Promise<void> {
  const groups = Map.groupBy(files, ({ bucket, expires_seconds }) => `${bucket} ${expires_seconds}`);
  await Promise.all([...groups.values()].map(async (group) => {
    const { bucket, expires_seconds } = group[0]!;
    const urls = await storage.sign(bucket, group.map(({ path }) => path), expires_seconds, download);
    group.forEach(({ index, path, file_id }, position) => {
      const url = urls[position];
      if (!url) return;
      const expires_at = url.expiresAt.toISOString();
      answers[index] = { bucket, path, file_id, signed_url: url.signedUrl, expires_at };
    });
  }));
}

/** The file, if its place says all there is to know: `{municipality}/{file_id}/{name}` in a bucket for ordinary files. */
function ordinaryFile(
  reference: FileReference,
  index: number,
  expiresIn = DEFAULT_EXPIRES_IN,
): Signable[] {
  if (!("path" in reference) || reference.bucket === "gbv-evidence") return [];
  const { bucket, path } = reference;
  const file_id = path.split("/")[1];
  return file_id ? [{ index, file_id, bucket, path, expires_seconds: expiresIn, gbv: false }] : [];
}

/** The one file asked for. Throws `not_found` or `invalid_request` where a batch would say so in its place. */
export function onlyFile([answer]: (SignedUrl | SignedUrlRefusal)[]): SignedUrl {
  if (answer && !("error" in answer)) return answer;
  const code = answer?.error.code === "invalid_request" ? "invalid_request" : "not_found";
  throw new ServiceError(code, REFUSALS[code]);
}

function references(request: SignedUrlRequest): FileReference[] {
  if ("files" in request) return request.files;
  return "file_id" in request
    ? [{ file_id: request.file_id }]
    : [{ bucket: request.bucket, path: request.path }];
}

function refusal(code: keyof typeof REFUSALS): SignedUrlRefusal {
  return { error: { code, message: REFUSALS[code] } };
}
