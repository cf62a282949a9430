/** A court bundle of a ticket's files: who asked for it, which files, and the zip, saved as it is made. */
import { EvidenceError, type TicketFile } from "../../../client/mod.ts";
import type { BundleProgress, CourtBundle } from "../../../client/bundle.ts";
import type { Client } from "./client.ts";
import { checkbox, field, h } from "./dom.ts";
import { sizeText } from "./words.ts";

const REFUSAL: Record<string, string> = {
  invalid_request: "Say who asked for it, in at most 200 characters, and choose at most 200 files.",
  forbidden:
    "You may not do this. Your municipality may ask for a second factor: sign in with it and try again.",
  not_found:
    "A file is no longer available to you, or its SHA-256 is not known yet. Try again in a few minutes.",
};

export function bundleButton(
  { supabase, ticketId, name, maySeeSender, signal }: {
    supabase: Client;
    ticketId: string;
    /** What the zip is called, without .zip. */
    name: string;
    maySeeSender: boolean;
    signal: AbortSignal;
  },
): { element: HTMLElement; show(files: TicketFile[], messages: number): void } {
  let files: TicketFile[] = [];
  let messages = 0;
  const element = h("button", {
    type: "button",
    hidden: true,
    click: () => openDialog({ supabase, ticketId, name, files, messages, maySeeSender, signal }),
  }, "Court bundle…");
  return {
    element,
    show(all, count) {
      files = all.filter(({ status }) => status === "stored");
      messages = count;
      element.hidden = files.length === 0;
    },
  };
}

function openDialog(
  { supabase, ticketId, name, files, messages, maySeeSender, signal }: {
    supabase: Client;
    ticketId: string;
    name: string;
    files: TicketFile[];
    messages: number;
    maySeeSender: boolean;
    signal: AbortSignal;
  },
): void {
  const ended = new AbortController();
  const requestedBy = field("Who asked for it", { required: true, maxlength: 200, autocomplete: "off" });
  const choices = files.map((file) => ({
    file,
    ...checkbox(`${file.filename}, ${sizeText(file.file_size)}`, { checked: true }),
  }));
  const words = checkbox("Add the messages (opening them is recorded)", { change: chooseSenders });
  const senders = checkbox("Add who wrote them", { disabled: true });
  const bar = h("progress", { max: 100, hidden: true, "aria-label": "The bundle" });
  const said = h("p", { class: "quiet", role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const make = h("button", { class: "primary" }, "Make the bundle");
  const close = h("button", { type: "button", click: () => dialog.close() }, "Cancel");
  const fields = h(
    "fieldset",
    { class: "plain" },
    requestedBy.element,
    h(
      "p",
      { class: "quiet" },
      "A name, an office and a case number. The custody log keeps only a fingerprint of it.",
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, "Files"),
      ...choices.map(({ element }) => element),
    ),
    messages > 0 && words.element,
    messages > 0 && maySeeSender && senders.element,
  );
  const dialog = h(
    "dialog",
    {
      "aria-labelledby": "bundle-title",
      close: () => {
        ended.abort();
        dialog.remove();
      },
    },
    h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          void run();
        },
      },
      h("h2", { id: "bundle-title" }, "Court bundle"),
      h(
        "p",
        {},
        "A zip with these files, a certificate for each, and a page that verifies all of it without a network. It is as confidential as the files. That you made it is recorded.",
      ),
      fields,
      bar,
      said,
      problem,
      h("div", { class: "inline" }, close, make),
    ),
  );

  function chooseSenders(): void {
    senders.input.disabled = !words.input.checked;
    if (!words.input.checked) senders.input.checked = false;
  }

  async function run(): Promise<void> {
    problem.textContent = "";
    const chosen = choices.filter(({ input }) => input.checked).map(({ file }) => file.file_id);
    if (chosen.length === 0) {
      problem.textContent = "Choose a file.";
      return;
    }
    fields.disabled = make.disabled = true;
    let target: FileSystemFileHandle | undefined;
    try {
      // first, while the click still counts
      target = await whereTo(`${name}.zip`);
      const { makeBundle } = await import("../../../client/bundle.ts");
      const bundle = await makeBundle(supabase, ticketId, {
        requestedBy: requestedBy.input.value,
        ...chosen.length < files.length && { fileIds: chosen },
        ...words.input.checked && { messages: senders.input.checked ? "words and senders" : "words" },
        onProgress: tell,
        signal: AbortSignal.any([signal, ended.signal]),
      });
      await save(bundle, target);
      if (!ended.signal.aborted) finish(bundle);
    } catch (error) {
      // an empty file would be taken for a bundle
      await (target as { remove?(): Promise<void> } | undefined)?.remove?.().catch(() => {});
      if (ended.signal.aborted || signal.aborted) return;
      fields.disabled = make.disabled = false;
      bar.hidden = true;
      said.textContent = "";
      if ((error as Error).name === "AbortError") return; // no place was chosen
      const code = error instanceof EvidenceError ? error.code : "";
      problem.textContent = REFUSAL[code] ?? "The bundle could not be made. Please try again.";
    }
  }

  function tell({ step, bytes, ofBytes }: BundleProgress): void {
    bar.hidden = false;
    if (step === "reading") bar.value = Math.floor(100 * bytes / Math.max(ofBytes, 1));
    else bar.removeAttribute("value");
    said.textContent = {
      recording: "Recording who gets what…",
      signing: "Waiting for the log to be signed. This takes up to two minutes…",
      reading: `${sizeText(bytes)} of ${sizeText(ofBytes)}`,
      done: "Saving…",
    }[step];
  }

  function finish({ filename, files, isSigned, altered }: CourtBundle): void {
    bar.remove();
    make.remove();
    fields.remove();
    close.textContent = "Close";
    said.textContent = `${filename} is saved: ${files === 1 ? "1 file" : `${files} files`}.`;
    problem.textContent = [
      altered.length > 0 && `Not as they were recorded: ${altered.join(", ")}. The bundle shows it.`,
      !isSigned && "It holds no signed checkpoint. Make it again when the log has been signed.",
    ].filter(Boolean).join(" ");
    close.focus();
  }

  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close(), { signal: ended.signal });
}

type SaveFilePicker = (options: object) => Promise<FileSystemFileHandle>;

/** A place on the disk, where the browser can write to one; else the zip is kept until it is whole, and downloaded. */
async function whereTo(suggestedName: string): Promise<FileSystemFileHandle | undefined> {
  const pick: SaveFilePicker | undefined = Reflect.get(globalThis, "showSaveFilePicker");
  return await pick?.({
    suggestedName,
    types: [{ description: "Court bundle", accept: { "application/zip": [".zip"] } }],
  });
}

async function save({ filename, stream }: CourtBundle, target?: FileSystemFileHandle): Promise<void> {
  if (target) return await stream.pipeTo(await target.createWritable());
  const zip = await new Response(stream, { headers: { "content-type": "application/zip" } }).blob();
  const url = URL.createObjectURL(zip);
  h("a", { href: url, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
