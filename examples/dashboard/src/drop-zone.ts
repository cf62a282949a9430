/** A place to drop files on, with a button for those who choose them instead. */
import { h } from "./dom.ts";

export function dropZone(
  { drop, choose, attributes, take }: {
    /** Before the button: "Drop files here, or". */
    drop: string;
    choose: string;
    /** Of the input: `multiple`, `accept`. */
    attributes?: Record<string, string | boolean>;
    take: (files: File[]) => void;
  },
): HTMLElement {
  const input = h("input", {
    ...attributes,
    type: "file",
    class: "visually-hidden",
    change: () => {
      const files = [...input.files ?? []];
      input.value = "";
      take(files);
    },
  });
  const over = (is: boolean) => zone.classList.toggle("over", is);
  const zone = h(
    "div",
    {
      class: "drop-zone",
      dragover: (event) => {
        event.preventDefault();
        over(true);
      },
      dragleave: () => over(false),
      drop: (event) => {
        event.preventDefault();
        over(false);
        take([...(event as DragEvent).dataTransfer?.files ?? []]);
      },
    },
    h("p", { class: "quiet" }, drop),
    h("label", { class: "button" }, choose, input),
  );
  return zone;
}
