/** Making elements. Text only ever becomes text: nothing here reads HTML. */

type Attribute = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | false;

/** An element; a function is a listener (`click: () => …`), true an empty attribute, false and undefined none. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== false));
  return element;
}

/** A select with a visible label. */
export function select(
  label: string,
  options: [value: string, text: string][],
  attributes: Record<string, Attribute> = {},
): { element: HTMLLabelElement; input: HTMLSelectElement } {
  const input = h("select", attributes, ...options.map(([value, text]) => h("option", { value }, text)));
  return { element: h("label", { class: "field" }, h("span", {}, label), input), input };
}

/** A line of text with a visible label. */
export function field(
  label: string,
  attributes: Record<string, Attribute> = {},
): { element: HTMLLabelElement; input: HTMLInputElement } {
  const input = h("input", attributes);
  return { element: h("label", { class: "field" }, h("span", {}, label), input), input };
}

/** A box to tick, with its label behind it. */
export function checkbox(
  label: string,
  attributes: Record<string, Attribute> = {},
): { element: HTMLLabelElement; input: HTMLInputElement } {
  const input = h("input", { type: "checkbox", ...attributes });
  return { element: h("label", { class: "checkbox" }, input, label), input };
}

let emptying: ReturnType<typeof setTimeout> | undefined;

/** Says what has just happened, on the page and to screen readers. */
export function announce(text: string): void {
  const announcer = document.getElementById("announcer")!;
  announcer.textContent = text;
  clearTimeout(emptying);
  emptying = setTimeout(() => announcer.textContent = "", 5000);
}

export function silence(): void {
  clearTimeout(emptying);
  document.getElementById("announcer")!.textContent = "";
}
