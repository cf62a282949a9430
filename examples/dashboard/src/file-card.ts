/** One file: a thumbnail, a player or a link; or why there is none. */
import type { TicketFile as FileRow } from "../../../client/mod.ts";
import { h } from "./dom.ts";
import type { FileActions } from "./file-actions.ts";
import { reasonText, sizeText, timeText, warningText } from "./words.ts";

export class FileCard {
  file!: FileRow;
  /** When its URL ends; undefined: it needs none. */
  expires: number | undefined;
  readonly #preview = h("div", { class: "preview" });
  readonly #name = h("p", { class: "name" });
  readonly #about = h("p", { class: "quiet" });
  readonly #problem = h("p", { class: "problem", tabindex: -1 });
  readonly #warning = h("p", { class: "notice" });
  readonly element: HTMLLIElement;
  #link: HTMLAnchorElement | undefined;
  #media: HTMLImageElement | HTMLMediaElement | undefined;

  /** `isVeiled`: pictures are blurred until somebody asks to see this one. */
  constructor(
    readonly actions: FileActions,
    readonly isVeiled: boolean,
    readonly open: (card: FileCard) => void,
  ) {
    this.element = h(
      "li",
      { class: "file" },
      this.#preview,
      this.#name,
      this.#about,
      this.#problem,
      this.#warning,
      actions.element,
    );
  }

  show(file: FileRow): void {
    const isNew = this.file?.status !== file.status || this.file.bucket !== file.bucket;
    this.file = file;
    this.element.dataset.status = file.status;
    // A message says itself when it came; uploads between two messages stand together.
    const time = file.source === "whatsapp" ? "" : timeText(file.created_at);
    this.#about.textContent = [sizeText(file.file_size), time].filter(Boolean).join(" · ");
    this.#problem.textContent = problemOf(file);
    this.#warning.textContent = file.status === "stored" ? warningText(file.last_error) : "";
    // The button that was pressed has gone: the keyboard stays with the file.
    if (this.actions.show(file)) this.#problem.focus();
    if (!isNew) return;
    this.clear();
    this.#name.replaceChildren(file.filename);
    if (file.status === "stored") this.expires = 0;
    this.#preview.textContent = kindOf(file.content_type);
  }

  endsBefore(time: number): boolean {
    return this.expires !== undefined && this.expires < time;
  }

  useUrl(url: string, expires: number): void {
    if (this.expires === undefined) return; // it has been cleared meanwhile
    this.expires = expires;
    if (!this.#link) {
      this.#link = h("a", { target: "_blank", rel: "noopener noreferrer" }, this.file.filename);
      this.#name.replaceChildren(this.#link);
      this.#media = this.#makeMedia();
      if (this.#media) this.#preview.replaceChildren(this.#shown(this.#media), ...this.#veil(this.#media));
    }
    this.#link.href = url;
    const media = this.#media;
    if (media instanceof HTMLImageElement) {
      if (!media.complete || media.naturalWidth === 0) media.src = url;
    } else if (media && (media.paused || media.error)) this.#swap(media, url);
    else {media?.addEventListener("pause", () => this.#link && this.#swap(media, this.#link.href), {
        once: true,
      });}
  }

  /** The function gives no URL for it. */
  refuse(): void {
    this.clear();
    this.#problem.textContent = "This file is no longer available to you.";
  }

  /** Takes every URL out of the page and stops what plays. */
  clear(): void {
    const media = this.#media;
    media?.removeAttribute("src");
    if (media instanceof HTMLMediaElement) media.load();
    this.#link?.removeAttribute("href");
    this.#link?.replaceWith(this.#link.textContent);
    this.#link = this.#media = this.expires = undefined;
    this.#preview.replaceChildren();
  }

  /** Its URL where it is a picture that may be shown large. */
  get picture(): string | undefined {
    const media = this.#media;
    return media instanceof HTMLImageElement && !media.classList.contains("veiled")
      ? this.#link?.href
      : undefined;
  }

  #shown(media: HTMLElement): HTMLElement {
    if (!(media instanceof HTMLImageElement)) return media;
    const label = `Show ${this.file.filename} large`;
    return h("button", {
      type: "button",
      class: "thumbnail",
      "aria-label": label,
      click: () => this.open(this),
    }, media);
  }

  /** Nobody is to see such a picture because they passed by the screen. */
  #veil(media: HTMLElement): HTMLElement[] {
    if (!this.isVeiled || media instanceof HTMLAudioElement) return [];
    media.classList.add("veiled");
    const lift = h("button", {
      type: "button",
      class: "lift",
      "aria-label": `Show ${this.file.filename}`,
      click: () => {
        media.classList.remove("veiled");
        lift.remove();
        this.#link?.focus();
      },
    }, "Show");
    return [lift];
  }

  #makeMedia(): HTMLImageElement | HTMLMediaElement | undefined {
    const [kind] = this.file.content_type.split("/");
    const label = this.file.filename;
    const error = () => this.#onError();
    if (kind === "image") return h("img", { alt: label, loading: "lazy", decoding: "async", error });
    if (kind === "video") {
      return h("video", { controls: true, preload: "metadata", "aria-label": label, error });
    }
    if (kind === "audio") {
      return h("audio", { controls: true, preload: "metadata", "aria-label": label, error });
    }
    return undefined;
  }

  /** A new URL where the old one was, at the same moment of the recording. */
  #swap(media: HTMLMediaElement, url: string): void {
    const { currentTime } = media;
    media.src = url;
    if (currentTime > 0) media.currentTime = currentTime;
  }

  /** The file may have been moved since it was signed; otherwise the browser cannot show this type. */
  #onError(): void {
    if (!this.#link) return;
    const kind = kindOf(this.file.content_type);
    const text = `${kind}: this browser cannot show it. Open or download it below.`;
    this.#preview.replaceChildren(h("p", { class: "quiet" }, text));
    this.#media = undefined;
  }
}

function problemOf({ status, last_error, source }: FileRow): string {
  if (status === "failed" || status === "expired") return `Not received. ${reasonText(last_error)}`;
  if (status !== "pending") return "";
  if (source === "web") return "The upload has not finished.";
  return last_error ? `Not here yet: we keep trying. ${reasonText(last_error)}` : "On its way from WhatsApp…";
}

function kindOf(contentType: string): string {
  if (contentType === "application/pdf") return "PDF";
  return contentType.split("/")[1]!.replace("x-", "").toUpperCase();
}
