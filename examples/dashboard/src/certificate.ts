/** A file's certificate, instead of the page until one goes back: to be read, and to be printed. */
import { certificateSheet } from "./certificate-sheet.ts";
import type { Certificate } from "./certificate-words.ts";
import { h } from "./dom.ts";

/** `opener` gets the keyboard back; `signal` ends it. */
export function showCertificate(certificate: Certificate, opener: HTMLElement, signal: AbortSignal): void {
  const app = document.getElementById("app")!;
  const { title } = document;
  const closed = new AbortController();
  const page = h(
    "main",
    { class: "certificate-page" },
    h(
      "div",
      { class: "certificate-bar" },
      h("button", { type: "button", click: close }, "Back"),
      h("button", { type: "button", class: "primary", click: () => print() }, "Print"),
      h("p", { class: "quiet" }, "That you issued it is recorded."),
    ),
    certificateSheet(certificate),
  );

  function close(): void {
    closed.abort();
    page.remove();
    app.hidden = false;
    document.title = title;
    opener.focus();
  }

  signal.addEventListener("abort", close, { signal: closed.signal });
  app.hidden = true;
  // A printed PDF is named so; no word of the ticket, since browsers remember titles.
  document.title = `Certificate ${certificate.file.file_id}`;
  document.body.prepend(page);
  scrollTo(0, 0);
  page.querySelector("h1")!.focus({ preventScroll: true });
}
