/** A ticket's files, through signed URLs that are renewed before they end. */
import { signedUrls, type TicketFile } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { h } from "./dom.ts";
import { fileActions } from "./file-actions.ts";
import { FileCard } from "./file-card.ts";
import { showPictures } from "./viewer.ts";

/** Renewed so long before the first of them ends. */
const MARGIN_MS = 30_000;

export interface FileList {
  element: HTMLElement;
  /** Shows the files that there are. */
  show(files: TicketFile[]): void;
  /** They could not be read. */
  fail(): void;
}

/** `signal` ends it: then nothing more is shown, and no URL stays in the page. */
export function fileList(
  { supabase, sensitive, role, reload, place, signal }: {
    supabase: Client;
    sensitive: boolean;
    role: string;
    /** Reads the ticket again. */
    reload: () => Promise<void>;
    /** Where a file's card belongs. */
    place: (file: TicketFile) => HTMLElement;
    signal: AbortSignal;
  },
): FileList {
  const cards = new Map<string, FileCard>();
  const note = h("p", { class: "quiet", role: "status" }, "Loading files…");
  const problem = h("p", { class: "problem", role: "alert" });
  // Each look at GBV evidence is recorded, so it is not fetched before somebody asks for it.
  let unlocked = !sensitive;
  const unlock = h("button", {
    type: "button",
    hidden: true,
    click: () => {
      unlocked = true;
      unlock.hidden = true;
      note.tabIndex = -1;
      note.focus();
      void sign();
    },
  }, "Show files (this is recorded)");
  /** Those whose URL is on its way: each is asked for once. */
  const asked = new Set<FileCard>();
  let renewal: ReturnType<typeof setTimeout> | undefined;

  function show(files: TicketFile[]): void {
    note.textContent = files.length === 0
      ? "No files."
      : files.length === 1
      ? "1 file"
      : `${files.length} files`;
    unlock.hidden = unlocked || !files.some(({ status }) => status === "stored");
    const present = new Set(files.map(({ file_id }) => file_id));
    for (const [id, card] of cards) {
      if (present.has(id)) continue;
      card.clear();
      card.element.remove();
      cards.delete(id);
    }
    for (const file of files) {
      const card = cards.get(file.file_id) ??
        new FileCard(fileActions({ supabase, role, reload, signal }), sensitive, open);
      cards.set(file.file_id, card);
      const where = place(file);
      if (card.element.parentElement !== where) where.append(card.element);
      card.show(file);
    }
    void sign();
  }

  function open(opened: FileCard): void {
    const shown = [...cards.values()].filter(({ picture }) => picture !== undefined);
    if (!shown.includes(opened)) return;
    const pictures = shown.map(({ file, picture }) => ({ name: file.filename, url: picture! }));
    showPictures(pictures, shown.indexOf(opened), signal);
  }

  /** Gives every stored file a fresh URL where it has none that lasts. */
  async function sign(): Promise<void> {
    clearTimeout(renewal);
    if (!unlocked || document.hidden) return;
    const due = [...cards.values()].filter((card) =>
      card.endsBefore(Date.now() + MARGIN_MS) && !asked.has(card)
    );
    if (due.length > 0) {
      for (const card of due) asked.add(card);
      try {
        const urls = await signedUrls(supabase, due.map((card) => ({ file_id: card.file.file_id })));
        if (signal.aborted) return;
        problem.textContent = "";
        urls.forEach((url, index) => {
          if ("error" in url) due[index]!.refuse();
          else due[index]!.useUrl(url.signed_url, Date.parse(url.expires_at));
        });
      } catch {
        if (signal.aborted) return;
        problem.textContent = "The files cannot be opened right now; trying again.";
      } finally {
        for (const card of due) asked.delete(card);
      }
    }
    const ends = [...cards.values()].map(({ expires }) => expires).filter((at) => at !== undefined);
    const wait = Math.min(...ends) - Date.now() - MARGIN_MS;
    if (cards.size > 0) renewal = setTimeout(sign, Math.min(Math.max(wait, 10_000), 3_600_000));
  }

  // A hidden page renews nothing; it catches up when it is looked at.
  document.addEventListener("visibilitychange", () => void sign(), { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(renewal);
    for (const card of cards.values()) card.clear();
    for (const card of cards.values()) card.element.remove();
    cards.clear();
  });

  const element = h("div", { class: "files-head" }, note, unlock, problem);
  return { element, show, fail: () => note.textContent = "The messages and files could not be loaded." };
}
