/** A ticket's pictures, large: arrow keys go on and back, Escape closes, and the keyboard returns to where it was. */
import { h } from "./dom.ts";

export interface Picture {
  name: string;
  url: string;
}

export function showPictures(pictures: Picture[], first: number, signal: AbortSignal): void {
  let at = first;
  const image = h("img", { class: "large" });
  const caption = h("p", { class: "quiet", role: "status" });
  const download = h("a", { class: "button", rel: "noopener noreferrer" }, "Download");
  const zoom = h("button", { type: "button", "aria-pressed": "false", click: toggleZoom }, "Actual size");
  const step = (by: number) => () => show((at + by + pictures.length) % pictures.length);
  const dialog = h(
    "dialog",
    {
      class: "viewer",
      "aria-label": "Pictures",
      keydown: (event) => {
        const { key } = event as KeyboardEvent;
        if (key === "ArrowRight") step(1)();
        if (key === "ArrowLeft") step(-1)();
      },
      close: () => dialog.remove(),
    },
    h("div", { class: "stage", tabindex: 0, role: "group", "aria-label": "Picture" }, image),
    h(
      "div",
      { class: "inline" },
      pictures.length > 1 && h("button", { type: "button", click: step(-1) }, "Previous"),
      pictures.length > 1 && h("button", { type: "button", click: step(1) }, "Next"),
      zoom,
      download,
      h("button", { type: "button", class: "primary", click: () => dialog.close() }, "Close"),
      caption,
    ),
  );

  function show(index: number): void {
    at = index;
    const { name, url } = pictures[at]!;
    image.src = url;
    image.alt = name;
    caption.textContent = `${name}, ${at + 1} of ${pictures.length}`;
    // Storage's own parameter: the file is saved under its name instead of being shown.
    const saved = new URL(url);
    saved.searchParams.set("download", name);
    download.href = saved.href;
  }

  function toggleZoom(): void {
    const isLarge = zoom.ariaPressed !== "true";
    zoom.ariaPressed = String(isLarge);
    image.classList.toggle("actual", isLarge);
  }

  show(first);
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close());
}
