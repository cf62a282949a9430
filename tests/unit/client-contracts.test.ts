// The package's own types against the schemas: it does not compile when one of them differs.
import type * as client from "../../client/contracts.ts";
import { MAX_FILES } from "../../client/contracts.ts";
import * as shared from "../../shared/contracts.ts";
import type { OpenReportResponse } from "../../shared/responses.ts";
import { assertEquals } from "../support/assert.ts";

type Mutual<One, Other> = [One] extends [Other] ? [Other] extends [One] ? true : false : false;

const same: [
  Mutual<client.Purpose, shared.Purpose>,
  Mutual<client.Bucket, shared.Bucket>,
  Mutual<client.UploadUrlRequest, shared.UploadUrlRequest>,
  Mutual<client.UploadUrlResponse, shared.UploadUrlResponse>,
  Mutual<client.FileReference, shared.FileReference>,
  Mutual<client.SignedUrl, shared.SignedUrl>,
  Mutual<client.SignedUrlRefusal, shared.SignedUrlRefusal>,
  Mutual<client.ErrorResponse, shared.ErrorResponse>,
  Mutual<client.OpenedMessage, OpenReportResponse["messages"][number]>,
] = [true, true, true, true, true, true, true, true, true];

Deno.test("the package knows the functions' contracts without their schemas", () => {
  assertEquals([...new Set(same)], [true]);
  assertEquals(MAX_FILES, shared.MAX_FILES);
});
