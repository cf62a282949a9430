/** The list of tickets with its filters. It shows what it is given; the live subscription is main.ts's. */
import type { Ticket } from "../../../client/mod.ts";
import { h, select } from "./dom.ts";
import { CATEGORY, categoryText, severityText, STATUS, statusText, timeText } from "./words.ts";

const PAGE = 100;

export interface TicketList {
  element: HTMLElement;
  show(tickets: readonly Ticket[]): void;
  /** Marks the ticket that is open. */
  mark(id: string | undefined): void;
  /** Puts the keyboard on a ticket, or where there is none on the list's heading. */
  focus(id?: string): void;
}

export function ticketList(
  { seesSensitive, open }: { seesSensitive: boolean; open: (ticket: Ticket) => void },
): TicketList {
  let tickets: readonly Ticket[] | undefined;
  let sensitiveOnly = false;
  let limit = PAGE;
  let marked: string | undefined;
  const rows = new Map<string, Row>();

  const heading = h("h2", { tabindex: -1 }, "Tickets");
  const status = select("Status", [["", "All"], ...Object.entries(STATUS)], { change: filter });
  const categories = Object.entries(CATEGORY).filter(([name]) => name !== "gbv" || seesSensitive);
  const category = select("Category", [["", "All"], ...categories], { change: filter });
  const general = h(
    "button",
    { type: "button", "aria-pressed": "true", click: () => choose(false) },
    "General",
  );
  const gbv = h("button", { type: "button", "aria-pressed": "false", click: () => choose(true) }, "GBV");
  const list = h("ul", { class: "tickets" });
  const note = h("p", { class: "quiet", role: "status" }, "Loading…");
  const more = h("button", { type: "button", hidden: true, click: showMore }, "Show more");

  const element = h(
    "section",
    { class: "list", "aria-label": "Tickets" },
    h(
      "div",
      { class: "list-head" },
      heading,
      seesSensitive &&
        h("div", { class: "switch", role: "group", "aria-label": "Which tickets" }, general, gbv),
    ),
    h("div", { class: "filters" }, status.element, category.element),
    note,
    list,
    more,
  );

  function choose(sensitive: boolean): void {
    sensitiveOnly = sensitive;
    general.setAttribute("aria-pressed", String(!sensitive));
    gbv.setAttribute("aria-pressed", String(sensitive));
    category.element.hidden = sensitive;
    if (sensitive) category.input.value = "";
    filter();
  }

  function filter(): void {
    limit = PAGE;
    render();
  }

  function showMore(): void {
    limit += PAGE;
    render();
  }

  function isWanted(ticket: Ticket): boolean {
    return ticket.is_sensitive === sensitiveOnly &&
      (!status.input.value || ticket.status === status.input.value) &&
      (!category.input.value || ticket.category === category.input.value);
  }

  function render(): void {
    if (!tickets) return;
    const wanted = tickets.filter(isWanted);
    const shown = wanted.slice(0, limit);
    const focused = document.activeElement;
    const wasInList = focused instanceof HTMLElement && list.contains(focused);
    const kept = new Set(shown.map(({ id }) => id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      rows.delete(id);
    }
    shown.forEach((ticket, index) => {
      const row = rows.get(ticket.id) ?? new Row(ticket.id, () => open(row.ticket));
      rows.set(ticket.id, row);
      row.show(ticket, ticket.id === marked);
      const place = list.children[index] ?? null;
      if (place !== row.element) list.insertBefore(row.element, place);
    });
    // Moving an element takes the focus from it, removing one leaves the keyboard nowhere.
    if (wasInList) (focused.isConnected ? focused : heading).focus({ preventScroll: true });
    note.textContent = wanted.length === 1 ? "1 ticket" : `${wanted.length || "No"} tickets`;
    more.hidden = shown.length === wanted.length;
    gbv.textContent = `GBV (${tickets.filter(({ is_sensitive }) => is_sensitive).length})`;
  }

  return {
    element,
    show(current) {
      tickets = current;
      render();
    },
    mark(id) {
      marked = id;
      for (const row of rows.values()) row.show(row.ticket, row.id === id);
    },
    focus(id) {
      (rows.get(id ?? "")?.button ?? heading).focus();
    },
  };
}

class Row {
  ticket!: Ticket;
  readonly #number = h("span", { class: "number" });
  readonly #status = h("span", { class: "badge" });
  readonly #details = h("span", { class: "quiet" });
  readonly button: HTMLButtonElement;
  readonly element: HTMLLIElement;

  constructor(readonly id: string, open: () => void) {
    this.button = h(
      "button",
      { type: "button", click: open },
      this.#number,
      " ",
      this.#status,
      " ",
      this.#details,
    );
    this.element = h("li", {}, this.button);
  }

  show(ticket: Ticket, isOpen: boolean): void {
    this.ticket = ticket;
    this.element.dataset.severity = ticket.severity ?? "";
    this.#number.textContent = ticket.tracking_number ?? "No number";
    this.#status.textContent = statusText(ticket.status);
    this.#status.dataset.status = ticket.status;
    this.#details.textContent = `${categoryText(ticket.category)} · ${severityText(ticket.severity)} · ${
      timeText(ticket.updated_at)
    }`;
    if (isOpen) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
  }
}
