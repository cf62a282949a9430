/** A trial of Storage as a transfer uses it: whatever would refuse residents' files shows at the deploy. */
import { ServiceError } from "../shared/platform/errors.ts";
import { StorageService } from "../shared/storage/service.ts";
import type { Probe } from "./probe.ts";

/** Of no municipality: the database lets the secret key alone write here, and keeps no record (private.trial_tenant). */
const FOLDER = "00000000-0000-0000-0000-000000000000";
const NAME = "storage takes, gives and deletes a file with the secret key";

/** Uploads a few bytes, reads them, deletes them. Never throws. */
export async function tryStorage(project: { url: string; secretKey: string }): Promise<Probe> {
  const storage = new StorageService({ url: project.url, key: project.secretKey }, project.url);
  const file = { bucket: "evidence" as const, path: `${FOLDER}/${crypto.randomUUID()}/trial.pdf` };
  const sent = new TextEncoder().encode(`%PDF-1.7\n% trial of the deploy, ${new Date().toISOString()}\n`);
  let step = "upload";
  try {
    await storage.upload(file, sent, "application/pdf");
    step = "read";
    const got = await new Response(await storage.read(file)).bytes();
    if (got.length !== sent.length || got.some((byte, index) => byte !== sent[index])) {
      throw new Error("other bytes");
    }
    step = "deletion";
    await storage.remove(file);
    return { name: NAME, ok: true, found: "it does" };
  } catch (error) {
    if (step === "read") await storage.remove(file).catch(() => {});
    const why = error instanceof ServiceError ? error.log ?? error.code : "it answered something else";
    return {
      name: NAME,
      ok: false,
      found: `the ${step} failed: ${why}`,
      todo: step === "upload"
        ? "Residents' files would be refused too. Does the key belong to this project, and does npm run doctor find the " +
          "buckets, policies and triggers of storage.objects as the migrations make them?"
        : "See Dashboard → Logs → Storage. Files are taken in, but opening them would fail.",
    };
  }
}
