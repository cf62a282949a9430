// Compile time only: the schemas of shared/responses.ts are of exactly the types that contracts.ts and the functions have.
import type * as contracts from "../../shared/contracts.ts";
import type { Round } from "../../shared/evidence/worker.ts";
import type * as responses from "../../shared/responses.ts";

/** Both ways, optional fields too; TypeScript's own test for "identical". */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

true satisfies Same<responses.UploadUrlResponse, contracts.UploadUrlResponse>;
true satisfies Same<responses.SignedUrl, contracts.SignedUrl>;
true satisfies Same<responses.SignedUrlRefusal, contracts.SignedUrlRefusal>;
true satisfies Same<responses.SignedUrlResponse, contracts.SignedUrlResponse>;
true satisfies Same<responses.ErrorResponse, contracts.ErrorResponse>;
true satisfies Same<responses.MediaWorkerResponse, Round>;
