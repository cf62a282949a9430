/** Whether a file in hand was taken in, by its bytes. What somebody may not see is answered as if it never was. */
import { findCopies } from "../../../client/mod.ts";
import type { Client } from "./client.ts";
import { h } from "./dom.ts";
import { dropZone } from "./drop-zone.ts";
import { timeText } from "./words.ts";

/** `signal` ends it; `visit` opens a ticket. */
export function checkCopy(
  { supabase, back, visit, signal }: {
    supabase: Client;
    back: () => void;
    visit: (ticketId: string) => void;
    signal: AbortSignal;
  },
): { element: HTMLElement; focus(): void } {
  const heading = h("h2", { tabindex: -1 }, "Check a copy");
  const zone = dropZone({
    drop: "Drop the copy here, or",
    choose: "Choose a file",
    take: ([file]) => {
      if (file) void check(file);
    },
  });
  const result = h("div", { class: "copies", role: "status" });

  let latest = 0;
  async function check(copy: File): Promise<void> {
    const mine = ++latest;
    result.replaceChildren(h("p", { class: "quiet" }, `Reading ${copy.name}…`));
    const said = await look(copy);
    if (mine === latest && !signal.aborted) result.replaceChildren(...said);
  }

  async function look(copy: File): Promise<HTMLElement[]> {
    try {
      const { sha256, files } = await findCopies(supabase, copy, { signal });
      const digest = h(
        "p",
        { class: "quiet digest" },
        `SHA-256 ${sha256 ?? "not computed: it is too large"}`,
      );
      if (files.length === 0) {
        return [
          h("p", {}, `No file that you can see here is ${copy.name}.`),
          h(
            "p",
            { class: "quiet" },
            "One changed byte makes another file: it may have been resized or saved anew. A file that was uploaded a few minutes ago may not be known yet.",
          ),
          digest,
        ];
      }
      return [
        h("p", {}, `${copy.name} was taken in. Byte for byte, it is:`),
        h(
          "ul",
          { class: "backlog" },
          ...files.map(({ filename, source, created_at, ticket_id }) =>
            h(
              "li",
              {},
              h("p", { class: "name" }, filename),
              h("p", { class: "quiet" }, `By ${SOURCE[source] ?? source}, ${timeText(created_at)}`),
              ticket_id !== null &&
                h("button", {
                  type: "button",
                  "aria-label": `Open the ticket of ${filename}`,
                  click: () => visit(ticket_id),
                }, "Open the ticket"),
            )
          ),
        ),
        digest,
      ];
    } catch {
      return [h("p", { class: "problem" }, "It could not be checked. Please try again.")];
    }
  }

  const element = h(
    "article",
    { class: "ticket", "aria-label": "Check a copy" },
    h("button", { type: "button", class: "back", click: back }, "Back to the list"),
    heading,
    h(
      "p",
      {},
      "Choose a file that you were given, to see whether it is one that was taken in. Its bytes are compared, not its name. It is not uploaded.",
    ),
    zone,
    result,
  );
  return { element, focus: () => heading.focus() };
}

const SOURCE: Record<string, string> = { web: "upload", whatsapp: "WhatsApp" };
