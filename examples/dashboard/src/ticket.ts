/** One ticket: what it says, its files, upload, and what may be changed. */
import type { Ticket } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { confirmSensitive } from "./confirm.ts";
import { announce, h, select } from "./dom.ts";
import { fileList } from "./files.ts";
import { uploadForm } from "./upload.ts";
import { categoryText, severityText, STATUS, statusText, timeText } from "./words.ts";

export interface TicketView {
  element: HTMLElement;
  /** The ticket as it is now. */
  update(ticket: Ticket): void;
  /** A file of it has come, or something may have been missed. */
  reloadFiles(): void;
  focus(): void;
}

/** `signal` ends it: what is under way is dropped and nothing of the files stays. */
export function ticketView(
  { supabase, ticket: first, role, back, signal }: {
    supabase: Client;
    ticket: Ticket;
    role: string;
    back: () => void;
    signal: AbortSignal;
  },
): TicketView {
  let ticket = first;
  const sensitive = first.is_sensitive;
  const heading = h("h2", { tabindex: -1 });
  const badge = h("span", { class: "badge" });
  const facts = h("p", { class: "quiet" });
  const description = h("p", { class: "description" }, "Loading…");
  const problem = h("p", { class: "problem", role: "alert" });
  const status = select("Status", Object.entries(STATUS));
  const statusForm = h(
    "form",
    {
      class: "inline",
      submit: (event) => {
        event.preventDefault();
        void change({ status: status.input.value }, `Status is now ${statusText(status.input.value)}.`);
      },
    },
    status.element,
    h("button", {}, "Change status"),
  );
  const hide = h("button", {
    type: "button",
    class: "danger",
    click: async () => {
      if (await confirmSensitive(signal)) {
        await change({ is_sensitive: true }, "The ticket is now sensitive.");
      }
    },
  }, "Mark as sensitive…");

  // What to offer; the database decides what is done.
  const mayChange = role === "manager" || role === "admin" || (role === "saps_liaison" && sensitive);
  const mayHide = role === "admin" && !sensitive;

  const files = fileList({ supabase, ticketId: first.id, sensitive, role, signal });
  const element = h(
    "article",
    { class: "ticket", "aria-label": `Ticket ${first.tracking_number ?? ""}` },
    h("button", { type: "button", class: "back", click: back }, "Back to the list"),
    h("div", { class: "ticket-head" }, heading, badge),
    facts,
    sensitive && h("p", { class: "notice" }, "Sensitive. Only police liaison and admins see this ticket."),
    description,
    mayChange && h("div", { class: "actions" }, statusForm, mayHide && hide),
    problem,
    files.element,
    uploadForm({
      supabase,
      ticketId: first.id,
      sensitive,
      role,
      uploaded: () => void files.reload(),
      signal,
    }),
  );

  async function change(values: { status?: string; is_sensitive?: true }, done: string): Promise<void> {
    problem.textContent = "";
    // No row comes back where the database did not let us change it.
    const { data, error } = await supabase.from("tickets").update(values).eq("id", ticket.id).select("id");
    if (signal.aborted) return;
    if (error || data.length === 0) problem.textContent = "The ticket could not be changed.";
    else announce(done);
  }

  async function loadDescription(): Promise<void> {
    if (sensitive) {
      description.textContent = "The words of a sensitive report are kept encrypted and are not shown here.";
      return;
    }
    const { data, error } = await supabase.from("tickets").select("description").eq("id", ticket.id)
      .abortSignal(signal).maybeSingle();
    if (signal.aborted) return;
    description.textContent = error
      ? "The description could not be loaded."
      : data?.description || "No description.";
  }

  function update(current: Ticket): void {
    // A choice not yet sent stays.
    if (current === first || status.input.value === ticket.status) status.input.value = current.status;
    ticket = current;
    heading.textContent = ticket.tracking_number ?? "Ticket without a number";
    badge.textContent = statusText(ticket.status);
    badge.dataset.status = ticket.status;
    facts.textContent = `${categoryText(ticket.category)} · ${
      severityText(ticket.severity)
    } severity · changed ${timeText(ticket.updated_at)}`;
  }

  update(first);
  void loadDescription();
  void files.reload();
  return { element, update, reloadFiles: () => void files.reload(), focus: () => heading.focus() };
}
