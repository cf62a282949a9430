/** What residents wrote, oldest first, each message with its files; uploads by staff stand where they came in between. */
import type { Message, OpenedMessage, TicketDetails, TicketFile } from "../../../client/mod.ts";
import { h } from "./dom.ts";
import type { MoveAction } from "./move.ts";
import { timeText } from "./words.ts";

const CHANNEL: Record<string, string> = { whatsapp: "WhatsApp", sms: "SMS" };
const UPLOADS = "uploads";

export interface Timeline {
  element: HTMLElement;
  show(details: TicketDetails): void;
  /** What was sealed, and who wrote it if that was asked for. */
  open(messages: OpenedMessage[]): void;
  /** Where a file's card belongs. */
  placeOf(file: TicketFile): HTMLElement;
}

/** `action` makes what may be done with a message. */
export function timeline(action?: () => MoveAction): Timeline {
  const entries = new Map<string, Entry>();
  let openedMessages = new Map<string, OpenedMessage>();
  const element = h("ol", { class: "timeline", "aria-label": "Messages and files" });

  /** An upload belongs to no message: those between two messages stand together. */
  const keyOf = ({ message_sid, created_at }: TicketFile, messages: Message[]) => {
    if (message_sid !== null && messages.some((message) => message.message_sid === message_sid)) {
      return message_sid;
    }
    const before = messages.filter(({ received_at }) => received_at <= created_at).length;
    return `${UPLOADS} ${before}`;
  };
  let messages: Message[] = [];

  function show(details: TicketDetails): void {
    messages = details.messages;
    const wanted: [key: string, time: string, message?: Message][] = messages.map((
      message,
    ) => [message.message_sid, message.received_at, message]);
    for (const file of details.files) {
      const key = keyOf(file, messages);
      if (!wanted.some(([known]) => known === key)) wanted.push([key, file.created_at]);
    }
    wanted.sort(([, one], [, other]) => one < other ? -1 : 1);
    const kept = new Set(wanted.map(([key]) => key));
    for (const [key, entry] of entries) {
      if (kept.has(key)) continue;
      entry.element.remove();
      entries.delete(key);
    }
    wanted.forEach(([key, time, message], index) => {
      const entry = entries.get(key) ?? new Entry(message && action?.());
      entries.set(key, entry);
      entry.show(time, message, openedMessages.get(key));
      if (element.children[index] !== entry.element) {
        element.insertBefore(entry.element, element.children[index] ?? null);
      }
    });
    element.hidden = wanted.length === 0;
  }

  return {
    element,
    show,
    open(opened) {
      openedMessages = new Map(opened.map((message) => [message.message_sid, message]));
      for (const message of messages) {
        entries.get(message.message_sid)?.show(
          message.received_at,
          message,
          openedMessages.get(message.message_sid),
        );
      }
    },
    placeOf: (file) => entries.get(keyOf(file, messages))!.files,
  };
}

class Entry {
  readonly #about = h("p", { class: "quiet" });
  readonly #body = h("p", { class: "words" });
  readonly #place = h("p", { class: "place-shared" });
  readonly files: HTMLUListElement = h("ul", { class: "files" });
  readonly element: HTMLLIElement;

  constructor(readonly action?: MoveAction) {
    this.element = h("li", {}, this.#about, this.#body, this.#place, this.files, action?.element ?? false);
  }

  show(time: string, message?: Message, opened?: OpenedMessage): void {
    const sender = opened?.sender ? `${opened.sender} · ` : "";
    const from = message ? CHANNEL[message.channel] ?? message.channel : "Uploaded here";
    this.#about.textContent = `${sender}${from} · ${timeText(time)}`;
    this.#body.textContent = opened?.text ?? message?.body ?? "";
    const { latitude, longitude, name } = opened?.place ??
      { latitude: message?.latitude, longitude: message?.longitude, name: message?.place };
    if (message) this.action?.show(message, this.#body.textContent);
    this.#place.replaceChildren(...placeOf(latitude ?? undefined, longitude ?? undefined, name ?? undefined));
  }
}

/** A link that the device's own map opens: no map service learns of it. */
function placeOf(latitude?: number, longitude?: number, name?: string): (Node | string)[] {
  if (latitude === undefined || longitude === undefined) return name ? [name] : [];
  const at = `${latitude},${longitude}`;
  return [
    h("a", { href: `geo:${at}?q=${at}` }, name || "Shared place"),
    ` ${latitude.toFixed(5)}, ${longitude.toFixed(5)}`,
  ];
}
