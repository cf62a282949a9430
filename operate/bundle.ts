// A court bundle of a ticket's files: npm run bundle -- --ticket TKT-… --for "who asked for it" [--out FILE.zip]
// Exit status: 0 it is made, 1 there is nothing to bundle, 2 it could not be made.
import { makeZip } from "client-zip";
import { StorageService } from "../shared/storage/service.ts";
import type { Bucket } from "../shared/contracts.ts";
import type { Certificate } from "../shared/evidence/proof.ts";
import { bag } from "./bundle/bag.ts";
import { connectProject, operatorEnvironment, readOptions, runCommand, UsageError } from "./project.ts";

const USAGE =
  `npm run bundle -- --ticket TKT-… --for "Sgt Nkosi, CAS 12/11/2026" [--out FILE.zip] [--env-file FILE]    (SUPABASE_URL and
SUPABASE_SECRET_KEY name the project. --for: who asked for it; the log gets a commitment to it)`;

await runCommand(async (args) => {
  const { values } = readOptions(USAGE, args, {
    ticket: { type: "string" },
    for: { type: "string" },
    out: { type: "string" },
    "env-file": { type: "string" },
  });
  const { ticket, for: requestedBy } = values;
  if (!ticket || !requestedBy) throw new UsageError(USAGE);
  const out = values.out ?? `${ticket}.zip`;
  const { project, tables } = connectProject(operatorEnvironment(values["env-file"]));

  // recorded before anything is read
  const recorded = await tables.rpc("record_custody_bundle", {
    tracking_number: ticket,
    requested_by: requestedBy,
  });
  if (recorded.error?.message === "not_found") {
    console.log(`${ticket} has no stored file, or there is no such ticket.`);
    return 1;
  }
  if (recorded.error) throw recorded.error;
  // the worker signs a checkpoint that covers it; without one the bundle says so
  const worker = await fetch(`${project.url}/functions/v1/media-worker`, {
    method: "POST",
    headers: { apikey: project.key, prefer: "wait=120" },
  });
  await worker.body?.cancel();
  const { data, error } = await tables.rpc("custody_bundle", { tracking_number: ticket });
  if (error) throw error;
  const certificates = data as unknown as Certificate[];
  const storage = new StorageService(project, project.url);
  const read = ({ bucket, path }: { bucket: string; path: string }) =>
    storage.read({ bucket: bucket as Bucket, path });
  const file = await Deno.open(out, { write: true, createNew: true, mode: 0o600 }).catch((cause) => {
    throw new UsageError(`${out} cannot be made: ${cause.message}`);
  });
  await makeZip(bag(ticket, certificates, read)).pipeTo(file.writable);
  console.log(
    `${out}: ${certificates.length} files. Check it with npm run verify-bundle -- ${out}, or with verify.html in it.`,
  );
  if (!certificates[0]?.checkpoint) {
    console.log("Its log has no signed checkpoint: set CUSTODY_SIGNING_KEY, then make it again.");
  }
  return 0;
});
