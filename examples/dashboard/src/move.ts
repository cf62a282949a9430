/** Moves a message with its files to where it belongs: residents report two things in one chat. */
import type { Message } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { field, h } from "./dom.ts";
import { seesSensitive } from "./roles.ts";
import { timeText } from "./words.ts";

export interface MoveAction {
  element: HTMLElement;
  show(message: Message, words: string): void;
}

/** `moved` shows the ticket without the message, and says where that is now. */
export function moveAction(
  { supabase, ticketId, sensitive, role, moved, signal }: {
    supabase: Client;
    ticketId: string;
    sensitive: boolean;
    role: string;
    moved: (said: string) => Promise<void>;
    signal: AbortSignal;
  },
): MoveAction {
  let message: Message;
  let words = "";
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "button", click: () => void act() }, "Move this message…");

  async function act(): Promise<void> {
    if (button.ariaDisabled) return;
    problem.textContent = "";
    const numbers = sensitive ? await othersOf(supabase, ticketId) : [];
    if (signal.aborted) return;
    const target = await askTarget({ words, numbers, sensitive, role, signal });
    if (!target || signal.aborted) return;
    button.ariaDisabled = "true";
    const said = await move(target);
    button.ariaDisabled = null;
    if (!signal.aborted) problem.textContent = said;
  }

  /** Why it did not work, in words. */
  async function move({ number }: Target): Promise<string> {
    const notThere = "The same resident has no open ticket with this number.";
    const { message_sid } = message;
    let ticket_id: string | undefined;
    if (number !== undefined) {
      const { data } = await supabase.from("tickets").select("id").eq("tracking_number", number)
        .maybeSingle();
      if (!data) return notThere;
      ticket_id = data.id;
    }
    const { data: target, error } = await supabase.rpc("move_message", {
      message_sid,
      ...ticket_id === undefined ? {} : { ticket_id },
    });
    if (error?.message === "not_found" && error.details === "ticket_id") return notThere;
    if (error && error.message !== "not_found") return "The message could not be moved. Please try again.";
    const { data } = error
      ? { data: null }
      : await supabase.from("tickets").select("tracking_number").eq("id", target).maybeSingle();
    if (signal.aborted) return "";
    // not found: somebody else was faster
    await moved(
      error
        ? "The message is no longer in this ticket."
        : `Moved to ${data?.tracking_number ?? "its ticket"}.`,
    );
    return "";
  }

  return {
    element: h("div", { class: "message-actions" }, button, problem),
    show(current, its) {
      message = current;
      words = its;
      button.ariaLabel = `Move this message… of ${timeText(message.received_at)}`;
    },
  };
}

/** The sender's other open tickets, which police liaison and admins alone may know of. */
async function othersOf(supabase: Client, ticket_id: string): Promise<string[]> {
  const { data } = await supabase.rpc("other_tickets_of_sender", { ticket_id });
  return (data ?? []).map(({ tracking_number }) => tracking_number);
}

/** Without a number: a new ticket. */
interface Target {
  number?: string;
}

/** Undefined where it was cancelled. */
function askTarget(
  { words, numbers, sensitive, role, signal }: {
    words: string;
    numbers: string[];
    sensitive: boolean;
    role: string;
    signal: AbortSignal;
  },
): Promise<Target | undefined> {
  const { promise, resolve } = Promise.withResolvers<Target | undefined>();
  const choice = (value: string, label: string, checked: boolean) => {
    const input = h("input", { type: "radio", name: "target", value, checked, change: follow });
    return { input, element: h("label", { class: "checkbox" }, input, label) };
  };
  const fresh = choice("new", "A new ticket", true);
  const other = choice("other", "Another open ticket of the same resident", false);
  const number = field("Its number", {
    placeholder: "TKT-…",
    autocomplete: "off",
    required: true,
    list: numbers.length > 0 ? "move-numbers" : undefined,
  });
  const dialog = h(
    "dialog",
    {
      "aria-labelledby": "move-title",
      close: () => {
        const { value } = number.input;
        resolve(
          dialog.returnValue !== "move"
            ? undefined
            : other.input.checked
            ? { number: value.trim().toUpperCase() }
            : {},
        );
        dialog.remove();
      },
    },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "move-title" }, "Move this message?"),
      words !== "" && h("blockquote", {}, words.length > 140 ? `${words.slice(0, 139)}…` : words),
      h("p", {}, noteFor(sensitive, role)),
      h(
        "fieldset",
        {},
        h("legend", {}, "Where to"),
        fresh.element,
        other.element,
        number.element,
        numbers.length > 0 &&
          h("datalist", { id: "move-numbers" }, ...numbers.map((value) => h("option", { value }))),
      ),
      h(
        "div",
        { class: "inline" },
        h("button", { type: "button", click: () => dialog.close() }, "Cancel"),
        h("button", { class: "primary", value: "move" }, "Move"),
      ),
    ),
  );
  function follow(): void {
    number.element.hidden = number.input.disabled = !other.input.checked;
    if (other.input.checked) number.input.focus();
  }
  follow();
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close());
  return promise;
}

function noteFor(sensitive: boolean, role: string): string {
  const recorded = "It goes with its files. Moving it is recorded.";
  if (sensitive) return `${recorded} In an ordinary ticket its words stay sealed.`;
  if (!seesSensitive(role)) return recorded;
  return `${recorded} In a sensitive ticket it is hidden from all but police liaison and admins.`;
}
