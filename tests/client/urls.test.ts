// signedUrls: any number of files, in order, each with its URL or its refusal.
import { EvidenceError, type FileReference, signedUrls } from "../../client/mod.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { serviceFile } from "../support/files.ts";
import { person, sha256 } from "../support/stack.ts";
import { newClient } from "./support.ts";

Deno.test("230 files, some not there and some not allowed: three calls, in the order asked", async () => {
  const manager = await person("manager");
  const known = await Promise.all(Array.from({ length: 5 }, () => serviceFile("evidence", "mbombela")));
  const secret = await serviceFile("gbv-evidence", "mbombela");
  const files: FileReference[] = Array.from({ length: 230 }, (_, n) => {
    const file = known[n % 5]!;
    if (n % 7 === 3) return { file_id: crypto.randomUUID() };
    if (n % 11 === 5) return { file_id: secret.fileId };
    return n % 2 ? { file_id: file.fileId } : { bucket: file.bucket, path: file.path };
  });
  const results = await signedUrls(manager.supabase, files, { expiresIn: 60 });
  assertEquals(results.length, 230);
  for (const [n, result] of results.entries()) {
    if (n % 7 === 3 || n % 11 === 5) {
      assert("error" in result);
      assertEquals(result.error.code, "not_found");
    } else {
      assert("signed_url" in result);
      assertEquals(result.file_id, known[n % 5]!.fileId);
    }
  }
});

Deno.test("the URLs give the bytes, as downloads where that is asked", async () => {
  const { supabase } = await person("field_worker");
  const file = await serviceFile("documents", "mbombela");
  const [result] = await signedUrls(supabase, [{ file_id: file.fileId }], {
    download: "Proof of residence.jpg",
  });
  assert(result && "signed_url" in result);
  const response = await fetch(result.signed_url);
  assertEquals(await sha256(await response.blob()), await sha256(file.blob));
  assert(response.headers.get("content-disposition")?.startsWith("attachment"));
});

Deno.test("no files need no call; a refused call is an EvidenceError", async () => {
  assertEquals(await signedUrls(newClient(), []), []);
  const asked = [{ file_id: crypto.randomUUID() }];
  const refused = await assertRejects(() => signedUrls(newClient(), asked), EvidenceError);
  assertEquals(refused.code, "unauthorized");
  const { supabase } = await person("manager");
  const invalid = await assertRejects(() => signedUrls(supabase, asked, { expiresIn: 0 }), EvidenceError);
  assertEquals([invalid.code, invalid.details.length > 0], ["invalid_request", true]);
});
