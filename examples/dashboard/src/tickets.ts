/** The list of tickets with its filters. It shows what it is given, and says which window of the table it wants. */
import type { Ticket, TicketWindow } from "../../../client/mod.ts";
import { h, select } from "./dom.ts";
import { CATEGORY, categoryText, severityText, STATUS, statusText, timeText } from "./words.ts";

const PAGE = 50;
/** Milliseconds without a key until what was typed is searched for. */
const TYPED = 300;

export interface TicketList {
  element: HTMLElement;
  /** The window that the filters ask for. */
  window(): TicketWindow;
  show(tickets: readonly Ticket[], hasMore: boolean): void;
  /** What was shown is all there is for now, even if nothing was. */
  settled(hasMore: boolean): void;
  /** Marks the ticket that is open. */
  mark(id: string | undefined): void;
  /** Puts the keyboard on a ticket, or where there is none on the list's heading. */
  focus(id?: string): void;
}

export function ticketList(
  { seesSensitive, open, changeWindow }: {
    seesSensitive: boolean;
    open: (ticket: Ticket) => void;
    changeWindow: (window: TicketWindow) => void;
  },
): TicketList {
  let tickets: readonly Ticket[] = [];
  let sensitive = false;
  let limit = PAGE;
  let marked: string | undefined;
  const rows = new Map<string, Row>();

  const heading = h("h2", { tabindex: -1 }, "Tickets");
  const status = select("Status", [["", "All"], ...Object.entries(STATUS)], { change: filter });
  const categories = Object.entries(CATEGORY).filter(([name]) => name !== "gbv");
  const category = select("Category", [["", "All"], ...categories], { change: filter });
  const order = select("Order", [["updated_at", "Latest change"], ["created_at", "Newest"]], {
    change: filter,
  });
  let typing: ReturnType<typeof setTimeout> | undefined;
  const text = h("input", {
    type: "search",
    placeholder: "Number or words",
    autocomplete: "off",
    input: () => {
      clearTimeout(typing);
      typing = setTimeout(filter, TYPED);
    },
    change: filter,
  });
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
    h(
      "div",
      { class: "filters" },
      status.element,
      category.element,
      order.element,
      h("label", { class: "field" }, h("span", {}, "Search"), text),
    ),
    note,
    list,
    more,
  );

  function choose(wanted: boolean): void {
    sensitive = wanted;
    general.setAttribute("aria-pressed", String(!sensitive));
    gbv.setAttribute("aria-pressed", String(sensitive));
    category.element.hidden = sensitive;
    if (sensitive) category.input.value = "";
    filter();
  }

  function filter(): void {
    clearTimeout(typing);
    limit = PAGE;
    changeWindow(window());
  }

  function showMore(): void {
    limit += PAGE;
    changeWindow(window());
  }

  function window(): TicketWindow {
    return {
      filter: {
        ...(seesSensitive && { sensitive }),
        status: status.input.value ? [status.input.value] : [],
        category: category.input.value ? [category.input.value] : [],
        text: text.value,
      },
      order: order.input.value as "updated_at" | "created_at",
      limit,
    };
  }

  function render(): void {
    const focused = document.activeElement;
    const wasInList = focused instanceof HTMLElement && list.contains(focused);
    const kept = new Set(tickets.map(({ id }) => id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      rows.delete(id);
    }
    tickets.forEach((ticket, index) => {
      const row = rows.get(ticket.id) ?? new Row(ticket.id, () => open(row.ticket));
      rows.set(ticket.id, row);
      row.show(ticket, ticket.id === marked);
      const place = list.children[index] ?? null;
      if (place !== row.element) list.insertBefore(row.element, place);
    });
    // Moving an element takes the focus from it, removing one leaves the keyboard nowhere.
    if (wasInList) (focused.isConnected ? focused : heading).focus({ preventScroll: true });
  }

  function count(hasMore: boolean): void {
    const { length } = tickets;
    note.textContent = hasMore
      ? `The first ${length} tickets`
      : length === 1
      ? "1 ticket"
      : `${length || "No"} tickets`;
    more.hidden = !hasMore;
  }

  return {
    element,
    window,
    show(current, hasMore) {
      tickets = current;
      render();
      count(hasMore);
    },
    settled: count,
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
  readonly #words = h("span", { class: "first-words" });
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
      this.#words,
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
    this.#words.textContent = firstWords(ticket.description);
    const unread = isUnread(ticket) ? "Unread · " : "";
    this.element.dataset.unread = String(unread !== "");
    this.#details.textContent = `${unread}${categoryText(ticket.category)} · ${
      severityText(ticket.severity)
    } · ${timeText(ticket.updated_at)}`;
    if (isOpen) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
  }
}

/** The resident wrote after somebody last said that they had read it. */
export function isUnread({ last_message_at, last_read_at }: Ticket): boolean {
  return last_message_at !== null && (last_read_at === null || last_message_at > last_read_at);
}

function firstWords(text: string | null): string {
  const [line = ""] = (text ?? "").trim().split("\n");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
