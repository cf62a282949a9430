/** Asks before a ticket is made sensitive: it cannot be taken back here. */
import { h } from "./dom.ts";

export function confirmSensitive(signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const dialog = h(
    "dialog",
    {
      "aria-labelledby": "confirm-title",
      close: () => {
        resolve(dialog.returnValue === "yes");
        dialog.remove();
      },
    },
    h("h2", { id: "confirm-title" }, "Mark as sensitive?"),
    h(
      "p",
      {},
      "The ticket, its messages and all its files disappear at once for everybody but police liaison and admins. You cannot undo this.",
    ),
    h(
      "div",
      { class: "inline" },
      h("button", { type: "button", click: () => dialog.close("no") }, "Cancel"),
      h("button", { type: "button", class: "danger", click: () => dialog.close("yes") }, "Mark as sensitive"),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close("no"));
  return promise;
}
