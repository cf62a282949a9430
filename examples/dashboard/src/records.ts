/** For admins and police liaison: who opened GBV files, whether the custody log is whole, how many tickets and which numbers. */
import { ticketCounts } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { h } from "./dom.ts";
import { ROLE, STATUS, timeText } from "./words.ts";

const MOST = 50;

type Part = (supabase: Client, signal: AbortSignal, visit: (ticketId: string) => void) => Promise<Node[]>;

/** `signal` ends it; `visit` opens a ticket. */
export function records(
  { supabase, back, visit, signal }: {
    supabase: Client;
    back: () => void;
    visit: (ticketId: string) => void;
    signal: AbortSignal;
  },
): { element: HTMLElement; focus(): void } {
  const heading = h("h2", { tabindex: -1 }, "Records");
  const element = h(
    "article",
    { class: "ticket records", "aria-label": "Records" },
    h("button", { type: "button", class: "back", click: back }, "Back to the list"),
    heading,
    section("Custody log", audits),
    section("GBV files opened", reads),
    section("How many tickets", counts),
    section("WhatsApp numbers", numbers),
  );
  signal.addEventListener("abort", () => element.replaceChildren());
  return { element, focus: () => heading.focus() };

  function section(title: string, part: Part): HTMLElement {
    const body = h("div", { role: "status" }, quiet("Loading…"));
    part(supabase, signal, visit).then(
      (nodes) => body.replaceChildren(...nodes),
      () => body.replaceChildren(quiet("This could not be loaded. Go back and try again.")),
    );
    return h("section", { "aria-label": title }, h("h3", {}, title), body);
  }
}

const quiet = (text: string) => h("p", { class: "quiet" }, text);

async function audits(supabase: Client, signal: AbortSignal): Promise<Node[]> {
  const [checked, last] = await Promise.all([
    supabase.rpc("verify_custody").abortSignal(signal),
    supabase.from("custody_audits").select("finished_at, records_checked, files_checked, fault, fault_seq")
      .not("finished_at", "is", null).order("started_at", { ascending: false }).limit(1).abortSignal(signal),
  ]);
  if (checked.error ?? last.error) throw checked.error ?? last.error;
  const [fault] = checked.data!;
  const [audit] = last.data!;
  return [
    fault
      ? h(
        "p",
        { class: "fault" },
        `Record ${fault.seq ?? "–"}: ${fault.problem}. Call your operator: the runbook says what to do.`,
      )
      : h("p", {}, "The newest records are whole."),
    quiet(
      audit
        ? `Last full audit: ${timeText(audit.finished_at!)}, ${count(audit.records_checked, "record")} and ${
          count(audit.files_checked, "file")
        }${audit.fault ? `, ${audit.fault}` : ", nothing wrong"}.`
        : "There has been no full audit yet.",
    ),
  ];
}

async function reads(
  supabase: Client,
  signal: AbortSignal,
  visit: (ticketId: string) => void,
): Promise<Node[]> {
  const [{ data, error }, { data: { user } }] = await Promise.all([
    supabase.from("evidence_access_log").select("id, file_id, user_id, user_role, accessed_at")
      .order("accessed_at", { ascending: false }).limit(MOST).abortSignal(signal),
    supabase.auth.getUser(),
  ]);
  if (error) throw error;
  if (data.length === 0) return [quiet("Nobody has opened one.")];
  const ids = [...new Set(data.flatMap(({ file_id }) => file_id ?? []))];
  const files = await supabase.from("media_attachments").select("file_id, filename, ticket_id").in(
    "file_id",
    ids,
  )
    .abortSignal(signal);
  if (files.error) throw files.error;
  const known = new Map(files.data.map((file) => [file.file_id, file]));
  return [
    h(
      "ul",
      { class: "backlog" },
      ...data.map(({ file_id, user_id, user_role, accessed_at }) => {
        const file = known.get(file_id ?? "");
        const ticket = file?.ticket_id;
        const who = user_id === user?.id ? "you" : `user ${user_id?.slice(0, 8) ?? "–"}`;
        return h(
          "li",
          {},
          h("p", { class: "name" }, file?.filename ?? "A file"),
          h(
            "p",
            { class: "quiet" },
            `${ROLE[user_role ?? ""] ?? user_role ?? "–"} (${who}), ${timeText(accessed_at!)}`,
          ),
          ticket
            ? h("button", {
              type: "button",
              "aria-label": `Open the ticket of ${file.filename}`,
              click: () => visit(ticket),
            }, "Open the ticket")
            : false,
        );
      }),
    ),
    data.length === MOST && quiet(`The latest ${MOST}`),
  ].filter((node) => node !== false);
}

async function counts(supabase: Client, signal: AbortSignal): Promise<Node[]> {
  const found = await ticketCounts(supabase, { signal });
  const of = (status: string, sensitive: boolean) =>
    found.find((each) => each.status === status && each.is_sensitive === sensitive)?.tickets ?? 0;
  const cells = (status: string) =>
    [false, true].map((sensitive) => h("td", {}, of(status, sensitive).toLocaleString("en-ZA")));
  return [
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, ...["Status", "General", "GBV"].map((text) => h("th", { scope: "col" }, text))),
      ),
      h(
        "tbody",
        {},
        ...Object.entries(STATUS).map(([status, text]) =>
          h("tr", {}, h("th", { scope: "row" }, text), ...cells(status))
        ),
      ),
    ),
  ];
}

async function numbers(supabase: Client, signal: AbortSignal): Promise<Node[]> {
  const { data, error } = await supabase.from("whatsapp_numbers").select("number, is_sensitive").order(
    "number",
  )
    .abortSignal(signal);
  if (error) throw error;
  if (data.length === 0) return [quiet("Admins see them here.")];
  return [
    h(
      "ul",
      { class: "backlog" },
      ...data.map(({ number, is_sensitive }) =>
        h("li", {}, h("p", {}, `${number}: ${is_sensitive ? "GBV" : "general"}`))
      ),
    ),
  ];
}

const count = (n: number, what: string) => `${n.toLocaleString("en-ZA")} ${what}${n === 1 ? "" : "s"}`;
