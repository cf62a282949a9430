/** Asks who is to sign a certificate before it is issued: a person's name and office, not only an account. */
import { field, h } from "./dom.ts";

export interface Signer {
  signer_name: string;
  signer_office: string;
}

/** Undefined where it was cancelled. */
export function askSigner(filename: string, signal: AbortSignal): Promise<Signer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Signer | undefined>();
  const name = field("Name", { required: true, maxlength: 200, autocomplete: "name" });
  const office = field("Office", {
    required: true,
    maxlength: 200,
    autocomplete: "organization-title",
    placeholder: "Records officer, Civic Centre",
  });
  const dialog = h(
    "dialog",
    {
      "aria-labelledby": "signer-title",
      close: () => {
        resolve(
          dialog.returnValue === "issue"
            ? { signer_name: name.input.value, signer_office: office.input.value }
            : undefined,
        );
        dialog.remove();
      },
    },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "signer-title" }, "Who will sign the certificate?"),
      h(
        "p",
        {},
        `It certifies ${filename}. Issuing it is recorded. The custody log keeps only a fingerprint of the name.`,
      ),
      h("fieldset", { class: "plain" }, name.element, office.element),
      h(
        "div",
        { class: "inline" },
        h("button", { type: "button", click: () => dialog.close() }, "Cancel"),
        h("button", { class: "primary", value: "issue" }, "Issue the certificate"),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close());
  return promise;
}
