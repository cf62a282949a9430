/** A court bundle, made in the browser as a stream: what is handed out is recorded first, and nothing holds all of it. */
import { makeZip } from "client-zip";
import { bag, bundleName } from "../shared/bundle/bag.ts";
import { messagesFile } from "../shared/bundle/messages.ts";
import { BundleRefused, prepareBundle } from "../shared/bundle/prepare.ts";
import { EvidenceError } from "./errors.ts";
import { openReport } from "./report.ts";
import type { AnyClient } from "./types.ts";
import { signedUrls } from "./urls.ts";

/** verify.html: a build puts it in (`define` in its configuration). */
declare const VERIFY_PAGE: string;

/** Other tries at a file whose download breaks off. */
const TRIES = 3;

export interface BundleOptions {
  /** Who asked for it, 1 to 200 characters. The custody log gets a commitment to it. */
  requestedBy: string;
  /** Unless given, all of the ticket's files that are stored and whose SHA-256 is known; at most 200. */
  fileIds?: string[];
  /** Puts messages.json in: what the reporter wrote, and who they are only where asked for. Opening is recorded. */
  messages?: "words" | "words and senders";
  onProgress?(progress: BundleProgress): void;
  /** Aborting makes the call or its stream fail with the signal's reason. */
  signal?: AbortSignal;
}

export interface BundleProgress {
  /** `signing`: waiting for a signed checkpoint that covers it, up to two minutes. */
  step: "recording" | "signing" | "reading" | "done";
  /** Bytes of evidence read, and in all. */
  bytes: number;
  ofBytes: number;
}

export interface CourtBundle {
  /** `TKT-….zip` */
  filename: string;
  files: number;
  /** Whether a signed checkpoint is in it. If not, nothing outside the database says when its records existed. */
  isSigned: boolean;
  /** Names of files that are not as they were recorded; complete when the stream has ended. */
  altered: string[];
  /** The zip. Each file is fetched when its turn comes, through a signed URL of its own. */
  stream: ReadableStream<Uint8Array>;
}

/** For admins and police liaison. Throws an EvidenceError with a code of the contracts, as the stream does. */
export async function makeBundle(
  supabase: AnyClient,
  ticketId: string,
  options: BundleOptions,
): Promise<CourtBundle> {
  const { requestedBy, fileIds, messages, signal } = options;
  let ofBytes = 0;
  const tell = (step: BundleProgress["step"], bytes = 0) => options.onProgress?.({ step, bytes, ofBytes });
  tell("recording");
  const includeSender = messages === "words and senders";
  const opened = messages && await messagesFile(supabase, ticketId, (messageSids) => {
    signal?.throwIfAborted();
    return openReport(supabase, ticketId, { messageSids, includeSender });
  });
  const { bundleId, certificates } = await prepareBundle(supabase, {
    ticketId,
    requestedBy,
    fileIds,
    messages: opened,
    signal,
    recorded: () => tell("signing"),
  }).catch((error) => {
    if (!(error instanceof BundleRefused)) throw error;
    throw new EvidenceError(error.code, "The bundle could not be made", [], { cause: error });
  });
  ofBytes = certificates.reduce((sum, { file }) => sum + (file.file_size ?? 0), 0);
  tell("reading");

  const altered: string[] = [];
  const name = await nameOf(supabase, ticketId);
  const parts = bag({
    name,
    bundleId,
    certificates,
    messages: opened,
    page: VERIFY_PAGE,
    read: ({ file_id }) => download(supabase, file_id, signal),
  }, {
    read: (bytes) => tell("reading", bytes),
    altered: ({ filename }) => altered.push(filename),
  });
  const done = new TransformStream<Uint8Array, Uint8Array>({ flush: () => tell("done", ofBytes) });
  return {
    filename: `${name}.zip`,
    files: certificates.length,
    isSigned: certificates[0]!.checkpoint !== null,
    altered,
    stream: makeZip(parts).pipeThrough(done, signal && { signal }),
  };
}

/** Fetched whole before it goes into the zip, so that a download that breaks off can be tried again. */
async function download(supabase: AnyClient, file_id: string, signal?: AbortSignal) {
  for (let tried = 1;; tried++) {
    signal?.throwIfAborted();
    const [answer] = await signedUrls(supabase, [{ file_id }]);
    if (!answer || "error" in answer) throw new EvidenceError("not_found", "A file is not available");
    try {
      const response = await fetch(answer.signed_url, { cache: "no-store", ...signal && { signal } });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      await response.body?.cancel();
    } catch (cause) {
      if (tried === TRIES) throw new EvidenceError("unreachable", "A download broke off", [], { cause });
    }
    if (tried === TRIES) throw new EvidenceError("storage_unavailable", "A file could not be read");
  }
}

async function nameOf(supabase: AnyClient, ticketId: string): Promise<string> {
  const { data } = await supabase.from("tickets").select("tracking_number").eq("id", ticketId).maybeSingle();
  return bundleName(data?.tracking_number, ticketId);
}
