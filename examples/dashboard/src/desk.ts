/** The page of somebody signed in: the list, live, beside one open ticket. */
import { readTicket, type Ticket, type TicketWindow } from "../../../client/mod.ts";
import { backlog } from "./backlog.ts";
import { checkCopy } from "./check.ts";
import type { Client } from "./client.ts";
import { announce, h } from "./dom.ts";
import { followTickets } from "./follow.ts";
import { forgetNotices, notice } from "./notice.ts";
import { records } from "./records.ts";
import { isStaff, seesSensitive } from "./roles.ts";
import { ticketList } from "./tickets.ts";
import { type TicketView, ticketView } from "./ticket.ts";
import { categoryText, CONNECTION, ROLE } from "./words.ts";

/** Pages beside the tickets, by their address, and whom they are for. */
const PAGES = {
  "#files": { label: "Files to look after", make: backlog, isFor: isStaff },
  "#check": { label: "Check a copy", make: checkCopy, isFor: isStaff },
  "#records": { label: "Records", make: records, isFor: seesSensitive },
};
/** Events of one ticket come in groups. */
const SETTLE_MS = 200;
/** Before another try where it could not be read. */
const AGAIN_MS = 2_000;

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
  const { signal } = closed;
  let opened: { id: string; sensitive: boolean; view: TicketView; end: AbortController } | undefined;
  let pageEnd: AbortController | undefined;
  let looking: ReturnType<typeof setTimeout> | undefined;

  const place = h("p", { class: "place" });
  const connection = h("p", { class: "connection", role: "status" });
  const list = ticketList({ seesSensitive: seesSensitive(role), open: visit, changeWindow });
  const empty = h("p", { class: "quiet empty" }, "Choose a ticket to see it and its files.");
  const detail = h("section", { class: "detail", "aria-label": "Ticket" }, empty);
  for (const [address, { label, isFor }] of Object.entries(PAGES)) {
    if (!isFor(role)) continue;
    list.element.append(h("button", {
      type: "button",
      click: () => {
        if (location.hash !== address) history.pushState(null, "", address);
        openPage(address as keyof typeof PAGES);
      },
    }, label));
  }
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

  // What is open is in the address, so that Back and a reload work. An id tells nothing to whom the ticket is hidden from.
  function visit(ticket: Ticket): void {
    if (location.hash !== `#${ticket.id}`) history.pushState(null, "", `#${ticket.id}`);
    open(ticket);
  }

  function openPage(address: keyof typeof PAGES): void {
    end();
    pageEnd = new AbortController();
    const visit = (id: string) => location.hash = id;
    const page = PAGES[address].make({ supabase, back, visit, signal: pageEnd.signal });
    detail.replaceChildren(page.element);
    main.dataset.view = "detail";
    page.focus();
  }

  async function showAddress(): Promise<void> {
    const page = location.hash as keyof typeof PAGES;
    if (PAGES[page]?.isFor(role)) return openPage(page);
    const id = location.hash.slice(1);
    if (!id) {
      if (opened || pageEnd) leave();
      return;
    }
    const details = await readTicket(supabase, id, { signal }).catch(() => undefined);
    if (signal.aborted || location.hash.slice(1) !== id) return;
    if (details) open(details.ticket);
    else gone();
  }

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
    clearTimeout(looking);
    opened?.end.abort();
    opened = undefined;
    pageEnd?.abort();
    pageEnd = undefined;
    detail.replaceChildren(empty);
    delete main.dataset.view;
    list.mark(undefined);
  }

  function leave(): void {
    const id = opened?.id;
    end();
    list.focus(id);
  }

  function back(): void {
    leave();
    history.pushState(null, "", location.pathname);
  }

  function gone(): void {
    back();
    announce("The ticket you had open is no longer available to you.");
  }

  /** The open ticket may lie outside of the list's window, so it is read by itself. */
  function look(delay = SETTLE_MS): void {
    clearTimeout(looking);
    looking = setTimeout(async () => {
      const looked = opened;
      if (!looked) return;
      const ended = looked.end.signal;
      try {
        const details = await readTicket(supabase, looked.id, { signal: ended });
        if (ended.aborted) return;
        if (!details) gone();
        else if (details.ticket.is_sensitive !== looked.sensitive) open(details.ticket);
        else looked.view.show(details);
      } catch {
        if (!ended.aborted) look(AGAIN_MS);
      }
    }, delay);
  }

  function changeWindow(window: TicketWindow): void {
    if (opened && window.filter?.sensitive !== undefined && window.filter.sensitive !== opened.sensitive) {
      back();
    }
    following.show(window);
  }

  const begun = new Date().toISOString();
  const known = new Set<string>();
  const following = followTickets(supabase, { municipality, role, window: list.window() }, {
    onChange(changes, tickets) {
      if (signal.aborted) return;
      list.show(tickets, following?.hasMore() ?? false);
      // A ticket also enters the list because another left: it is new only once, and only if it was opened since.
      const added = changes.filter(({ type, ticket }) =>
        type === "INSERT" && ticket.created_at > begun && !known.has(ticket.id)
      ).map(({ ticket }) => ticket);
      for (const { id } of added) known.add(id);
      tell(added);
    },
    onState(state) {
      if (signal.aborted) return;
      connection.textContent = state === "live" && !isStaff(role) ? "Read every minute" : CONNECTION[state];
      connection.dataset.state = state;
      list.settled(following?.hasMore() ?? false);
      if (state === "live") look();
    },
    onTouch: (id) => (id === undefined || id === opened?.id) && look(),
    onMedia: ({ ticket_id }) => ticket_id === opened?.id && look(),
    onMessage({ ticket_id }) {
      if (ticket_id === opened?.id) look();
      notice(1);
    },
  });

  supabase.from("municipalities").select("name").eq("id", municipality).abortSignal(signal).maybeSingle()
    .then(({ data }) => {
      if (!signal.aborted) place.textContent = data?.name ?? "";
    });
  globalThis.addEventListener("popstate", () => void showAddress(), { signal });
  void showAddress();

  return {
    element,
    focus: () => list.focus(),
    close() {
      closed.abort();
      end();
      following.end();
      forgetNotices();
      history.replaceState(null, "", location.pathname);
      element.remove();
    },
  };
}

/** New tickets, in words. */
function tell(added: Ticket[]): void {
  notice(added.length);
  if (added.length === 1) announce(`New ticket: ${categoryText(added[0]!.category)}`);
  else if (added.length > 1) announce(`${added.length} new tickets`);
}
