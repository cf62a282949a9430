// A court bundle of a ticket's files: npm run bundle -- --ticket TKT-… --for "who asked for it" [--messages] [--out FILE.zip]
// Exit status: 0 made, 1 nothing to bundle or a file differs from its record, 2 failed.
import { makeZip } from "client-zip";
import { bag, bundleName } from "../shared/bundle/bag.ts";
import { messagesFile } from "../shared/bundle/messages.ts";
import { BundleRefused, prepareBundle } from "../shared/bundle/prepare.ts";
import type { Bucket } from "../shared/contracts.ts";
import { unseal } from "../shared/evidence/report.ts";
import { sealerOf } from "../shared/evidence/sealer.ts";
import { StorageService } from "../shared/storage/service.ts";
import { verifyPage } from "../shared/bundle/verify-page.ts";
import {
  connectProject,
  needed,
  operatorEnvironment,
  readOptions,
  runCommand,
  UsageError,
} from "./project.ts";

const USAGE =
  `npm run bundle -- --ticket TKT-… --for "Sgt Nkosi, CAS 12/11/2026" [--files ID,ID] [--messages] [--senders]
  [--out FILE.zip] [--env-file FILE]    (SUPABASE_URL and SUPABASE_SECRET_KEY name the project. --for: who asked for it; the log
gets a commitment to it. --files: not all of the ticket's. --messages: what the reporter wrote, opened with ENCRYPTION_KEY_CURRENT;
--senders: and who they are. Opening is recorded)`;

await runCommand(async (args) => {
  const { values } = readOptions(USAGE, args, {
    ticket: { type: "string" },
    for: { type: "string" },
    files: { type: "string" },
    messages: { type: "boolean" },
    senders: { type: "boolean" },
    out: { type: "string" },
    "env-file": { type: "string" },
  });
  const { ticket, for: requestedBy, files } = values;
  if (!ticket || !requestedBy || (values.senders && !values.messages)) throw new UsageError(USAGE);
  const out = values.out ?? `${ticket}.zip`;
  const environment = operatorEnvironment(values["env-file"]);
  const { project, tables } = connectProject(environment);
  if (values.messages) needed(environment, "ENCRYPTION_KEY_CURRENT", "without it no message can be opened");
  const sealer = values.messages ? await sealerOf(environment) : undefined;

  const { data: tickets, error } = await tables.from("tickets").select("id").eq("tracking_number", ticket);
  if (error) throw error;
  const [found, ...others] = tickets as { id: string }[];
  if (others.length > 0) throw new UsageError(`${tickets.length} tickets have the number ${ticket}.`);
  const include_sender = values.senders ?? false;
  const messages = found && sealer && await messagesFile(tables, found.id, async (message_sids) => {
    const { data, error } = await tables.rpc("open_bundle_messages", {
      ticket_id: found.id,
      message_sids,
      requested_by: requestedBy,
      include_sender,
    });
    if (error) throw error;
    return await unseal(sealer, data, include_sender);
  });
  const prepared = found && await prepareBundle(tables, {
    ticketId: found.id,
    requestedBy,
    fileIds: files?.split(","),
    messages,
    // the worker signs a checkpoint that covers it; without one the bundle says so
    async recorded() {
      const worker = await fetch(`${project.url}/functions/v1/media-worker`, {
        method: "POST",
        headers: { apikey: project.key, prefer: "wait=120" },
      });
      await worker.body?.cancel();
    },
  }).catch((error) => {
    if (error instanceof BundleRefused && error.code === "not_found") return undefined;
    throw error instanceof BundleRefused && error.cause ? error.cause : error;
  });
  if (!prepared) {
    console.log(`There is no ticket ${ticket}, or it has no such stored file with a known SHA-256.`);
    return 1;
  }
  const { bundleId, certificates } = prepared;
  const storage = new StorageService(project, project.url);
  const altered: string[] = [];
  const parts = bag({
    name: bundleName(ticket, found.id),
    bundleId,
    certificates,
    messages,
    page: await verifyPage(),
    read: async ({ bucket, path }) =>
      new Uint8Array(
        await new Response(await storage.read({ bucket: bucket as Bucket, path })).arrayBuffer(),
      ),
  }, { altered: ({ file_id, filename }) => altered.push(`${filename} (${file_id})`) });
  const file = await Deno.open(out, { write: true, createNew: true, mode: 0o600 }).catch((cause) => {
    throw new UsageError(`${out} cannot be made: ${cause.message}`);
  });
  await makeZip(parts).pipeTo(file.writable).catch(async (error) => {
    await Deno.remove(out);
    throw error;
  });
  console.log(
    `${out}: ${certificates.length} files${messages ? ", messages" : ""}. ` +
      `Check it with npm run verify-bundle -- ${out}, or with verify.html in it.`,
  );
  if (!certificates[0]!.checkpoint) {
    console.log("Its log has no signed checkpoint: set CUSTODY_SIGNING_KEY, then make it again.");
  }
  for (const name of altered) console.log(`WRONG: ${name} is not what was recorded. The bundle shows it.`);
  return altered.length > 0 ? 1 : 0;
});
