import { assert, assertEquals } from "../support/assert.ts";
import { Bucket, Purpose } from "../../shared/contracts.ts";
import { bucketFor, BUCKETS } from "../../shared/storage/buckets.ts";

Deno.test("buckets: each purpose has its own; all of a sensitive ticket's files go to gbv-evidence", () => {
  assertEquals(Object.fromEntries(Purpose.options.map((purpose) => [purpose, bucketFor(purpose, false)])), {
    "evidence": "evidence",
    "documents": "documents",
    "proof_of_residence": "documents",
    "gbv-evidence": "gbv-evidence",
  });
  for (const purpose of Purpose.options) assertEquals(bucketFor(purpose, true), "gbv-evidence");
});

Deno.test("buckets: limits are those of the design, and no type can carry a script", () => {
  assertEquals(Object.keys(BUCKETS).sort(), [...Bucket.options].sort());
  const MiB = 1024 * 1024;
  assertEquals(BUCKETS.evidence.maxBytes, 50 * MiB);
  assertEquals(BUCKETS["gbv-evidence"], BUCKETS.evidence);
  assertEquals(BUCKETS.documents.maxBytes, 10 * MiB);
  assertEquals([...BUCKETS.documents.types].sort(), [
    "application/pdf",
    "image/jpeg",
    "image/png",
    "image/webp",
  ]);
  for (const { types } of Object.values(BUCKETS)) {
    for (const type of types) assert(!/svg|html|xml|javascript|text/.test(type), type);
  }
});
