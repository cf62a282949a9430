/** The buttons that open what is sealed: first the words, then, apart, who wrote. Each is recorded before it happens. */
import { EvidenceError, type OpenedMessage, openReport } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { h } from "./dom.ts";

export function reportButtons(
  { supabase, ticketId, sensitive, role, opened, signal }: {
    supabase: Client;
    ticketId: string;
    sensitive: boolean;
    role: string;
    opened: (messages: OpenedMessage[]) => void;
    signal: AbortSignal;
  },
): { element: HTMLElement; show(count: number): void } {
  const problem = h("p", { class: "problem", role: "alert" });
  const read = h(
    "button",
    { type: "button", click: () => void act(read, false) },
    "Read the report (this is recorded)",
  );
  const who = h(
    "button",
    { type: "button", click: () => void act(who, true) },
    "Show who wrote (this is recorded)",
  );
  // Who wrote is the second step: most work with a report needs no name.
  let isRead = !sensitive;
  let isKnown = false;
  let messages = 0;
  const maySeeSender = sensitive || role === "manager" || role === "admin";

  async function act(button: HTMLButtonElement, includeSender: boolean): Promise<void> {
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    problem.textContent = "";
    try {
      const answer = await openReport(supabase, ticketId, { includeSender });
      if (signal.aborted) return;
      isRead = true;
      isKnown ||= includeSender;
      opened(answer);
      show(messages);
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof EvidenceError ? error.code : "";
      problem.textContent = code === "forbidden" || code === "not_found"
        ? "You may not open this. Your municipality may ask for a second factor: sign in with it and try again."
        : "The report could not be opened right now. Please try again.";
    } finally {
      button.ariaDisabled = null;
    }
  }

  function show(count: number): void {
    messages = count;
    read.hidden = count === 0 || isRead;
    who.hidden = count === 0 || !isRead || isKnown || !maySeeSender;
  }

  show(0);
  return { element: h("div", { class: "inline" }, read, who, problem), show };
}
