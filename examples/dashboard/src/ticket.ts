/** One ticket: what it says, its files, upload, and what may be changed. */
import { readTicket, type Ticket, type TicketDetails } from "../../../client/mod.ts";
import { bundleButton } from "./bundle.ts";
import type { Client } from "./client.ts";
import { confirmSensitive } from "./confirm.ts";
import { announce, h, select } from "./dom.ts";
import { fileList } from "./files.ts";
import { moveAction } from "./move.ts";
import { reportButtons } from "./report.ts";
import { isStaff, movesMessages, seesSensitive } from "./roles.ts";
import { isUnread } from "./tickets.ts";
import { timeline } from "./timeline.ts";
import { uploadForm } from "./upload.ts";
import { CATEGORY, categoryText, SEVERITY, severityText, STATUS, statusText, timeText } from "./words.ts";

export interface TicketView {
  element: HTMLElement;
  /** The ticket, its messages and files as they are now. */
  show(details: TicketDetails): void;
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
  // GBV is no category to choose: marking a ticket as sensitive asks first.
  const categories = Object.entries(CATEGORY).filter(([name]) => name !== "gbv" || sensitive);
  const category = select("Category", categories);
  const severity = select("Severity", Object.entries(SEVERITY));
  const detailsForm = h(
    "form",
    {
      class: "inline",
      submit: (event) => {
        event.preventDefault();
        void change({ category: category.input.value, severity: severity.input.value }, "Changed.");
      },
    },
    category.element,
    severity.element,
    h("button", {}, "Change category and severity"),
  );
  const hide = h("button", {
    type: "button",
    class: "danger",
    click: async () => {
      if (await confirmSensitive(signal)) {
        await hideTicket();
      }
    },
  }, "Mark as sensitive…");

  // What to offer; the database decides what is done.
  const mayChange = role === "manager" || role === "admin" || (role === "saps_liaison" && sensitive);
  const mayHide = isStaff(role) && !sensitive;

  let isOpened = false;
  // Stays: what is announced makes way for what comes live, the new ticket of it too.
  const movedNote = h("p", { class: "done", role: "status" });
  const moved = async (said: string) => {
    await reload();
    if (signal.aborted) return;
    movedNote.textContent = said;
    heading.focus();
  };
  const conversation = timeline(
    movesMessages(role, sensitive)
      ? () => moveAction({ supabase, ticketId: first.id, sensitive, role, moved, signal })
      : undefined,
  );
  const files = fileList({ supabase, sensitive, role, reload, place: conversation.placeOf, signal });
  const report = reportButtons({
    supabase,
    ticketId: first.id,
    sensitive,
    role,
    opened(messages) {
      isOpened = true;
      conversation.open(messages);
      description.hidden = ticket.description === null;
    },
    signal,
  });
  const bundle = bundleButton({
    supabase,
    ticketId: first.id,
    name: first.tracking_number ?? first.id,
    maySeeSender: sensitive || role === "admin",
    signal,
  });
  const element = h(
    "article",
    { class: "ticket", "aria-label": `Ticket ${first.tracking_number ?? ""}` },
    h("button", { type: "button", class: "back", click: back }, "Back to the list"),
    h("div", { class: "ticket-head" }, heading, badge),
    facts,
    sensitive && h("p", { class: "notice" }, "Sensitive. Only police liaison and admins see this ticket."),
    description,
    (mayChange || mayHide) &&
      h("div", { class: "actions" }, mayChange && statusForm, mayChange && detailsForm, mayHide && hide),
    problem,
    h(
      "section",
      { "aria-label": "Messages and files" },
      h("h3", {}, "Messages and files"),
      isStaff(role) && report.element,
      files.element,
      seesSensitive(role) && bundle.element,
      movedNote,
      conversation.element,
    ),
    uploadForm({
      supabase,
      ticketId: first.id,
      sensitive,
      role,
      uploaded: () => void reload(),
      signal,
    }),
  );

  async function change(
    values: { status?: string; category?: string; severity?: string },
    done: string,
  ): Promise<void> {
    problem.textContent = "";
    // No row comes back where the database did not let us change it.
    const { data, error } = await supabase.from("tickets").update(values).eq("id", ticket.id).select("id");
    if (signal.aborted) return;
    if (error || data.length === 0) problem.textContent = "The ticket could not be changed.";
    else announce(done);
  }

  async function hideTicket(): Promise<void> {
    problem.textContent = "";
    const { error } = await supabase.rpc("mark_ticket_sensitive", { ticket_id: ticket.id });
    if (signal.aborted) return;
    if (error) problem.textContent = "The ticket could not be marked as sensitive. Please try again.";
    else announce("The ticket is now sensitive.");
  }

  async function reload(): Promise<void> {
    try {
      const details = await readTicket(supabase, ticket.id, { signal });
      if (!signal.aborted && details) show(details);
    } catch {
      if (!signal.aborted) files.fail();
    }
  }

  function show(details: TicketDetails): void {
    update(details.ticket);
    const { description: words } = details.ticket;
    // The first message says the same.
    description.hidden = words === null ? isOpened : details.messages.some(({ body }) => body === words);
    description.textContent = words ||
      (sensitive
        ? "The words of this report are sealed."
        : details.messages.length > 0
        ? ""
        : "No description.");
    conversation.show(details);
    report.show(details.messages.length);
    files.show(details.files);
    bundle.show(details.files, details.messages.length);
    if (isStaff(role) && isUnread(details.ticket)) {
      void supabase.rpc("mark_ticket_read", { ticket_id: ticket.id }).then(() => {});
    }
  }

  function update(current: Ticket): void {
    // A choice not yet sent stays.
    for (const [field, of] of [["status", status], ["category", category], ["severity", severity]] as const) {
      if (current === first || of.input.value === ticket[field]) of.input.value = current[field] ?? "";
    }
    ticket = current;
    heading.textContent = ticket.tracking_number ?? "Ticket without a number";
    badge.textContent = statusText(ticket.status);
    badge.dataset.status = ticket.status;
    facts.textContent = `${categoryText(ticket.category)} · ${
      severityText(ticket.severity)
    } severity · changed ${timeText(ticket.updated_at)}`;
  }

  update(first);
  void reload();
  return { element, show, focus: () => heading.focus() };
}
