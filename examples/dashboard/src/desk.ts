/** The page of somebody signed in: the list, live, beside one open ticket. */
import type { Ticket, TicketChange } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { announce, h } from "./dom.ts";
import { followTickets } from "./follow.ts";
import { isStaff, seesSensitive } from "./roles.ts";
import { ticketList } from "./tickets.ts";
import { type TicketView, ticketView } from "./ticket.ts";
import { categoryText, CONNECTION, ROLE } from "./words.ts";

export interface Desk {
  element: HTMLElement;
  focus(): void;
  close(): void;
}

export function openDesk(
  { supabase, municipality, email, role, signOut }: {
    supabase: Client;
    municipality: string;
    email: string;
    role: string;
    signOut: () => void;
  },
): Desk {
  const closed = new AbortController();
  let opened: { id: string; sensitive: boolean; view: TicketView; end: AbortController } | undefined;

  const place = h("p", { class: "place" });
  const connection = h("p", { class: "connection", role: "status" });
  const list = ticketList({ seesSensitive: seesSensitive(role), open });
  const empty = h("p", { class: "quiet empty" }, "Choose a ticket to see it and its files.");
  const detail = h("section", { class: "detail", "aria-label": "Ticket" }, empty);
  const main = h("main", {}, list.element, detail);
  const element = h(
    "div",
    { class: "desk" },
    h(
      "header",
      {},
      h("h1", {}, "Citizen reports"),
      place,
      connection,
      h("p", { class: "who" }, `${email} · ${ROLE[role] ?? "Citizen"}`),
      h("button", { type: "button", click: signOut }, "Sign out"),
    ),
    main,
  );

  function open(ticket: Ticket): void {
    end();
    const end_ = new AbortController();
    const view = ticketView({ supabase, ticket, role, back, signal: end_.signal });
    opened = { id: ticket.id, sensitive: ticket.is_sensitive, view, end: end_ };
    detail.replaceChildren(view.element);
    main.dataset.view = "detail";
    list.mark(ticket.id);
    view.focus();
  }

  function end(): void {
    opened?.end.abort();
    opened = undefined;
    detail.replaceChildren(empty);
    delete main.dataset.view;
    list.mark(undefined);
  }

  function back(): void {
    const id = opened?.id;
    end();
    list.focus(id);
  }

  function show(tickets: readonly Ticket[]): void {
    list.show(tickets);
    if (!opened) return;
    const { id, sensitive, view } = opened;
    const ticket = tickets.find((ticket) => ticket.id === id);
    if (!ticket) {
      back();
      announce("The ticket you had open is no longer available to you.");
    } else if (ticket.is_sensitive !== sensitive) open(ticket);
    else view.update(ticket);
  }

  let isFirst = true;
  const unfollow = followTickets(supabase, { municipality, role }, {
    onChange(changes, tickets) {
      if (closed.signal.aborted) return;
      show(tickets);
      if (!isFirst) tell(changes);
      isFirst = false;
    },
    onState(state) {
      if (closed.signal.aborted) return;
      connection.textContent = state === "live" && !isStaff(role) ? "Read every minute" : CONNECTION[state];
      connection.dataset.state = state;
      if (state === "live") opened?.view.reloadFiles();
    },
    onMedia({ ticket_id }) {
      if (ticket_id === opened?.id) opened?.view.reloadFiles();
    },
  });

  supabase.from("municipalities").select("name").eq("id", municipality).abortSignal(closed.signal)
    .maybeSingle()
    .then(({ data }) => {
      if (!closed.signal.aborted) place.textContent = data?.name ?? "";
    });

  return {
    element,
    focus: () => list.focus(),
    close() {
      closed.abort();
      end();
      unfollow();
      element.remove();
    },
  };
}

/** New tickets, in words. */
function tell(changes: TicketChange[]): void {
  const added = changes.filter(({ type }) => type === "INSERT").map(({ ticket }) => ticket);
  if (added.length === 1) announce(`New ticket: ${categoryText(added[0]!.category)}`);
  else if (added.length > 1) announce(`${added.length} new tickets`);
}
