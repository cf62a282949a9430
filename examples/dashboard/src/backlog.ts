/** Files that failed, wait or are in doubt, oldest first: what somebody should look after. */
import type { Client } from "./client.ts";
import { h } from "./dom.ts";
import { reasonText, timeText } from "./words.ts";

const MOST = 50;

const SITUATION: Record<string, string> = {
  failed: "Not received",
  deleted: "Deleted after it was stored",
  awaiting_upload: "The upload has not finished",
  awaiting_transfer: "On its way from WhatsApp",
  awaiting_hash: "Stored, being checked",
  awaiting_move: "Being moved to where fewer people see it",
  awaiting_removal: "Being moved to where fewer people see it",
  in_doubt: "Stored, and not what was announced",
};

/** `signal` ends it; `visit` opens a ticket. */
export function backlog(
  { supabase, back, visit, signal }: {
    supabase: Client;
    back: () => void;
    visit: (ticketId: string) => void;
    signal: AbortSignal;
  },
): { element: HTMLElement; focus(): void } {
  const heading = h("h2", { tabindex: -1 }, "Files to look after");
  const note = h("p", { class: "quiet", role: "status" }, "Loading…");
  const list = h("ul", { class: "backlog" });

  async function read(): Promise<void> {
    const { data, error } = await supabase.from("media_backlog")
      .select("file_id, ticket_id, filename, situation, reason, since").order("since").limit(MOST + 1)
      .abortSignal(signal);
    if (signal.aborted) return;
    if (error) {
      note.textContent = "The files could not be loaded. Go back and try again.";
      return;
    }
    const shown = data.slice(0, MOST);
    note.textContent = data.length > MOST
      ? `The oldest ${MOST} files`
      : shown.length === 0
      ? "No file failed, and none waits."
      : shown.length === 1
      ? "1 file"
      : `${shown.length} files`;
    list.replaceChildren(...shown.map(({ ticket_id, filename, situation, reason, since }) =>
      h(
        "li",
        {},
        h("p", { class: "name" }, filename ?? ""),
        h("p", {}, `${SITUATION[situation ?? ""] ?? situation}.${reason ? ` ${reasonText(reason)}` : ""}`),
        h("p", { class: "quiet" }, `Since ${timeText(since ?? "")}`),
        ticket_id !== null &&
          h("button", {
            type: "button",
            "aria-label": `Open the ticket of ${filename}`,
            click: () => visit(ticket_id),
          }, "Open the ticket"),
      )
    ));
  }

  void read();
  signal.addEventListener("abort", () => list.replaceChildren());
  const element = h(
    "article",
    { class: "ticket", "aria-label": "Files to look after" },
    h("button", { type: "button", class: "back", click: back }, "Back to the list"),
    heading,
    note,
    list,
  );
  return { element, focus: () => heading.focus() };
}
