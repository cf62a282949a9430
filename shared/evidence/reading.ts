/** Handing files out: short-lived URLs for those who may read them, and a record of each one of GBV evidence. */
import type { Bucket, FileReference, SignedUrl, SignedUrlRefusal, SignedUrlRequest } from "../contracts.ts";
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

/**
 * Signed URLs in the order asked, a refusal in the place of each file that is not there or not the caller's to read.
 * The database decides, with the caller's token, and notes each URL of GBV evidence before it exists; if it cannot, no
 * URL is made. Throws what `rpc` and Storage throw.
 */
export async function signFiles(
  environment: Environment,
  token: string,
  request: SignedUrlRequest,
  requestId: string,
): Promise<(SignedUrl | SignedUrlRefusal)[]> {
  const project = publishableProject(environment);
  const publicUrl = required(environment, "PUBLIC_SUPABASE_URL");
  const asCaller = new StorageService(project, publicUrl, token);
  // Storage's policies let no user sign GBV evidence: how long such a URL is valid could not be held down there
  const asService = new StorageService(secretProject(environment), publicUrl);

  const opened = await rpc<Opened[]>(
    project,
    "open_evidence",
    { files: references(request), request_id: requestId, expires_in: request.expires_in ?? null },
    token,
  );
  const answers: (SignedUrl | SignedUrlRefusal)[] = opened.map(({ refused }) =>
    refusal(refused ?? "not_found")
  );

  // one call to Storage for all files of a bucket that are signed alike
  const groups = Map.groupBy(
    opened.flatMap((file, index) => file.refused ? [] : [{ ...file, index }]),
    (file) => `${file.bucket} ${file.expires_seconds} ${file.gbv}`,
  );
  await Promise.all([...groups.values()].map(async (files) => {
    const { bucket, expires_seconds, gbv } = files[0]!;
    const paths = files.map((file) => file.path);
    const urls = await (gbv ? asService : asCaller).sign(bucket, paths, expires_seconds, request.download);
    files.forEach(({ path, file_id, index }, position) => {
      const url = urls[position];
      if (!url) return; // gone, or hidden since
      answers[index] = {
        bucket,
        path,
        file_id,
        signed_url: url.signedUrl,
        expires_at: url.expiresAt.toISOString(),
      };
    });
  }));
  return answers;
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
