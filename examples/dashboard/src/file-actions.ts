/** What may be done with one file: another try at one that failed, the certificate of one that is stored. */
import type { TicketFile as FileRow } from "../../../client/mod.ts";
import { askSigner } from "./certificate-form.ts";
import type { Certificate } from "./certificate-words.ts";
import { showCertificate } from "./certificate.ts";
import type { Client } from "./client.ts";
import { announce, h } from "./dom.ts";
import { isStaff, seesSensitive } from "./roles.ts";
import { canBeRetried } from "./words.ts";

export interface FileActions {
  element: HTMLElement;
  /** Offers what the file allows. Whether the keyboard stood on what is no longer offered. */
  show(file: FileRow): boolean;
}

export function fileActions(
  { supabase, role, reload, signal }: {
    supabase: Client;
    role: string;
    reload: () => Promise<void>;
    signal: AbortSignal;
  },
): FileActions {
  let file: FileRow;
  const problem = h("p", { class: "problem", role: "alert" });
  const retry = h("button", { type: "button", click: () => void act(retry, tryAgain) }, "Try again");
  const certify = h("button", { type: "button", click: () => void act(certify, issue) }, "Certificate…");
  const recorded = h("span", { class: "quiet" }, "Issuing is recorded.");

  /** `action` gives in words why it did not work. */
  async function act(button: HTMLButtonElement, action: () => Promise<string>): Promise<void> {
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    problem.textContent = "";
    const said = await action();
    button.ariaDisabled = null;
    if (!signal.aborted) problem.textContent = said;
  }

  async function tryAgain(): Promise<string> {
    const { filename } = file;
    const { error } = await supabase.rpc("retry_media", { file_id: file.file_id });
    if (signal.aborted) return "";
    if (error && error.message !== "not_found") return "This did not work. Please try again.";
    await reload(); // not found: somebody else was faster
    if (!error) announce(`We try again to get ${filename}.`);
    return error && file.status === "failed" ? "This file cannot be tried again." : "";
  }

  async function issue(): Promise<string> {
    const { file_id } = file;
    const signer = await askSigner(file.filename, signal);
    if (!signer) return "";
    const { data, error } = await supabase.rpc("custody_certificate", { file_id, ...signer });
    if (signal.aborted) return "";
    if (error?.message === "not_found") return "This file is no longer available to you.";
    if (error) return "The certificate could not be issued. Please try again.";
    showCertificate(data as unknown as Certificate, certify, signal); // jsonb, so far as types go
    return "";
  }

  function show(current: FileRow): boolean {
    file = current;
    const focused = document.activeElement;
    retry.hidden = !(isStaff(role) && file.status === "failed" && canBeRetried(file.last_error));
    certify.hidden = recorded.hidden = !(seesSensitive(role) && file.status === "stored");
    retry.ariaLabel = `Try again to get ${file.filename}`;
    certify.ariaLabel = `Certificate of ${file.filename}`;
    return (focused === retry && retry.hidden) || (focused === certify && certify.hidden);
  }

  const element = h("div", { class: "file-actions" }, retry, certify, recorded, problem);
  return { element, show };
}
