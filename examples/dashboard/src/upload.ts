/** Upload to a ticket: drag and drop, or the button; one progress bar per file. */
import type { Purpose } from "../../../shared/contracts.ts";
import { EvidenceError, uploadEvidence } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { announce, h, select } from "./dom.ts";
import { dropZone } from "./drop-zone.ts";
import { PURPOSE, refusalText } from "./words.ts";

/** `signal` ends it, with all uploads under way. */
export function uploadForm(
  { supabase, ticketId, sensitive, role, uploaded, signal }: {
    supabase: Client;
    ticketId: string;
    sensitive: boolean;
    role: string;
    uploaded: () => void;
    signal: AbortSignal;
  },
): HTMLElement {
  const purpose = select("What is it?", purposesOf(role, sensitive));
  const progress = h("ul", { class: "uploads" });
  const zone = dropZone({
    drop: "Drop files here, or",
    choose: "Choose files",
    attributes: { multiple: true, accept: "image/*,video/*,audio/*,application/pdf" },
    take: (files) => void upload(files),
  });

  async function upload(files: File[]): Promise<void> {
    const kind = purpose.input.value as Purpose;
    await Promise.all(files.map((file) => uploadOne(file, kind)));
  }

  async function uploadOne(file: File, purpose: Purpose): Promise<void> {
    const cancelled = new AbortController();
    const bar = h("progress", { max: 100, value: 0, "aria-label": `Upload of ${file.name}` });
    const cancel = h("button", { type: "button", click: () => cancelled.abort() }, "Cancel");
    const said = h("p", { class: "quiet" }, "Preparing…");
    const row = h("li", {}, h("p", { class: "name" }, file.name), bar, said, cancel);
    progress.append(row);
    try {
      await uploadEvidence(supabase, file, {
        purpose,
        ticketId,
        signal: AbortSignal.any([signal, cancelled.signal]),
        onProgress(done) {
          bar.value = Math.round(100 * done);
          said.textContent = `${bar.value} %`;
        },
      });
      const hidden = purpose === "gbv-evidence" && role === "manager";
      announce(`${file.name} is uploaded.${hidden ? " Only police liaison and admins can open it." : ""}`);
      row.remove();
      uploaded();
    } catch (error) {
      if (signal.aborted || cancelled.signal.aborted) return row.remove();
      said.className = "problem";
      said.textContent = refusalText(error instanceof EvidenceError ? error.code : "");
      announce(`${file.name}: ${said.textContent}`);
      bar.remove();
      cancel.textContent = "Dismiss";
      cancel.addEventListener("click", () => row.remove());
    }
  }

  return h(
    "section",
    { class: "upload", "aria-label": "Add files" },
    h("h3", {}, "Add files"),
    purpose.element,
    zone,
    progress,
  );
}

/** What the user may choose; the database decides what is accepted. */
function purposesOf(role: string, sensitive: boolean): [string, string][] {
  const all = Object.entries(PURPOSE);
  if (sensitive) return all.filter(([purpose]) => purpose === "gbv-evidence");
  return ["manager", "admin", "saps_liaison"].includes(role)
    ? all
    : all.filter(([purpose]) => purpose !== "gbv-evidence");
}
